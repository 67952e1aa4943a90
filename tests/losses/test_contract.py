"""What every batch loss promises about its value and gradient. Losses join in contract.py; each test states one promise."""

import pytest
import torch
from torch.testing import assert_close

from losses.contract import CASES, promise
from losses.scenes import DIM, SIZES, batch, clustered, composed, gradients, looped, scored, unit

COMPOSED = [case for case in CASES if case.composition is not None]
exact = {"rtol": 0, "atol": 1e-12}


@promise("perfect")
def test_the_perfect_order_costs_the_floor(case):
    positive = torch.zeros(3, 9, dtype=torch.bool)
    positive[0, :4] = positive[1, 4:6] = positive[2, 6] = True
    positive = positive[:, torch.randperm(9)]
    step = -0.01 * torch.arange(9, dtype=torch.float64).expand(3, 9)
    scores = torch.where(positive, 1.0, 0.0) + step - torch.where(positive, step, -1.0).amax(1, keepdim=True) * positive
    module = (case.make_sharp or case.make)()
    loss = module(*scored(scores, positive))
    floors = [case.floor(s[p].tolist(), s[~p].tolist()) for s, p in zip(scores, positive, strict=True)]
    assert loss.item() == pytest.approx(sum(floors) / 3, abs=1e-9)


@promise("perfect")
@pytest.mark.parametrize("sizes", [(4, 4), (3, 2, 2, 1)], ids=str)
def test_a_worse_order_costs_more(case, sizes):
    embeddings, labels = clustered(sizes)
    module = (case.make_sharp or case.make)()
    wrong = labels.clone()
    first, last = int(labels.argmin()), int(labels.argmax())
    wrong[first], wrong[last] = labels[last], labels[first]
    assert module(embeddings, wrong) > module(embeddings, labels) + 0.01


@promise("loop")
def test_the_batch_is_the_mean_of_its_queries(case):
    embeddings, labels = batch()
    module = case.make()
    loss, grad = gradients(lambda x: module(x, labels), embeddings)
    expected, expected_grad = gradients(looped(module, labels), embeddings)
    assert_close(loss, expected, **exact)
    assert_close(grad, expected_grad, **exact)


@promise("composition", of=COMPOSED)
@pytest.mark.parametrize("levels", [False, True], ids=["classes", "tree"])
@pytest.mark.parametrize("include_query", [False, True])
@pytest.mark.parametrize("sizes", [SIZES, (4, 4, 4), (2, 2), (9,), (1, 1, 2)], ids=str)
def test_the_batch_is_its_composition(case, sizes, include_query, levels):
    embeddings, labels = batch(sizes, levels=levels)
    module = case.make(include_query=include_query)
    loss, grad = gradients(lambda x: module(x, labels), embeddings)
    expected, expected_grad = gradients(composed(case, labels, include_query=include_query), embeddings)
    assert_close(loss, expected, **exact)
    assert_close(grad, expected_grad, **exact)
    assert grad.abs().max() > 1e-3 or len(set(sizes)) == 1


@promise("composition", of=COMPOSED)
def test_ties_too(case):
    """Copies of few embeddings under any label: positives and negatives share their scores."""
    embeddings, _ = clustered((4, 4, 4))
    labels = torch.arange(12) % 5
    loss, grad = gradients(lambda x: case.make()(x, labels), embeddings)
    expected, expected_grad = gradients(composed(case, labels), embeddings)
    assert_close(loss, expected, **exact)
    assert_close(grad, expected_grad, **exact)


@promise("composition", of=COMPOSED)
@pytest.mark.parametrize("levels", [False, True], ids=["classes", "tree"])
def test_with_a_reference_set_too(case, levels):
    embeddings, labels = batch((2, 1, 1, 1), levels=levels)
    ref_embeddings, ref_labels = batch((3, 4, 1, 0, 2), levels=levels)  # a query of class 3 has no positive of its class
    module = case.make()
    result = gradients(lambda x, y: module(x, labels, y, ref_labels), embeddings, ref_embeddings)
    expected = gradients(composed(case, labels, ref_labels), embeddings, ref_embeddings)
    for ours, theirs in zip(result, expected, strict=True):
        assert_close(ours, theirs, **exact)


@promise("reference")
def test_the_gradient_reaches_queries_and_reference_set(case):
    embeddings, labels = batch()
    ref_embeddings, ref_labels = batch()
    module = case.make()
    _, grad, ref_grad = gradients(lambda x, y: module(x, labels, y, ref_labels), embeddings, ref_embeddings)
    assert grad.abs().max() > 1e-3
    assert ref_grad.abs().max() > 1e-3
    for frozen in (0, 1):  # a gallery without gradient, or queries without
        leaves = [embeddings.clone().requires_grad_(frozen != 0), ref_embeddings.clone().requires_grad_(frozen != 1)]
        module(leaves[0], labels, leaves[1], ref_labels).backward()
        assert_close(leaves[1 - frozen].grad, (grad, ref_grad)[1 - frozen], **exact)
        assert leaves[frozen].grad is None


@promise("query as positive")
def test_the_batch_as_its_own_reference_set_includes_the_query(case):
    embeddings, labels = batch()
    own = gradients(lambda x: case.make(include_query=True)(x, labels), embeddings)
    reference = gradients(lambda x: case.make()(x, labels, x, labels), embeddings)
    assert_close(own, reference, **exact)
    assert (own[0] - case.make()(embeddings, labels)).abs() > 1e-3


