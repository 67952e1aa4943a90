"""What must hold in several processes. Each check runs in all of them, on the same whole data, of which each takes its part.

A name here is a test in `test_processes.py`.
"""

import warnings
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import normalize
from torch.nn.parallel import DistributedDataParallel

import rankbook as rb
from losses.contract import CASES
from losses.scenes import family
from rankbook.experiments.benchmarks import scale_traps, scale_ways
from rankbook.scale.processes import of_each

ROWS, DIM = 17, 5


def sizes(world, rows=ROWS):
    """Unequal parts: the first process has most."""
    small = rows // (world + 1)
    return [rows - small * (world - 1)] + [small] * (world - 1)


def part(x, rank, world):
    return x.split(sizes(world, len(x)))[rank]


def whole_batch(rows=ROWS, classes=5):
    """Inputs and labels of three levels; the items of a class lie in several processes."""
    labels = torch.arange(rows) % classes
    inputs = normalize(torch.randn(classes, DIM).double()[labels] + torch.randn(rows, DIM).double(), dim=1)
    return inputs, family(labels)


def some(cases, world):
    """All of them in two processes, each fourth in more, for the sake of time."""
    return cases if world == 2 else cases[::4]


def weight():
    return torch.eye(DIM).double() + 0.2 * torch.randn(DIM, DIM).double()


def averaged(gradient):
    """What DistributedDataParallel does."""
    return of_each(gradient.flatten()).mean(0).view_as(gradient)


def same_everywhere(value):
    values = of_each(value.detach().reshape(1))
    assert (values == values[0]).all(), values.tolist()


def agree_with_one_process(loss, own, whole, rank, world):
    """Value and gradient of the shared loss are those of one process: ``own`` and ``whole`` map a weight to arguments."""
    ours, theirs = (weight_.requires_grad_() for weight_ in (weight(), weight()))
    with torch.no_grad():
        theirs.copy_(ours)
    value, expected = rb.DistributedLoss(loss)(**own(ours)), loss(**whole(theirs))
    same_everywhere(value)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    value.backward()
    expected.backward()
    torch.testing.assert_close(averaged(ours.grad), theirs.grad, rtol=1e-8, atol=1e-10)
    return theirs.grad.abs().max()


# ------------------------------------------------------------------ gather


def gathers_any_rows(rank, world):
    for rows in ([3] * world, sizes(world), [2] + [0] * (world - 1)):
        for dtype in (torch.float64, torch.bfloat16, torch.int64, torch.bool):
            whole = (torch.randn(sum(rows), 2, 3) * 10).to(dtype)
            assert torch.equal(rb.gather_with_grad(whole.split(rows)[rank]), whole)


def gradients_of_all_come_back(rank, world):
    """The gradient of a row is the sum of what all processes do with it; half precision is summed in float32."""
    rows = sizes(world, 9)
    whole, factors = torch.randn(9, 2), torch.randn(world, 9, 2)
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.bfloat16, 0.0)):
        mine = whole.split(rows)[rank].to(dtype).requires_grad_()
        (rb.gather_with_grad(mine) * factors[rank].to(dtype)).sum().backward()
        expected = factors.to(dtype).float().sum(0).split(rows)[rank].to(dtype)
        torch.testing.assert_close(mine.grad, expected, rtol=tolerance, atol=tolerance)


def without_checks_of_values_it_is_the_same(rank, world):
    mine = torch.ones(2, 2, requires_grad=True)
    with rb.checks.off():
        x = rb.gather_with_grad(mine)
    x.sum().backward()
    assert torch.equal(mine.grad, torch.full((2, 2), float(world)))


# ------------------------------------------------------------------ the loss


def every_loss_is_that_of_one_process(rank, world):
    inputs, labels = whole_batch()
    mine = part(inputs, rank, world), part(labels, rank, world)
    alive = {}
    for case in some(CASES, world):
        for reduction in ("mean", "sum"):
            loss = case.make(reduction=reduction)
            alive[case.name] = agree_with_one_process(
                loss,
                lambda w: {"embeddings": mine[0] @ w, "labels": mine[1]},
                lambda w: {"embeddings": inputs @ w, "labels": labels},
                rank,
                world,
            )
    assert min(alive.values()) > 1e-6, alive


