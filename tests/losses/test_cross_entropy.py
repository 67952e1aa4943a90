"""Cross-entropy and its pairs: both functions by hand, what bounds what, and where the bound is reached."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, normalize
from torch.testing import assert_close

import rankbook as rb
from losses.scenes import gradients

exact = {"rtol": 0, "atol": 1e-12}


def scene(n=12, classes=4, dimensions=5, *, seed=0, length=1.0):
    """Embeddings and labels of which the last class has none, and class vectors."""
    draw = torch.Generator().manual_seed(seed)
    z = length * normalize(torch.randn(n, dimensions, generator=draw, dtype=torch.float64), dim=1)
    vectors = torch.randn(classes, dimensions, generator=draw, dtype=torch.float64)
    return z, torch.randint(classes - 1, (n,), generator=draw), vectors


def decayed(z, labels, vectors, decay):
    """What is trained: cross-entropy, and half the decay times the squared norm."""
    return cross_entropy(z @ vectors.T, labels) + decay / 2 * vectors.square().sum()


def pairs(z, labels):
    """The sums over pairs of one class, and over all: a loop."""
    same = every = 0.0
    for i in range(len(z)):
        for j in range(len(z)):
            product = sum(a * b for a, b in zip(z[i].tolist(), z[j].tolist(), strict=True))
            every += product
            same += product * (labels[i] == labels[j]).item()
    return same, every


@pytest.mark.parametrize("decay", [0.1, 2.0])
def test_the_bound_by_hand(decay):
    z, labels, _ = scene()
    same, every = pairs(z, labels)
    expected = math.log(4) - (same - every / 4) / (2 * decay * len(z) ** 2)
    assert rb.cross_entropy_bound(z, labels, classes=4, weight_decay=decay).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("decay", [0.1, 2.0])
def test_pairwise_cross_entropy_by_hand(decay):
    z, labels, vectors = scene()
    n, classes = len(z), len(vectors)
    p = [[math.exp(z[i] @ vectors[k]) for k in range(classes)] for i in range(n)]
    p = [[one / sum(row) for one in row] for row in p]
    value = -pairs(z, labels)[0] / (2 * decay * n**2)
    for i in range(n):
        value += math.log(sum(math.exp(sum(p[j][k] * z[i] @ z[j] for j in range(n)) / (decay * n)) for k in range(classes))) / n
    for k in range(classes):
        value -= (sum(p[i][k] * z[i] for i in range(n)) / n).square().sum().item() / (2 * decay)
    assert rb.pairwise_cross_entropy(z, labels, vectors, weight_decay=decay).item() == pytest.approx(value, rel=1e-12)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.integers(0, 10**6), st.integers(1, 9), st.integers(2, 6), st.floats(0.01, 100), st.floats(0.01, 10), st.floats(0, 10), st.booleans()
)
def test_it_bounds_whatever_the_class_vectors(seed, n, classes, decay, length, size, best):
    """Random ones, and those at which the parabola of the proof is lowest."""
    z, labels, vectors = scene(n, classes, 3, seed=seed, length=length)
    if best:
        sums = torch.stack([z[labels == k].sum(0) for k in range(classes)]) / n
        vectors = (sums - sums.mean(0)) / decay
    else:
        vectors = size * vectors
    bound = rb.cross_entropy_bound(z, labels, classes=classes, weight_decay=decay)
    value = decayed(z, labels, vectors, decay)
    assert bound <= value + 1e-9 * (1 + abs(bound.item()))


def test_it_holds_along_a_training_of_both():
    z, labels, vectors = scene(n=30, seed=3)
    z, vectors = z.requires_grad_(), vectors.zero_().requires_grad_()
    optimizer = torch.optim.SGD([z, vectors], lr=1.0)
    values = []
    for _ in range(60):
        optimizer.zero_grad()
        unit = normalize(z, dim=1)
        value = decayed(unit, labels, vectors, 0.3)
        value.backward()
        values.append((value.item(), rb.cross_entropy_bound(unit, labels, classes=4, weight_decay=0.3).item()))
        optimizer.step()
    assert all(value > bound for value, bound in values)
    assert values[-1][0] < values[0][0] - 0.1 and values[-1][1] < values[0][1] - 0.1


def test_it_is_attained_where_all_classes_have_one_sum():
    """And class vectors of 0: both are log K. Other vectors, or other sums, leave a gap."""
    z, labels = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]]).double(), torch.tensor([0, 0, 1, 1])
    bound, still = rb.cross_entropy_bound(z, labels, classes=2), torch.zeros(2, 2).double()
    assert bound.item() == pytest.approx(math.log(2), rel=1e-12)
    assert_close(decayed(z, labels, still, 1.0), bound, **exact)
    assert decayed(z, labels, still + torch.eye(2), 1.0) > bound + 0.1
    apart = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]]).double()
    assert decayed(apart, labels, still, 1.0) > rb.cross_entropy_bound(apart, labels, classes=2) + 0.01


def test_it_tightens_with_the_square_of_the_decay():
    """The distance to the best class vectors: a quarter at twice the decay."""
    z, labels, vectors = scene()
    gaps = []
    for decay in (8.0, 16.0, 32.0):
        best = vectors.zero_().clone().requires_grad_()
        optimizer = torch.optim.LBFGS([best], max_iter=200, tolerance_grad=1e-13, tolerance_change=1e-16, line_search_fn="strong_wolfe")

        def value(best=best, optimizer=optimizer, decay=decay):
            optimizer.zero_grad()
            loss = decayed(z, labels, best, decay)
            loss.backward()
            return loss

        optimizer.step(value)
        gaps.append((value() - rb.cross_entropy_bound(z, labels, classes=4, weight_decay=decay)).item())
    assert min(gaps) > 0
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.1) and gaps[1] / gaps[2] == pytest.approx(4, rel=0.1)


def test_its_gradient_leads_to_the_sum_of_the_own_class():
    z, labels, _ = scene()
    _, slope = gradients(lambda x: rb.cross_entropy_bound(x, labels, classes=4, weight_decay=0.5), z)
    sums = torch.stack([z[labels == k].sum(0) for k in range(4)]) / len(z)
    assert_close(slope, -(sums[labels] - sums.mean(0)) / (0.5 * len(z)), **exact)


def test_the_first_step_of_cross_entropy_is_that_of_the_pairs():
    """Class vectors of 0 make one step of length eta; then they push the items as the bound does at decay 1 / eta."""
    z, labels, vectors = scene()
    eta = 1e-4
    _, slope = gradients(lambda v: cross_entropy(z @ v.T, labels), vectors.zero_())
    _, push = gradients(lambda x: cross_entropy(x @ (-eta * slope).T, labels), z)
    _, of_pairs = gradients(lambda x: rb.cross_entropy_bound(x, labels, classes=4, weight_decay=1 / eta), z)
    assert_close(push, of_pairs, rtol=1e-3, atol=1e-8)
    assert push.abs().max() > 1e-6


@pytest.mark.parametrize("decay", [0.2, 1.0])
def test_the_published_form_is_no_bound(decay):
    """Two perfect classes, and class vectors so long that cross-entropy is 0: it is log(1 + exp(-1 / (2 decay)))."""
    z, labels = torch.eye(2).double()[[0, 0, 1, 1]], torch.tensor([0, 0, 1, 1])
    vectors = 100 * torch.eye(2).double()
    assert cross_entropy(z @ vectors.T, labels) < 1e-30
    assert rb.pairwise_cross_entropy(z, labels, vectors, weight_decay=decay).item() == pytest.approx(math.log1p(math.exp(-0.5 / decay)))


@pytest.mark.parametrize("function", [rb.cross_entropy_bound, rb.pairwise_cross_entropy])
def test_both_promise_what_losses_promise(function):
    """Any order of the items, half precision in float32, nothing modified, second derivatives, torch.func, no values read in a block."""
    z, labels, vectors = scene()
    rest = {"classes": 4} if function is rb.cross_entropy_bound else {"class_vectors": vectors}
    before, value = z.clone(), function(z, labels, **rest)
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(0))
    assert_close(function(z[order], labels[order], **rest), value, **exact)
    assert_close(function(z, labels.tolist(), **rest), value, **exact)
    assert torch.equal(z, before)
    half = function(z.half(), labels, **{k: v.half() if isinstance(v, torch.Tensor) else v for k, v in rest.items()})
    assert half.dtype == torch.float32 and half.item() == pytest.approx(value.item(), abs=5e-3)
    assert torch.autograd.gradcheck(lambda x: function(x, labels, **rest), z.requires_grad_())
    assert torch.autograd.gradgradcheck(lambda x: function(x, labels, **rest), z)
    _, slope = gradients(lambda x: function(x, labels, **rest), z.detach())
    assert_close(torch.func.grad(lambda x: function(x, labels, **rest))(z.detach()), slope, **exact)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_close(function(z.detach().float(), labels, **rest), value.float(), rtol=1e-5, atol=1e-6)
    with rb.checks.off():
        assert_close(function(z.detach(), labels, **rest), value, **exact)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_they_know_their_labels(labels):
    z = torch.rand(2, 2)
    for call in (lambda y: rb.cross_entropy_bound(z, y, classes=3), lambda y: rb.pairwise_cross_entropy(z, y, torch.rand(3, 2))):
        with pytest.raises(ValueError, match=r"labels must be in 0\.\.2, one for each class"):
            call(torch.tensor(labels))


def test_class_vectors_have_the_dimensions_of_the_embeddings():
    with pytest.raises(ValueError, match="class_vectors must have the 2 dimensions of embeddings, got 3"):
        rb.pairwise_cross_entropy(torch.rand(2, 2), torch.tensor([0, 1]), torch.rand(2, 3))
    with pytest.raises(ValueError, match=r"class_vectors must have shape \[classes, dimensions\]"):
        rb.pairwise_cross_entropy(torch.rand(2, 2), torch.tensor([0, 1]), torch.rand(2))
