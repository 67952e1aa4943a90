"""Smooth-AP against slow loops, and right where published code is wrong."""

import pytest
import torch
from sklearn.metrics import average_precision_score

import oracles
import rankbook as rb
from losses.scenes import SIZES, batch, clustered, unit


@pytest.mark.parametrize("include_query", [False, True])
@pytest.mark.parametrize("tau", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("sizes", [SIZES, (3, 3, 3), (1, 1, 4)], ids=str)
def test_smooth_ap_is_the_loop(sizes, tau, include_query):
    embeddings, labels = batch(sizes)
    expected = oracles.batch_loss(
        (embeddings @ embeddings.T).tolist(),
        rb.same_label(labels).tolist(),
        lambda scores, relevance: oracles.average_precision(scores, relevance, oracles.sigmoid(tau)),
        without_query=not include_query,
    )
    assert rb.SmoothAPLoss(tau, include_query=include_query)(embeddings, labels).item() == pytest.approx(expected, abs=1e-12)


def test_smooth_ap_becomes_ap():
    embeddings, labels = batch((4, 4, 4, 4))
    scores, relevance = embeddings @ embeddings.T, rb.same_label(labels)
    others = rb.leave_query_out(16)
    ap = [average_precision_score(relevance[q, others[q]], scores[q, others[q]]) for q in range(16)]
    assert rb.SmoothAPLoss(tau=1e-6)(embeddings, labels).item() == pytest.approx(1 - sum(ap) / 16, abs=1e-6)


def test_classes_need_not_come_in_blocks_nor_be_as_many_as_their_images():
    """Two published implementations give .52 or .64 here, for one true value: they read the labels' order, or want as many
    images a class as classes."""
    torch.manual_seed(0)
    labels = torch.arange(16).repeat_interleave(4)
    embeddings = unit(64, 16) + unit(16, 16)[labels]
    blocks = rb.SmoothAPLoss(include_query=True)(embeddings, labels)
    order = torch.randperm(64)
    shuffled = rb.SmoothAPLoss(include_query=True)(embeddings[order], labels[order])
    torch.testing.assert_close(shuffled, blocks, rtol=0, atol=1e-12)
    composition = rb.average_precision(embeddings @ embeddings.T, rb.same_label(labels), rank_fn=rb.sigmoid_ranks)
    torch.testing.assert_close(blocks, 1 - composition, rtol=0, atol=1e-12)


def test_including_the_query_lowers_the_loss():
    embeddings, labels = batch()
    assert rb.SmoothAPLoss(include_query=True)(embeddings, labels) < rb.SmoothAPLoss()(embeddings, labels)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_moderate_differences_in_half_precision(dtype):
    """A lead of -0.2 at tau .01 is exp(20) inside a sigmoid, beyond float16."""
    embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]], dtype=dtype, requires_grad=True)
    loss = rb.SmoothAPLoss(tau=0.01)(embeddings, torch.tensor([0, 1, 0, 1]))
    loss.backward()
    assert loss.isfinite()
    assert embeddings.grad.isfinite().all()


def test_ten_thousand_items_in_the_gallery():
    torch.manual_seed(0)
    gallery, ref_labels = unit(10_000, 16, dtype=torch.float32), torch.randint(0, 200, (10_000,))
    queries, labels = gallery[:4] + 0.3 * unit(4, 16, dtype=torch.float32), ref_labels[:4]
    loss = rb.SmoothAPLoss()(queries, labels, gallery, ref_labels)
    precisions = []
    for q, label in zip(queries.double(), labels, strict=True):
        scores, positive = gallery.double() @ q, ref_labels == label
        above = torch.sigmoid((scores - scores[positive, None]) / 0.01)  # [positives, gallery], itself with 1/2
        precisions.append(((0.5 + above[:, positive].sum(1)) / (0.5 + above.sum(1))).mean())
    assert loss.item() == pytest.approx(1 - torch.stack(precisions).mean().item(), abs=1e-5)


def test_one_class_of_many():
    """All items are positives: nothing can be wrong."""
    embeddings = unit(200, 4, dtype=torch.float32).requires_grad_()
    loss = rb.SmoothAPLoss()(embeddings, torch.zeros(200, dtype=torch.int64))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert embeddings.grad.abs().max() < 1e-6


@pytest.mark.parametrize("sizes", [(6, 6), (9, 3), (12,)], ids=str)
def test_sup_ap_is_an_upper_bound_at_ties(sizes):
    embeddings, _ = clustered(sizes)
    labels = torch.randint(0, 4, (12,))
    exact = rb.as_loss(rb.average_precision, rb.exact_ranks)(embeddings @ embeddings.T, rb.same_label(labels), where=rb.leave_query_out(12))
    assert rb.SupAPLoss()(embeddings, labels) >= exact - 1e-12


def test_a_positive_can_lose_by_overtaking_a_positive():
    """Why the contract raises all positives together: the first of two tied positives gives up its place in rank+ as it rises."""
    labels, gallery, ref_labels = torch.tensor([0]), torch.eye(3, dtype=torch.float64), torch.tensor([1, 0, 0])

    def loss(lead):
        return rb.SmoothAPLoss(tau=0.001)(torch.tensor([[0.9, 0.5 + lead, 0.5]], dtype=torch.float64), labels, gallery, ref_labels).item()

    assert loss(0.0) == pytest.approx(1 - 1.5 / 2.5)  # tied: rank+ 1.5, rank 2.5 for both
    assert loss(0.3) == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)
    assert loss(0.3) > loss(0.0)
