"""The adapters: the same numbers as the call that they wrap, and errors that say the way out."""

import multiprocessing
import sys

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

import rankbook as rb
from rankbook.integrations import RetrievalMetrics, SentenceLoss

X = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) // 3
UNIT = normalize(X, dim=1)


class Model(nn.Module):
    def forward(self, features):
        return {"sentence_embedding": features["x"]}


def sentence_loss(*columns, labels=None, loss=None):
    return SentenceLoss(Model(), loss or rb.SmoothAPLoss(0.1))([{"x": column} for column in columns], labels)


def test_one_column_with_labels_is_a_batch():
    assert torch.equal(sentence_loss(X, labels=LABELS), rb.SmoothAPLoss(0.1)(UNIT, LABELS))
    assert torch.equal(sentence_loss(X, labels=LABELS[:, None]), rb.SmoothAPLoss(0.1)(UNIT, LABELS))


def test_two_columns_are_queries_and_their_gallery():
    rows = torch.arange(6)
    assert torch.equal(sentence_loss(X[:6], X[6:]), rb.SmoothAPLoss(0.1)(UNIT[:6], rows, UNIT[6:], rows))
    # by hand: one positive a query, and its reciprocal rank is the average precision
    ranks = 1 + torch.sigmoid(((UNIT[:6] @ UNIT[6:].T) - (UNIT[:6] * UNIT[6:]).sum(1, keepdim=True)) / 0.1).sum(1) - 0.5
    torch.testing.assert_close(sentence_loss(X[:6], X[6:]), 1 - (1 / ranks).mean())
    assert torch.equal(sentence_loss(X[:6], X[6:], labels=LABELS[:6]), rb.SmoothAPLoss(0.1)(UNIT[:6], LABELS[:6], UNIT[6:], LABELS[:6]))


@pytest.mark.parametrize("labels", [None, torch.tensor([-1, -1, 0, 0])])
def test_further_columns_are_negatives_of_all(labels):
    own = torch.arange(4) if labels is None else labels
    gallery = torch.cat([own, torch.full((4,), 77)])
    expected = rb.SmoothAPLoss(0.1)(UNIT[:4], own, UNIT[4:], gallery)
    assert torch.equal(sentence_loss(X[:4], X[4:8], X[8:], labels=labels), expected)


def test_embeddings_of_half_precision_are_scaled_in_full():
    half = X.bfloat16()
    assert torch.equal(sentence_loss(half, labels=LABELS), rb.SmoothAPLoss(0.1)(normalize(half.float(), dim=1), LABELS))


def test_what_a_sentence_loss_cannot_use_is_named():
    with pytest.raises(ValueError, match="labels must come with a single column of texts"):
        sentence_loss(X)
    with pytest.raises(ValueError, match="labels must come"):
        sentence_loss(labels=LABELS)
    with pytest.raises(TypeError, match="model must be a Module"):
        SentenceLoss("all-MiniLM-L6-v2", rb.SmoothAPLoss())
    with pytest.raises(TypeError, match="loss must be callable"):
        SentenceLoss(Model(), "SmoothAP")
    with pytest.raises(ValueError, match="labels must be integers"):  # scores of similarity, as other losses take
        sentence_loss(X[:6], X[6:], labels=torch.rand(6))
    assert SentenceLoss(Model(), rb.SmoothAPLoss(0.1)).get_config_dict() == {
        "loss": "SmoothAPLoss(tau=0.1, include_query=False, reduction='mean')"
    }


# --- torchmetrics


@pytest.mark.parametrize("labels", [LABELS, torch.stack([LABELS, LABELS // 2], 1)], ids=["classes", "levels"])
@pytest.mark.parametrize("size", [1, 5, 12])
def test_batches_make_the_whole(labels, size):
    metric = RetrievalMetrics()
    for batch, of_batch in zip(UNIT.split(size), labels.split(size), strict=True):
        metric.update(batch.requires_grad_(), of_batch)
    found, expected = metric.compute(), rb.evaluate_retrieval(UNIT, labels)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected, abs=1e-6)
    assert not metric.embeddings[0].requires_grad
    metric.reset()
    with pytest.raises(ValueError, match="embeddings: none were given since the last reset"), pytest.warns(UserWarning, match="compute"):
        metric.compute()


def test_metrics_of_the_reader_are_used():
    metric = RetrievalMetrics({"NDCG": rb.ndcg})
    assert metric(UNIT, LABELS)["NDCG"].item() == pytest.approx(rb.evaluate_retrieval(UNIT, LABELS, metrics={"NDCG": rb.ndcg})["NDCG"])


@pytest.mark.parametrize(
    ("embeddings", "labels", "kind", "said"),
    [
        (UNIT, ["cat"] * 12, TypeError, r"labels must be a torch\.Tensor, got list"),
        (UNIT.numpy(), LABELS, TypeError, r"embeddings must be a torch\.Tensor"),
        (UNIT, LABELS[:5], ValueError, "labels must have one entry for each of the 12 embeddings, got 5"),
    ],
)
def test_what_a_metric_cannot_keep_is_named(embeddings, labels, kind, said):
    with pytest.raises(kind, match=said):
        RetrievalMetrics().update(embeddings, labels)


def of_two(rank, store, queue):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    metric, rows = RetrievalMetrics(), slice(0, 7) if rank == 0 else slice(7, 12)
    metric.update(UNIT[rows], LABELS[rows])
    queue.put(metric.compute()["AP"].item())
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(sys.platform == "win32", reason="processes that share what is imported")
def test_two_processes_see_one_set(tmp_path):
    """Seven items here, five there: a mean over the two would be another number."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    both = [context.Process(target=of_two, args=(rank, tmp_path / "store", queue)) for rank in (0, 1)]
    for process in both:
        process.start()
    found = [queue.get(timeout=60) for _ in both]
    for process in both:
        process.join(timeout=60)
    expected = rb.evaluate_retrieval(UNIT, LABELS)["AP"]
    assert found == pytest.approx([expected, expected], abs=1e-6)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    monkeypatch.delitem(sys.modules, "rankbook.integrations.retrieval_metrics")
    with pytest.raises(ImportError, match="RetrievalMetrics needs torchmetrics, which cannot be imported; try `pip install torchmetrics`"):
        _ = rb.integrations.RetrievalMetrics
    assert rb.integrations.SentenceLoss is SentenceLoss
