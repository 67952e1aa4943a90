"""AP by histograms: FastAP and SoftBin AP against slow loops."""

from functools import partial

import pytest
import torch

import oracles
import rankbook as rb
from losses.scenes import SIZES, batch, gradients, scored


@pytest.mark.parametrize("include_query", [False, True])
@pytest.mark.parametrize(
    ("make", "centers"),
    [(partial(rb.FastAPLoss, bins=10), 11), (partial(rb.SoftBinAPLoss, bins=20), 20), (partial(rb.SoftBinAPLoss, bins=2), 2)],
    ids=["FastAP", "SoftBin", "two bins"],
)
def test_the_loss_is_the_loop(make, centers, include_query):
    embeddings, labels = batch(SIZES)
    places = [1 - 2 * i / (centers - 1) for i in range(centers)]
    expected = oracles.batch_loss(
        (embeddings @ embeddings.T).tolist(),
        rb.same_label(labels).tolist(),
        lambda scores, relevance: oracles.binned_ap(scores, relevance, places),
        without_query=not include_query,
    )
    assert make(include_query=include_query)(embeddings, labels).item() == pytest.approx(expected, abs=1e-12)


def test_on_the_bin_centers_it_is_ap():
    scores = torch.randint(-4, 5, (3, 20)) / 4.0  # nine centers, heavy ties
    owner = torch.randint(0, 4, (20,))
    owner[:3] = torch.arange(3)
    positive = owner == torch.arange(3)[:, None]
    expected = rb.as_loss(rb.average_precision, rb.exact_ranks)(scores, positive)
    for loss in (rb.SoftBinAPLoss(bins=9), rb.FastAPLoss(bins=8)):
        torch.testing.assert_close(loss(*scored(scores, positive)), expected)


def test_a_positive_can_lose_by_leaving_a_bin_center():
    """Why the bins are excepted from the promise on raised positives. Centers 1, 0, -1, and a negative at 1: whole in their bin,
    two positives earn 2/3. Raised by 0.1, a tenth of them moves beside the negative before the others do, and earns .2 / 1.2."""
    positive = torch.tensor([[True, True, False]])
    loss = rb.SoftBinAPLoss(bins=3)

    def at(raised):
        return loss(*scored(torch.tensor([[raised, raised, 1.0]], dtype=torch.float64), positive)).item()

    assert at(0.0) == pytest.approx(1 - 2 / 3)
    assert at(0.1) == pytest.approx(1 - (0.1 * 0.2 / 1.2 + 0.9 * 2 / 3))
    assert at(0.1) > at(0.0)


@pytest.mark.parametrize("make", [lambda: rb.FastAPLoss(bins=0), lambda: rb.SoftBinAPLoss(bins=1), lambda: rb.SoftBinAPLoss(bins=2.5)])
def test_bad_bins(make):
    with pytest.raises(ValueError, match="bins must be a whole number"):
        make()


@pytest.mark.parametrize("loss", [rb.FastAPLoss(bins=10), rb.SoftBinAPLoss(bins=20)], ids=["FastAP", "SoftBin"])
def test_scores_outside_of_the_bins_count_in_the_end_bins_and_feel_no_force(loss):
    """Positives and negatives beyond 1 and below -1: the value of the score at the edge, a gradient of 0, and neighbors that
    keep theirs."""
    outside = torch.tensor([[1.4, 0.33, -1.7, 1.2, 0.41, -1.3, -0.2]], dtype=torch.float64)
    positive = torch.tensor([[True, True, True, False, False, False, False]])
    edge = (outside.abs() > 1)[0]
    queries, labels, gallery, ref_labels = scored(outside, positive)
    assert loss(queries, labels, gallery, ref_labels) == loss(outside.clamp(-1, 1), labels, gallery, ref_labels)
    _, grad = gradients(lambda x: loss(x, labels, gallery, ref_labels), queries)
    assert (grad[0, edge] == 0).all()
    assert (grad[0, ~edge] != 0).any()
    assert torch.autograd.gradcheck(lambda x: loss(x, labels, gallery, ref_labels), queries.requires_grad_())