def losses_that_stay_apart_are_those_of_the_own_queries(rank, world):
    inputs, labels = whole_batch()
    for case in some(CASES, world):
        loss, x, whole = case.make(reduction="none"), part(inputs, rank, world).clone().requires_grad_(), inputs.clone().requires_grad_()
        values, expected = rb.DistributedLoss(loss)(x, part(labels, rank, world)), loss(whole, labels)
        torch.testing.assert_close(values, part(expected, rank, world), rtol=1e-10, atol=1e-12)
        upstream = torch.rand(ROWS).double()
        values.backward(part(upstream, rank, world))
        expected.backward(upstream)
        if case.name != "BlackBoxAPLoss":  # its finite difference is not linear in what comes in
            torch.testing.assert_close(x.grad, part(whole.grad, rank, world), rtol=1e-8, atol=1e-10)


def weights_and_masks_are_those_of_one_process(rank, world):
    inputs, labels = whole_batch()
    weights = {"query_weights": torch.rand(ROWS).double() * 3, "item_weights": (torch.randint(0, 3, (ROWS,))).double()}
    of_items, of_each_query = torch.rand(ROWS) < 0.8, torch.rand(ROWS, ROWS) < 0.8
    relevance = (torch.rand(ROWS, ROWS) < 0.3) * torch.randint(1, 3, (ROWS, ROWS))
    own_weights = {name: part(value, rank, world) for name, value in weights.items()}
    # a process whose queries weigh nothing
    some_zero = weights | {"query_weights": weights["query_weights"].index_fill(0, part(torch.arange(ROWS), 1, world), 0)}
    own_zero = own_weights | {"query_weights": part(some_zero["query_weights"], rank, world)}
    calls = [
        (own_weights | {"where": part(of_items, rank, world)}, weights | {"where": of_items}),
        (own_weights | {"where": part(of_each_query, rank, world)}, weights | {"where": of_each_query}),
    ]
    for case in some(CASES, world):
        loss = case.make()
        for own, whole in calls:
            agree_with_one_process(
                loss,
                lambda w, own=own: {"embeddings": part(inputs, rank, world) @ w, "labels": part(labels, rank, world), **own},
                lambda w, whole=whole: {"embeddings": inputs @ w, "labels": labels, **whole},
                rank,
                world,
            )
        if "relevance" not in case.exceptions:
            agree_with_one_process(
                loss,
                lambda w: {"embeddings": part(inputs, rank, world) @ w, "relevance": part(relevance, rank, world), **own_zero},
                lambda w: {"embeddings": inputs @ w, "relevance": relevance, **some_zero},
                rank,
                world,
            )


def reference_sets_are_joined(rank, world):
    """Queries that stand in their process's part of the reference set are left out there; one stands nowhere."""
    inputs, labels = whole_batch()
    refs, ref_labels = whole_batch(rows=23)
    local = torch.arange(sizes(world)[rank]) % sizes(world, 23)[rank]
    local[0] = -1
    offsets = [sum(sizes(world, 23)[:r]) for r in range(world)]
    everyone = [torch.arange(n) % m for n, m in zip(sizes(world), sizes(world, 23), strict=True)]
    for places in everyone:
        places[0] = -1
    places = torch.cat([torch.where(p >= 0, p + offset, -1) for p, offset in zip(everyone, offsets, strict=True)])
    for case in CASES[::3]:
        agree_with_one_process(
            case.make(),
            lambda w: {
                "embeddings": part(inputs, rank, world) @ w,
                "labels": part(labels, rank, world),
                "ref_embeddings": part(refs, rank, world) @ w,
                "ref_labels": part(ref_labels, rank, world),
                "self_index": local,
            },
            lambda w: {
                "embeddings": inputs @ w,
                "labels": labels,
                "ref_embeddings": refs @ w,
                "ref_labels": ref_labels,
                "self_index": places,
            },
            rank,
            world,
        )


def the_query_may_stay_in_its_gallery(rank, world):
    inputs, labels = whole_batch()
    for case in some(CASES, world):
        agree_with_one_process(
            case.make(include_query=True),
            lambda w: {"embeddings": part(inputs, rank, world) @ w, "labels": part(labels, rank, world)},
            lambda w: {"embeddings": inputs @ w, "labels": labels},
            rank,
            world,
        )


