"""What every batch loss promises about who is in whose gallery, what is positive for whom, what weighs how much, and reductions."""

import pytest
import torch
from torch.testing import assert_close

import oracles
import rankbook as rb
from losses.contract import CASES, promise
from losses.galleries import CALLS, B, alone, call, composed_call, leaves, masked, of_embeddings
from losses.scenes import batch, gradients

COMPOSED = [case for case in CASES if case.composition is not None]
exact = {"rtol": 0, "atol": 1e-12}
every_call = pytest.mark.parametrize("name", CALLS)


def taken(case, name):
    """The call, or none if the loss cannot take it."""
    if "relevance" in name and "relevance" in case.exceptions:
        pytest.skip(case.exceptions["relevance"])
    return call(name, levels=case.make().graded)


def agree(found, expected, **tolerance):
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs, **(tolerance or exact))


@promise("composition", of=COMPOSED)
@every_call
@pytest.mark.parametrize("include_query", [False, True])
def test_a_call_is_the_composition_on_masked_scores(case, name, include_query):
    embeddings, arguments = taken(case, name)
    inputs = leaves(embeddings, arguments)
    found = gradients(of_embeddings(case.make(include_query=include_query), arguments), *inputs)
    agree(found, gradients(composed_call(case, arguments, include_query), *inputs))
    assert found[1].abs().max() > 1e-3


@promise("loop")
@every_call
def test_a_call_is_each_query_alone_with_its_gallery(case, name):
    embeddings, arguments = taken(case, name)
    inputs, upstream = leaves(embeddings, arguments), torch.randn(B, dtype=torch.float64)
    apart, one_by_one = of_embeddings(case.make(reduction="none"), arguments), alone(case, case.make(), arguments)
    assert_close(apart(*inputs), one_by_one(*inputs), **exact)
    found = gradients(lambda *x: (upstream * apart(*x)).sum(), *inputs)
    agree(found, gradients(lambda *x: (upstream * one_by_one(*x)).sum(), *inputs))


ORACLES = {
    "SmoothAPLoss": lambda s, r, w: oracles.average_precision(s, r, oracles.sigmoid(0.1), weights=w),
    "RecallAtKLoss": lambda s, r, w: oracles.capped_recall(s, r, oracles.sigmoid(0.1), k=(1, 2, 4), tau_rank=0.8, weights=w),
    "SmoothNDCGLoss": lambda s, r, w: oracles.ndcg(s, r, oracles.sigmoid(0.1), weights=w),
}


@pytest.mark.parametrize("case", [case for case in CASES if case.name in ORACLES], ids=repr)
@every_call
def test_a_call_is_the_loop(case, name):
    embeddings, arguments = taken(case, name)
    where, relevance = masked(case, arguments)
    scores = embeddings @ arguments.get("ref_embeddings", embeddings).T
    weights = arguments.get("item_weights", torch.ones(scores.shape[1])).tolist()
    total = counted = 0.0
    for q, of_query in enumerate(arguments.get("query_weights", torch.ones(B)).tolist()):
        items = where[q].nonzero().squeeze(1).tolist()
        lists = ([float(values[j]) for j in items] for values in (scores[q], relevance[q], weights))
        s, r, w = lists
        if any(rel > 0 and weight > 0 for rel, weight in zip(r, w, strict=True)):
            total, counted = total + of_query * (1 - ORACLES[case.name](s, r, w)), counted + of_query
    assert of_embeddings(case.make(), arguments)(*leaves(embeddings, arguments)).item() == pytest.approx(total / counted, abs=1e-12)


@pytest.mark.parametrize("case", CASES, ids=repr)
@pytest.mark.parametrize("include_query", [False, True])
def test_the_batch_as_its_own_reference_set_with_places_is_the_batch(case, include_query):
    embeddings, labels = batch(levels=True)
    module = case.make(include_query=include_query)
    own = gradients(lambda x: module(x, labels), embeddings)
    order = torch.randperm(len(labels))  # the place of a query is not its number
    found = gradients(lambda x: module(x, labels, x[order], labels[order], self_index=order.argsort()), embeddings)
    agree(found, own)


