"""The memory is a gallery of what came before: no more, no less, and no item its own positive."""

import io
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import rankbook as rb
from losses.contract import CASES
from losses.scenes import batch, unit

SIZE, DIM = 20, 8
LOSS = rb.SmoothAPLoss(tau=0.1)


def batches(count, *, levels=False):
    return [batch(levels=levels) for _ in range(count)]


def filled(count=3):
    memory = rb.CrossBatchMemory(SIZE, DIM).double()
    seen = batches(count)
    for embeddings, labels in seen:
        memory(LOSS, embeddings, labels)
    return memory, seen


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_the_first_loss_is_that_of_the_batch_and_the_next_that_of_batch_and_memory(case):
    loss = case.make()
    memory = rb.CrossBatchMemory(SIZE, DIM, levels=3).double()
    (first, before), (second, labels) = batches(2, levels=True)
    gradients = []
    for value in (memory(loss, first.requires_grad_(), before), loss(first, before)):
        gradients.append(torch.autograd.grad(value, first)[0])
        assert value > 0
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)

    second.requires_grad_()
    value = memory(loss, second, labels)
    whole = torch.cat([second, first.detach()])
    expected = loss(second, labels, whole, torch.cat([labels, before]), self_index=torch.arange(len(labels)))
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.autograd.grad(value, second), torch.autograd.grad(expected, second), rtol=1e-12, atol=1e-12)


def test_the_oldest_entries_leave_first():
    memory, seen = filled(3)  # 36 items in 20 places
    last = torch.cat([embeddings for embeddings, _ in seen])[-SIZE:]
    order = torch.arange(36)[-SIZE:] % SIZE
    assert torch.equal(memory.embeddings[order], last)
    assert torch.equal(memory.labels[order], torch.cat([labels for _, labels in seen])[-SIZE:])
    assert memory.filled == SIZE
    embeddings, labels = unit(50, DIM), torch.arange(50) // 2
    memory(LOSS, embeddings, labels)  # more than all places at once
    assert torch.equal(memory.embeddings.sort(0)[0], embeddings[-SIZE:].sort(0)[0])
    memory.reset()
    assert memory.filled == 0
    assert torch.equal(memory(LOSS, *seen[0]), LOSS(*seen[0]))


def test_only_training_fills_it():
    memory, _ = filled(1)
    before = {name: value.clone() for name, value in memory.state_dict().items()}
    memory.eval()
    memory(LOSS, *batch())
    torch.testing.assert_close(memory.state_dict(), before, rtol=0, atol=0)


def test_entries_are_constants():
    memory = rb.CrossBatchMemory(SIZE, DIM)
    embeddings, labels = batch(dtype=torch.float32)
    memory(LOSS, embeddings.requires_grad_(), labels)
    assert not memory.embeddings.requires_grad
    value = memory(LOSS, (2 * embeddings), labels)
    with torch.no_grad():
        memory.embeddings.zero_()  # and who overwrites them does no harm
    value.backward()
    assert embeddings.grad.isfinite().all()


def test_an_item_does_not_find_its_older_self():
    """With ids, an older embedding of the same item counts nowhere; views in the same batch stay positives."""
    memory = rb.CrossBatchMemory(SIZE, DIM).double()
    embeddings, labels = unit(6, DIM), torch.tensor([0, 0, 1, 1, 2, 2])
    ids = torch.tensor([10, 11, 12, 12, 13, 14])
    memory(LOSS, embeddings, labels, ids)
    again = normalize(embeddings + 0.1 * unit(6, DIM), dim=1)
    found = memory(LOSS, again, labels, ids)
    scores = again @ torch.cat([again, embeddings]).T
    where = torch.ones(6, 12, dtype=torch.bool)
    for q in range(6):
        where[q, q] = False
        for j in range(6):
            where[q, 6 + j] = ids[q] != ids[j]
    relevance = torch.cat([labels, labels]) == labels[:, None]
    expected = rb.as_loss(rb.average_precision, partial(rb.sigmoid_ranks, tau=0.1))(scores, relevance, where=where)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    without = rb.CrossBatchMemory(SIZE, DIM).double()
    without(LOSS, embeddings, labels)
    assert without(LOSS, again, labels) < found - 0.02  # itself is easy to find