@promise("shuffle")
def test_the_order_of_the_batch_does_not_matter(case):
    embeddings, labels = batch()
    module = case.make()
    loss, grad = gradients(lambda x: module(x, labels), embeddings)
    order = labels.argsort(stable=True)  # blocks of classes, the only order that some code supports
    sorted_loss, sorted_grad = gradients(lambda x: module(x, labels[order]), embeddings[order])
    assert_close(sorted_loss, loss, **exact)
    assert_close(sorted_grad, grad[order], **exact)


@promise("shuffle")
def test_the_order_of_the_reference_set_does_not_matter(case):
    (embeddings, labels), (ref_embeddings, ref_labels) = batch(), batch()
    order = torch.randperm(len(ref_labels))
    shuffled = case.make()(embeddings, labels, ref_embeddings[order], ref_labels[order])
    assert_close(shuffled, case.make()(embeddings, labels, ref_embeddings, ref_labels), **exact)


@promise("singletons")
def test_a_singleton_is_a_negative_of_the_others(case):
    embeddings, labels = batch((3, 2, 1))
    near = torch.nn.functional.normalize(0.5 * embeddings + embeddings[labels == 2], dim=1)  # it stands in everybody's way
    _, grad = gradients(lambda x: case.make()(x, labels), near)
    assert grad[labels == 2].abs().max() > 1e-4


@promise("no positives")
@pytest.mark.parametrize("scene", ["distinct labels", "batch of one", "strangers"])
def test_without_positives_the_loss_is_zero_and_warns(case, scene):
    embeddings, labels = unit(6, DIM), torch.arange(6)
    arguments = {
        "distinct labels": (embeddings, labels),
        "batch of one": (embeddings[:1], labels[:1]),
        "strangers": (embeddings, labels, unit(4, DIM), labels[:4] + 6),
    }[scene]
    x = arguments[0].clone().requires_grad_()
    with pytest.warns(UserWarning, match="positive.*: the loss is 0 and teaches nothing"):
        loss = case.make()(x, *arguments[1:])
    loss.backward()
    assert loss.item() == 0
    assert x.grad.eq(0).all()


@promise("one query")
def test_one_query_with_a_reference_set(case):
    ref_embeddings, ref_labels = batch()
    label = torch.tensor([1])
    query = torch.nn.functional.normalize(ref_embeddings[ref_labels != label].mean(0, keepdim=True) + 0.5 * unit(1, DIM), dim=1)
    loss, grad = gradients(lambda x: case.make()(x, label, ref_embeddings, ref_labels), query)
    assert loss.shape == ()
    assert loss.isfinite()
    assert grad.any()


@promise("two items")
def test_the_smallest_batch_is_perfect(case):
    embeddings = unit(1, DIM).repeat(2, 1)
    assert case.make()(embeddings, torch.tensor([5, 5])).item() == pytest.approx(case.floor([1.0], []), abs=1e-9)


@promise("raise")
@pytest.mark.parametrize("seed", range(5))
def test_raising_all_positives_never_raises_the_loss(case, seed):
    """Raising one of several positives may raise the loss: it can overtake another positive. Raising them together may not, nor
    may raising the only one."""
    torch.manual_seed(seed)
    scores = torch.rand(4, 9, dtype=torch.float64) - 0.5
    owner = torch.randint(0, 6, (9,))  # the query that an item is positive for; 4 and 5: for none
    owner[:4] = torch.arange(4)
    if seed % 2:
        owner[4:] = 4
    positive = owner == torch.arange(4)[:, None]
    module = case.make()
    losses = torch.stack([module(*scored(scores + 0.02 * step * positive, positive)) for step in range(25)])
    assert (losses.diff() <= 1e-12).all()
    assert losses[-1] < losses[0]


@promise("descent")
def test_gradient_descent_on_the_embeddings_lowers_the_loss(case):
    embeddings, labels = batch()
    loss, grad = gradients(lambda x: case.make()(x, labels), embeddings)
    assert case.make()(embeddings - 1e-3 * grad, labels) < loss - 1e-4 * grad.square().sum()


def few_dimensions(embeddings):
    """Each entry costs two calls."""
    return embeddings[:, :3].contiguous().requires_grad_()


@promise("gradcheck")
@pytest.mark.parametrize("include_query", [False, True])
def test_gradcheck(case, include_query):
    embeddings, labels = batch((3, 2, 1))
    module = case.make(include_query=include_query)
    assert torch.autograd.gradcheck(lambda x: module(x, labels), few_dimensions(embeddings))


@promise("gradcheck")
def test_gradcheck_with_a_reference_set(case):
    (embeddings, labels), (ref_embeddings, ref_labels) = batch((2, 1)), batch((3, 2, 1))
    module = case.make()
    inputs = few_dimensions(embeddings), few_dimensions(ref_embeddings)
    assert torch.autograd.gradcheck(lambda x, y: module(x, labels, y, ref_labels), inputs)


@promise("linear")
def test_one_module_serves_twice_in_one_graph(case):
    embeddings, labels = batch()
    module = case.make()
    _, one = gradients(lambda x: module(x, labels), embeddings)
    _, other = gradients(lambda x: module(0.9 * x, labels), embeddings)
    _, both = gradients(lambda x: 3 * module(x, labels) - module(0.9 * x, labels), embeddings)
    assert_close(both, 3 * one - other, **exact)


@promise("graph")
def test_backward_runs_twice_and_not_at_all(case):
    embeddings, labels = batch()
    x = embeddings.clone().requires_grad_()
    loss = case.make()(x, labels)
    loss.backward(retain_graph=True)
    once = x.grad.clone()
    loss.backward()
    assert_close(x.grad, 2 * once, **exact)
    with torch.no_grad():
        assert_close(case.make()(x, labels), loss.detach(), **exact)
    assert not case.make()(embeddings, labels).requires_grad or any(True for _ in case.make().parameters())