@pytest.mark.parametrize("case", [case for case in CASES if not case.make().graded], ids=repr)
@pytest.mark.parametrize("include_query", [False, True])
def test_the_relevance_of_equal_labels_is_the_labels(case, include_query):
    (embeddings, labels), (others, ref_labels) = batch(), batch((3, 4, 1, 0, 2))
    module = case.make(include_query=include_query)
    by_labels = gradients(lambda x: module(x, labels), embeddings)
    agree(gradients(lambda x: module(x, relevance=rb.same_label(labels)), embeddings), by_labels)
    by_labels = gradients(lambda x, y: module(x, labels, y, ref_labels), embeddings, others)
    relevance = rb.same_label(labels, ref_labels).half()
    agree(gradients(lambda x, y: module(x, None, y, relevance=relevance), embeddings, others), by_labels)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_a_mask_is_a_smaller_gallery(case):
    (embeddings, labels), (others, ref_labels) = batch(levels=True), batch((3, 4, 1, 0, 2), levels=True)
    where = torch.arange(10) % 3 > 0
    module = case.make()
    smaller = gradients(lambda x, y: module(x, labels, y[where], ref_labels[where]), embeddings, others)
    for mask in (where, where.expand(12, 10)):
        found = gradients(lambda x, y, mask=mask: module(x, labels, y, ref_labels, where=mask), embeddings, others)
        agree(found, smaller)
        assert found[2][~where].eq(0).all()


@pytest.mark.parametrize("case", CASES, ids=repr)
@pytest.mark.parametrize("name", ["own, mask", "places, mask", "places, masks"])
def test_reductions_agree(case, name):
    embeddings, arguments = taken(case, name)
    inputs, weights = leaves(embeddings, arguments), arguments.get("query_weights", torch.ones(B, dtype=torch.float64))
    where, relevance = masked(case, arguments)
    item_weights = arguments.get("item_weights", torch.ones(where.shape[1]))
    defined = (where & (relevance > 0) & (item_weights > 0)).any(1)
    module = {reduction: of_embeddings(case.make(reduction=reduction), arguments) for reduction in ("mean", "sum", "none")}
    total = gradients(module["sum"], *inputs)
    assert total[0] > 1e-3
    agree([x / weights[defined].sum() for x in total], gradients(module["mean"], *inputs))
    agree(gradients(lambda *x: (weights * module["none"](*x)).sum(), *inputs), total)
    assert module["none"](*inputs).shape == (B,)
    if "no positives" not in case.exceptions:
        assert module["none"](*inputs)[~defined].eq(0).all()


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_weight_two_is_the_query_twice_and_weight_zero_none(case):
    (embeddings, labels), (others, ref_labels) = batch((3, 2, 2)), batch((3, 4, 1, 0, 2))
    weights = torch.tensor([1, 2, 0, 1, 1, 3, 1])
    times = torch.repeat_interleave(torch.arange(7), weights)
    module = case.make()
    repeated = gradients(lambda x, y: module(x[times], labels[times], y, ref_labels), embeddings, others)
    agree(gradients(lambda x, y: module(x, labels, y, ref_labels, query_weights=weights), embeddings, others), repeated)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_only_ratios_of_weights_matter_to_a_mean(case):
    embeddings, labels = batch(levels=True)
    module, weights = case.make(), torch.rand(2, 12) + 0.1
    found = [
        gradients(lambda x, s=scale: module(x, labels, query_weights=s * weights[0], item_weights=s * weights[1]), embeddings)
        for scale in (1, 2.0**20)
    ]
    if case.name != "BlackBoxAPLoss":  # there the step of the finite difference is that of what the queries weigh together
        agree(*found, rtol=1e-6, atol=1e-9)
    assert_close(found[0][0], found[1][0], rtol=1e-6, atol=1e-9)
    ones = gradients(lambda x: module(x, labels, query_weights=torch.ones(12), item_weights=torch.ones(12)), embeddings)
    agree(ones, gradients(lambda x: module(x, labels), embeddings))


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_weights_that_are_all_zero_are_no_positives(case):
    embeddings, labels = batch()
    x = embeddings.requires_grad_()
    for weights in ("query_weights", "item_weights"):
        with pytest.warns(UserWarning, match="the loss is 0 and teaches nothing"):
            loss = case.make()(x, labels, **{weights: torch.zeros(12)})
        if "no positives" not in case.exceptions:
            assert loss == 0
            assert not torch.autograd.grad(loss, x)[0].any()


