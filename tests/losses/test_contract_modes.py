"""What every batch loss promises under the modes of torch, at any magnitude, and about gradients of gradients."""

import warnings

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from losses.contract import CASES, ELSEWHERE, promise
from losses.scenes import batch, family, gradients
from modes import MODES

exact = {"rtol": 0, "atol": 1e-12}


def test_every_public_loss_is_under_contract():
    under = {type(case.make()).__name__ for case in CASES}
    assert under | set(ELSEWHERE) == {name for name in rb.losses.__all__ if name != "as_loss"}
    assert not under & set(ELSEWHERE)


def scene(dtype=torch.float32):
    embeddings, labels = batch(dtype=dtype)
    return embeddings, family(labels)


def under(mode, module, embeddings, labels):
    """Value and gradient when forward and backward run inside a mode."""
    x = embeddings.clone().requires_grad_()
    with mode():
        loss = module(x, labels)
        loss.backward()
    return loss.detach(), x.grad


@promise("modes")
@pytest.mark.parametrize("mode", MODES)
def test_the_modes_of_torch_change_nothing(case, mode):
    embeddings, labels = scene()
    value, grad = gradients(lambda x: case.make()(x, labels), embeddings)
    found, found_grad = under(MODES[mode], case.make(), embeddings, labels)
    assert torch.equal(found, value)
    assert torch.equal(found_grad, grad)


@promise("modes")
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_the_value_is_the_same(case, mode):
    embeddings, labels = scene()
    value = case.make()(embeddings.requires_grad_(), labels).detach()
    with mode():
        assert torch.equal(case.make()(embeddings, labels), value)
        assert torch.equal(case.make()(embeddings.clone(), labels), value)  # under inference_mode an inference tensor


@promise("modes")
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_forward_mode_is_refused(case, reduction):
    embeddings, labels = scene()
    loss = case.make(reduction=reduction)
    with pytest.raises(NotImplementedError, match=r"no forward-mode derivative.*torch\.func\.jacrev"):
        torch.func.jvp(lambda x: loss(x, labels), (embeddings,), (embeddings,))
    with torch.autograd.forward_ad.dual_level(), pytest.raises(NotImplementedError, match="no forward-mode derivative"):
        loss(torch.autograd.forward_ad.make_dual(embeddings, embeddings), labels)


@promise("modes")
def test_a_scaled_loss_under_autocast_trains_as_the_plain_one(case):
    """A layer whose output autocast makes half, a scaler with a power of two, and its unscaled gradient."""
    embeddings, labels = scene()
    layer = torch.nn.Linear(embeddings.shape[1], 8)
    steps = []
    for scale in (1.0, 2.0**16):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            outputs = layer(embeddings)
            assert outputs.dtype == torch.bfloat16
            loss = case.make()(torch.nn.functional.normalize(outputs, dim=1), labels)
        assert loss.dtype == torch.float32
        (loss * scale).backward()
        steps.append(layer.weight.grad / scale)
    assert_close(*steps, rtol=1e-2, atol=1e-4)


@promise("linear")
@pytest.mark.parametrize("scale", [1e-4, 65536.0])
def test_the_gradient_is_linear_in_what_comes_in(case, scale):
    embeddings, labels = scene(torch.float64)
    _, grad = gradients(lambda x: case.make()(x, labels), embeddings)
    _, scaled = gradients(lambda x: scale * case.make()(x, labels), embeddings)
    assert grad.any()
    assert_close(scaled / scale, grad, rtol=1e-12, atol=1e-14)


@promise("second order")
def test_a_gradient_of_the_gradient_is_refused(case):
    """A penalty on the gradient would otherwise be a constant, in silence."""
    embeddings, labels = scene()
    x = embeddings.requires_grad_()
    (grad,) = torch.autograd.grad(case.make()(x, labels), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="differentiable once"):
        grad.square().sum().backward()


@promise("scale")
@pytest.mark.parametrize("scale", [1e-30, 1e-19, 1e-12, 1e12, 1e19, 1e30])
def test_embeddings_of_any_magnitude(case, scale):
    """Their products leave float32 at both ends; the right value is the one of float64, in whose range they are."""
    embeddings, labels = scene()
    x = (embeddings * scale).requires_grad_()
    loss = case.make()(x, labels)
    loss.backward()
    expected, grad = gradients(lambda x: case.make()(x, labels), (embeddings * scale).double())
    assert loss.isfinite()
    assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    assert x.grad.isfinite().all()
    assert_close(x.grad.double(), grad, rtol=1e-3, atol=max(1e-37, float(1e-5 * grad.abs().max())))  # float32 ends there


@promise("labels of any form")
def test_labels_of_any_form(case):
    embeddings, labels = batch()
    names = np.array(["ant", "bee", "cat", "dog", "eel"])[labels.numpy()]
    expected = case.make()(embeddings, labels)
    for form in (labels.tolist(), labels.numpy(), names, names.tolist()):
        assert_close(case.make()(embeddings, form), expected, **exact)
    assert_close(case.make()(embeddings, names, embeddings, names), case.make()(embeddings, labels, embeddings, labels), **exact)


@promise("no positives")
def test_the_warning_points_at_the_line_of_the_caller(case):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case.make()(torch.eye(4, 8), torch.arange(4))
    assert [w.filename for w in caught] == [__file__] * len(caught)
    assert caught


# ------------------------------------------------------------------ torch.func


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_transforms_of_torch_func(case):
    """grad, jacrev, and vmap over embeddings and over labels: what the loss gives one batch at a time."""
    module, (x, labels) = case.make(), scene(torch.float64)
    other, names = x.flip(0), torch.stack([labels, labels.flip(0)])
    expected = [gradients(lambda z, y=y: module(z, y), z) for z, y in ((x, labels), (other, labels), (x, labels.flip(0)))]
    assert_close(torch.func.grad(lambda z: module(z, labels))(x), expected[0][1], **exact)
    assert_close(torch.func.jacrev(lambda z: module(z, labels))(x), expected[0][1], **exact)
    assert_close(torch.func.vmap(lambda z: module(z, labels))(torch.stack([x, other])), torch.stack([e[0] for e in expected[:2]]), **exact)
    mapped = torch.func.vmap(torch.func.grad(lambda z, y: module(z, y)))(torch.stack([x, x]), names)
    assert_close(mapped, torch.stack([expected[0][1], expected[2][1]]), **exact)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_transforms_with_a_reference_set(case):
    module, (x, labels) = case.make(), scene(torch.float64)
    both = gradients(lambda q, g: module(q, labels[:5], g, labels[5:]), x[:5], x[5:])
    found = torch.func.grad(lambda q, g: module(q, labels[:5], g, labels[5:]), argnums=(0, 1))(x[:5], x[5:])
    assert_close(found, both[1:], **exact)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_a_second_derivative_is_refused_in_torch_func_too(case):
    module, (x, labels) = case.make(), scene(torch.float64)
    with pytest.raises(NotImplementedError, match="differentiable once"):
        torch.func.jacrev(torch.func.jacrev(lambda z: module(z, labels)))(x)