def test_an_entry_without_an_id_is_nobodys_older_self():
    memory, _ = filled(1)
    embeddings, labels = batch()
    memory.eval()
    torch.testing.assert_close(memory(LOSS, embeddings, labels, torch.arange(len(labels))), memory(LOSS, embeddings, labels))


def test_a_checkpoint_goes_on_with_the_same_gallery():
    memory, _ = filled(2)
    file = io.BytesIO()
    torch.save(memory.state_dict(), file)
    file.seek(0)
    other = rb.CrossBatchMemory(SIZE, DIM).double()
    other.load_state_dict(torch.load(file, weights_only=True))
    for embeddings, labels in batches(2):
        assert torch.equal(memory(LOSS, embeddings, labels), other(LOSS, embeddings, labels))
    assert other.seen == memory.seen


@pytest.mark.parametrize("form", [list, np.asarray, lambda labels: labels.to(torch.int32), lambda labels: labels])
def test_labels_of_any_form(form):
    memory, other = filled(1)[0], rb.CrossBatchMemory(SIZE, DIM).double()
    other.load_state_dict(memory.state_dict())
    embeddings, labels = batch()
    formed = form(labels.tolist()) if form is list else form(labels)
    assert torch.equal(memory(LOSS, embeddings, formed), other(LOSS, embeddings, labels))


def test_half_precision_is_kept_in_float32():
    memory = rb.CrossBatchMemory(SIZE, DIM)
    embeddings, labels = batch(dtype=torch.float32)
    memory(LOSS, embeddings.bfloat16(), labels)
    assert memory(LOSS, embeddings.half(), labels).dtype == torch.float32
    assert memory.embeddings.dtype == torch.float32


X, Y = torch.eye(8)[:4], torch.tensor([0, 0, 1, 1])
BAD = {
    "embeddings: dim": (ValueError, "embeddings", (X[:, :5], Y, None)),
    "embeddings: empty": (ValueError, "embeddings", (X[:0], Y[:0], None)),
    "embeddings: list": (TypeError, "embeddings", (X.tolist(), Y, None)),
    "embeddings: integers": (TypeError, "embeddings", (X.long(), Y, None)),
    "embeddings: NaN": (ValueError, "embeddings", (X * math.nan, Y, None)),
    "embeddings: device": (ValueError, "embeddings", (X.to("meta"), Y, None)),
    "labels: texts": (TypeError, "labels", (X, ["a", "a", "b", "b"], None)),
    "labels: floats": (ValueError, "labels", (X, Y.float(), None)),
    "labels: levels": (ValueError, "labels", (X, torch.stack([Y, Y], 1), None)),
    "labels: fewer": (ValueError, "labels", (X, Y[:3], None)),
    "ids: fewer": (ValueError, "ids", (X, Y, Y[:3])),
    "ids: negative": (ValueError, r"ids must be >= 0 .* but ids\[1\] is -1", (X, Y, [0, -1, -1, 2])),
    "ids: texts": (TypeError, "ids", (X, Y, ["a", "b", "c", "d"])),
}


@pytest.mark.parametrize("fault", BAD)
def test_errors_name_the_argument_and_leave_the_memory_as_it_was(fault):
    error, match, (embeddings, labels, ids) = BAD[fault]
    memory = rb.CrossBatchMemory(5, 8)
    memory(LOSS, X, Y)
    with pytest.raises(error, match=match):
        memory(LOSS, embeddings, labels, ids)
    assert memory.seen == 4
    assert torch.equal(memory.embeddings[:4], X)


@pytest.mark.parametrize(("argument", "value"), [("size", 0), ("dim", 1.5), ("levels", 0), ("size", None)])
def test_errors_of_the_constructor(argument, value):
    with pytest.raises(ValueError, match=argument):
        rb.CrossBatchMemory(**{"size": 4, "dim": 2, argument: value})
    with pytest.raises(TypeError, match="loss"):
        rb.CrossBatchMemory(4, 8)(None, X, Y)