@promise("gradcheck")
def test_gradcheck_of_losses_apart(case):
    embeddings, arguments = taken(case, "own, masks")
    module = case.make(reduction="none")
    assert torch.autograd.gradcheck(lambda x: module(x, **arguments), embeddings[:, :2].contiguous().requires_grad_())


# ------------------------------------------------------------------ every road


@pytest.mark.parametrize("case", CASES, ids=repr)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_every_road_gives_the_same(case, reduction):
    """torch.func, vmap over a stack of batches, a graph, the checks off, autocast: with all arguments, and for losses apart."""
    torch._dynamo.reset()
    name = "places, masks" if "relevance" in case.exceptions else "places, relevance"
    embeddings, arguments = taken(case, name)
    (x, y), loss = leaves(embeddings, arguments), of_embeddings(case.make(reduction=reduction), arguments)
    upstream = torch.randn(B, dtype=torch.float64) if reduction == "none" else torch.tensor(1.0, dtype=torch.float64)

    def total(of):
        return lambda *inputs: (upstream * of(*inputs)).sum()

    expected = gradients(total(loss), x, y)
    agree(torch.func.grad(total(loss), argnums=(0, 1))(x, y), expected[1:])
    mapped = torch.func.vmap(torch.func.grad(total(loss)), in_dims=(0, None))(torch.stack([x, x.flip(0)]), y)
    agree(mapped, (expected[1], gradients(total(loss), x.flip(0), y)[1]))
    jacobian = torch.func.jacrev(loss)(x, y)
    assert_close((upstream.reshape(-1, 1, 1) * jacobian.reshape(-1, *x.shape)).sum(0), expected[1], **exact)
    agree(gradients(total(torch.compile(loss, backend="eager", fullgraph=True)), x, y), expected)
    with rb.checks.off():
        agree(gradients(total(loss), x, y), expected)
    with torch.autocast("cpu", torch.bfloat16):
        agree(gradients(total(loss), x, y), expected)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_losses_apart_are_differentiable_once(case):
    embeddings, labels = batch()
    x, module = embeddings.requires_grad_(), case.make(reduction="none")
    (grad,) = torch.autograd.grad(module(x, labels).sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="differentiable once"):
        grad.square().sum().backward()
    with pytest.raises(NotImplementedError, match="differentiable once"):
        torch.func.jacrev(torch.func.jacrev(lambda z: module(z, labels)))(x.detach())


@pytest.mark.parametrize("case", CASES, ids=repr)
@every_call
def test_who_overwrites_an_argument_before_losses_apart_are_differentiated_is_told(case, name):
    """Of each that is a tensor: with another mask, relevance or weight in it the gradient would be that of another loss."""
    embeddings, arguments = taken(case, name)
    arguments["embeddings"] = embeddings
    for overwritten in arguments:
        own = {key: value.clone() for key, value in arguments.items()}
        x = own["embeddings"].requires_grad_() * 1
        losses = case.make(reduction="none")(**own | {"embeddings": x})
        (x if overwritten == "embeddings" else own[overwritten]).detach().zero_()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            losses.sum().backward()


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_a_mask_made_in_inference_mode_is_taken(reduction):
    embeddings, labels = batch()
    with torch.inference_mode():
        where = torch.ones(len(labels), len(labels), dtype=torch.bool)
    loss = rb.SmoothAPLoss(reduction=reduction)
    agree(*(gradients(lambda x, w=w: loss(x, labels, where=w).sum(), embeddings) for w in (where, None)))