def memories_are_joined(rank, world):
    """Each process has a memory of its own; the gallery has all batches and all memories."""
    inputs, labels = whole_batch()
    older, before = whole_batch(rows=11)
    memory, loss = rb.CrossBatchMemory(20, DIM).double(), rb.SmoothAPLoss(tau=0.1)
    memory._put(part(older, rank, world), part(before[:, 0], rank, world), None)
    x = part(inputs, rank, world).clone().requires_grad_()
    value = memory(rb.DistributedLoss(loss), x, part(labels[:, 0], rank, world))
    value.backward()
    whole, places = inputs.clone().requires_grad_(), torch.arange(ROWS)
    expected = loss(whole, labels, torch.cat([whole, older]), torch.cat([labels, before]), self_index=places)
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(x.grad / world, part(whole.grad, rank, world), rtol=1e-8, atol=1e-10)


def texts_mean_the_same_everywhere(rank, world):
    inputs, labels = whole_batch(classes=9)  # of which no process but the first has all
    texts = [f"class {label}" for label in labels[:, 0].tolist()]
    rows = sizes(world)
    before = sum(rows[:rank])
    agree_with_one_process(
        rb.SmoothAPLoss(tau=0.1),
        lambda w: {"embeddings": part(inputs, rank, world) @ w, "labels": texts[before : before + rows[rank]]},
        lambda w: {"embeddings": inputs @ w, "labels": texts},
        rank,
        world,
    )


def a_query_without_a_positive_does_not_count(rank, world):
    """The last process has singletons only; and a batch without any positive costs 0 and warns."""
    inputs, labels = whole_batch()
    labels = labels[:, 0].clone()
    lonely = part(torch.arange(ROWS), world - 1, world)
    labels[lonely] = 100 + lonely
    own = {"labels": part(labels, rank, world)}
    loss = rb.SmoothAPLoss(tau=0.1)
    agree_with_one_process(
        loss,
        lambda w: {"embeddings": part(inputs, rank, world) @ w, **own},
        lambda w: {"embeddings": inputs @ w, "labels": labels},
        rank,
        world,
    )
    x = part(inputs, rank, world).clone().requires_grad_()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        value = rb.DistributedLoss(loss)(x, part(torch.arange(ROWS), rank, world))
    assert "no query has a positive" in str(said[-1].message)
    value.backward()
    assert value == 0
    assert not x.grad.any()


def half_precision_is_computed_in_float32(rank, world):
    inputs, labels = whole_batch()
    x = part(inputs, rank, world).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = rb.DistributedLoss(rb.SmoothAPLoss(tau=0.1))(x, part(labels, rank, world))
    value.backward()
    whole = inputs.bfloat16().requires_grad_()
    expected = rb.SmoothAPLoss(tau=0.1)(whole, labels)
    expected.backward()
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(x.grad / world, part(whole.grad, rank, world), rtol=2e-2, atol=1e-4)


def trained_by_ddp(rank, world):
    """DistributedDataParallel, two passes with unequal numbers of chunks, one average of the gradients, three steps."""
    inputs, labels = whole_batch()
    mine, loss = (part(inputs, rank, world), part(labels, rank, world)), rb.ROADMAPLoss(tau=0.1)
    ours, theirs = (nn.Sequential(nn.Linear(DIM, 4), nn.Tanh(), nn.Linear(4, 3)).double() for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    model, averages = DistributedDataParallel(ours), []

    def hook(state, bucket):
        averages.append(bucket.index())
        return dist.all_reduce(bucket.buffer() / world, async_op=True).get_future().then(lambda future: future.value()[0])

    model.register_comm_hook(None, hook)
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.5) for network in (model, theirs)]
    shared = rb.DistributedLoss(loss)
    for step in range(3):
        value = rb.two_pass_backward(model, mine[0], lambda x: shared(normalize(x, dim=1), mine[1]), chunk_size=2)
        expected = loss(normalize(theirs(inputs), dim=1), labels)
        expected.backward()
        torch.testing.assert_close(value, expected.detach(), rtol=1e-10, atol=1e-12)
        assert len(averages) == step + 1
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-6, atol=1e-12)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()


def buffers_are_those_of_the_first_process(rank, world):
    """As in one pass, DistributedDataParallel hands them to the others before the pass that counts."""
    inputs, _ = whole_batch()
    mine = part(inputs, rank, world)
    norm = nn.BatchNorm1d(DIM).double()
    model = DistributedDataParallel(norm)
    norm.running_mean.fill_(rank)
    rb.two_pass_backward(model, mine, lambda x: x.square().sum(), chunk_size=ROWS)
    torch.testing.assert_close(norm.running_mean, 0.1 * mine.mean(0))


