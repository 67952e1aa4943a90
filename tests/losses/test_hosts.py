"""No loss waits for a GPU but once, where the host learns how many positives each query has."""

import pytest
import torch

import rankbook as rb
from losses.contract import CASES
from losses.galleries import call, leaves, of_embeddings
from losses.hosts import Waits
from losses.scenes import batch
from rankbook.retrieval import positives


@pytest.mark.parametrize("case", CASES, ids=repr)
@pytest.mark.parametrize(
    ("reduction", "name"),
    [("mean", "labels"), ("none", "labels"), ("mean", "places, mask"), ("none", "own, masks"), ("none", "places, relevance")],
)
def test_the_host_reads_one_table(case, reduction, name, monkeypatch):
    """Forward and backward with the checks of values off. The labels are on the CPU here, so what is found would wait for the rest."""
    if name == "labels":
        x, labels = batch(levels=case.make().graded)
        inputs, loss = (x,), lambda x: case.make(reduction=reduction)(x, labels)
    elif "relevance" in name and "relevance" in case.exceptions:
        pytest.skip(case.exceptions["relevance"])
    else:
        embeddings, arguments = call(name, levels=case.make().graded)
        inputs, loss = leaves(embeddings, arguments), of_embeddings(case.make(reduction=reduction), arguments)
    inputs = [x.clone().requires_grad_() for x in inputs]
    tables = []
    on_host = positives.on_host
    monkeypatch.setattr(positives, "on_host", lambda values: tables.append(len(values)) or on_host(values))
    with rb.checks.off(), Waits() as waits:
        torch.autograd.grad(loss(*inputs).sum(), inputs)
    assert not waits.found
    again = case.name in ("CalibrationLoss", "ROADMAPLoss") and "item_weights" in (arguments if name != "labels" else {})
    # the calibration asks once more, for the positives of weight 0
    assert len(tables) == (1 if not again else 3 if reduction == "none" else 2)


def test_what_waits_is_seen():
    x = torch.arange(3.0)
    for wait in (lambda: x.sum().item(), lambda: x.nonzero(), lambda: x[x > 1], lambda: x.unique(), lambda: bool(x.any())):
        with Waits() as waits:
            wait()
        assert waits.found
    with Waits() as waits:
        (x + x).index_select(0, torch.tensor([0]))
    assert not waits.found


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_with_labels_on_the_cpu_the_host_reads_nothing(case):
    """On the device "meta" there are no values: whoever reads one fails, and a table that stays on the CPU meets tensors that are not."""
    embeddings, labels = batch((2, 2), levels=True)
    x, y = (embeddings.to("meta").requires_grad_() for _ in range(2))
    case.make()(x, labels, query_weights=torch.ones(4, device="meta")).backward()
    case.make(reduction="none")(x, labels, y, labels, self_index=torch.tensor([3, 2, -1, 0])).sum().backward()
    assert x.grad.shape == x.shape
    assert y.grad.shape == y.shape