def mistakes_are_what_the_chapter_says(rank, world):
    """Each factor is W or 1 / W, not a constant of two processes."""
    steps = {name: step for name, step in scale_traps.STEPS.items() if world == 2 or name != "own_batches"}  # four have no positives
    found = {line["step"]: line for line in scale_traps.run(rank, world, seeds=(0,), steps=steps)}
    lengths = {"whole": 1, "two_passes": 1, "chunk_by_chunk": 1, "plain_gather": 1 / world, "times_world": world}
    for step, length in lengths.items():
        assert found[step]["length"] == pytest.approx(length, rel=1e-6), step
        assert found[step]["cosine"] == pytest.approx(1, rel=1e-6), step
    assert found["times_world"]["value"] == pytest.approx(world, rel=1e-6)
    assert found["finds_itself"]["value"] < 0.95
    assert world > 2 or found["own_batches"]["cosine"] < 0.9
    chunks = {step: line["all_reduces"] for step, line in found.items()}
    assert chunks.pop("chunk_by_chunk") == scale_traps.BATCH / world / scale_traps.CHUNK
    assert set(chunks.values()) == {1}


def measured_ways_are_exact(rank, world):
    """What the table of the chapter calls the error is rounding where the gradient is that of one process."""
    for way, (_, processes) in scale_ways.WAYS.items():
        if processes > 1:
            (found,) = scale_ways.measure(rank, world, "small", way, [64])
            assert found.get("error", 0.0) < 1e-5, way  # the first process alone compares


# ------------------------------------------------------------------ evaluation


def evaluation_is_that_of_one_process(rank, world):
    inputs, labels = whole_batch()
    queries, finest = torch.rand(ROWS), labels[:, 0]
    calls = {
        "": ({"labels": finest}, {}),
        "levels": ({"labels": labels}, {"metrics": {"NDCG": rb.ndcg, "H-AP": rb.hierarchical_ap, "rho": rb.spearman}}),
        "weights": ({"labels": finest, "query_weights": queries, "item_weights": torch.rand(ROWS)}, {"chunk_size": 3}),
    }
    for arguments, knobs in calls.values():
        own = {name: part(value, rank, world) for name, value in arguments.items()}
        found = rb.evaluate_distributed(part(inputs, rank, world), **own, **knobs)
        expected = rb.evaluate_retrieval(inputs, **arguments, **knobs)
        assert found.keys() == expected.keys()
        for name, value in found.items():
            assert abs(value - expected[name]) < 1e-12
            same_everywhere(torch.tensor(value, dtype=torch.float64))
        apart = rb.evaluate_distributed(part(inputs, rank, world), **own, **knobs, reduction="none")
        for name, values in rb.evaluate_retrieval(inputs, **arguments, **knobs, reduction="none").items():
            torch.testing.assert_close(apart[name], part(values, rank, world), rtol=1e-12, atol=1e-12)


def a_process_without_queries_evaluates_too(rank, world):
    inputs, labels = whole_batch()
    inputs, labels = (x if rank == 0 else x[:0] for x in (inputs, labels))
    found = rb.evaluate_distributed(inputs, labels)
    same_everywhere(torch.tensor(found["AP"]))
    if rank == 0:
        assert found == rb.evaluate_retrieval(inputs, labels)


# ------------------------------------------------------------------ errors


def refused(error, message, work):
    """All processes see an error, at once; a process says which it must be."""
    with pytest.raises(error, match=message):
        work()


def errors_reach_all_processes(rank, world):
    first = rank == 0
    x, y = torch.randn(4, 3), torch.tensor([0, 0, 1, 1])
    loss = rb.DistributedLoss(rb.SmoothAPLoss(tau=0.1))
    gather = rb.gather_with_grad
    refused(ValueError, "the dtype of x .*float64 on rank 0; torch.float32 on rank 1", lambda: gather(x.double() if first else x))
    refused(ValueError, r"x.shape\[1:\]", lambda: gather(x[:, :2] if first else x))
    refused(ValueError, "x: whether it needs a gradient", lambda: gather(x.clone().requires_grad_(first)))
    refused((ValueError, RuntimeError), "single number", lambda: gather(x.sum() if first else x))
    refused(ValueError, "the dimensions of embeddings .*2 on rank 0; 3 on rank 1", lambda: loss(x[:, :2] if first else x, y))
    refused(ValueError, "the dtype of embeddings", lambda: loss(x.double() if first else x, y))
    refused(ValueError, "query_weights", lambda: loss(x, y, query_weights=torch.ones(4) if first else None))
    refused(ValueError, "the axes of where", lambda: loss(x, y, where=torch.ones(4) > 0 if first else torch.ones(4, 4 * world) > 0))
    refused(ValueError, "number of levels", lambda: loss(x, y[:, None].expand(4, 2) if first else y))

    def unchecked():
        with rb.checks.off():
            loss(x, y)

    refused(ValueError, "whether rb.checks are off", unchecked if first else partial(loss, x, y))
    refused(ValueError, "need a gradient", lambda: loss(x.clone().requires_grad_(first), y))
    refused(ValueError, "at least one item on each process", lambda: loss(x[:0] if first else x, y[:0] if first else y))
    other = rb.DistributedLoss(rb.SmoothAPLoss(tau=0.2 if first else 0.1))
    refused(ValueError, "loss .*tau=0.2.* on rank 0; .*tau=0.1.* on rank 1", lambda: other(x, y))
    refused(RuntimeError, "DistributedLoss on rank 0; gather_with_grad on rank 1", lambda: loss(x, y) if first else gather(x))
    # what one process alone can see
    bad = {
        "embeddings": (x * torch.nan, y, {}),
        "labels": (x, y[:3], {}),
        "self_index": (x, y, {"ref_embeddings": x, "ref_labels": y, "self_index": y + 100}),
        "ref_labels": (x, y, {"ref_embeddings": x}),
        "where": (x, y, {"where": torch.ones(5) > 0}),
        "query_weights": (x, y, {"query_weights": torch.tensor([1.0, -1.0, 1.0, 1.0])}),
        "relevance": (x, None, {"relevance": torch.ones(4, 4)}),
    }
    for name, (embeddings, labels, rest) in bad.items():
        good = {"ref_embeddings": x, "ref_labels": y, "self_index": y} if name == "self_index" else {}
        good |= {"ref_embeddings": x, "ref_labels": y} if name == "ref_labels" else {}
        good |= {"where": torch.ones(4) > 0} if name == "where" else {}
        good |= {"query_weights": torch.ones(4)} if name == "query_weights" else {}
        good |= {"relevance": torch.ones(4, 4 * world)} if name == "relevance" else {}
        if first:
            refused((ValueError, TypeError), name, partial(loss, embeddings, labels, **rest))
        else:
            fine = partial(loss, x, None if name == "relevance" else y, **good)
            refused(RuntimeError, f"rank 0 cannot take part in .*{name}", fine)

    def broken(scores, relevance, *, rank_fn=rb.exact_ranks, **rest):
        if first:
            raise ZeroDivisionError("of a metric")
        return rb.average_precision(scores, relevance, rank_fn=rank_fn, **rest)

    expected = ZeroDivisionError if first else RuntimeError
    refused(expected, "of a metric", lambda: rb.evaluate_distributed(x, y, metrics={"mine": broken}))
    assert loss(x, y) >= 0  # and all goes on


def backward_in_another_order_is_refused(rank, world):
    losses = [rb.gather_with_grad(torch.ones(2, requires_grad=True)).sum() for _ in range(2)]
    refused(ValueError, "the backward pass", lambda: losses[rank % 2].backward())


CHECKS = [
    gathers_any_rows,
    gradients_of_all_come_back,
    without_checks_of_values_it_is_the_same,
    every_loss_is_that_of_one_process,
    losses_that_stay_apart_are_those_of_the_own_queries,
    weights_and_masks_are_those_of_one_process,
    reference_sets_are_joined,
    the_query_may_stay_in_its_gallery,
    memories_are_joined,
    texts_mean_the_same_everywhere,
    a_query_without_a_positive_does_not_count,
    half_precision_is_computed_in_float32,
    trained_by_ddp,
    buffers_are_those_of_the_first_process,
    mistakes_are_what_the_chapter_says,
    measured_ways_are_exact,
    evaluation_is_that_of_one_process,
    a_process_without_queries_evaluates_too,
    errors_reach_all_processes,
    backward_in_another_order_is_refused,
]
