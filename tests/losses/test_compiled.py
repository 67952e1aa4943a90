"""Batch losses in whole graphs of torch.compile."""

import copy

import pytest
import torch
from torch.testing import assert_close

import rankbook as rb
from losses.contract import promise
from losses.scenes import batch, family, gradients

exact = {"rtol": 0, "atol": 1e-12}


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()


def compiled(module, backend="eager"):
    return torch.compile(module, backend=backend, fullgraph=True)


@promise("compile")
def test_a_compiled_loss_is_the_loss(case):
    embeddings, labels = batch(levels=True)
    ref_embeddings, ref_labels = batch(levels=True)
    module = case.make()
    graph = compiled(module)

    def alone(of):
        return gradients(lambda x: 3 * of(x, labels), embeddings)

    def with_reference(of):
        return gradients(lambda x, y: 3 * of(x, labels, y, ref_labels), embeddings, ref_embeddings)

    for results in (alone, with_reference):
        for ours, theirs in zip(results(graph), results(module), strict=True):
            assert_close(ours, theirs, **exact)
    with torch.no_grad():
        assert_close(graph(embeddings, labels), module(embeddings, labels), **exact)


def test_a_compiled_loss_in_a_model_ahead_of_time():
    embeddings, labels = batch(dtype=torch.float32)
    model, loss = torch.nn.Linear(8, 4), rb.SmoothAPLoss(tau=0.1)

    def step(x):
        return loss(torch.nn.functional.normalize(model(x), dim=1), labels)

    graph = compiled(step, backend="aot_eager")
    expected = torch.autograd.grad(step(embeddings), model.parameters())
    for ours, theirs in zip(torch.autograd.grad(graph(embeddings), model.parameters()), expected, strict=True):
        assert_close(ours, theirs)


def test_a_graph_knows_its_own_module():
    embeddings, labels = batch()
    soft = rb.SmoothAPLoss(tau=0.5)
    sharp = copy.deepcopy(soft)
    sharp.step, sharp.head = rb.SmoothAPLoss(tau=0.01).step, rb.SmoothAPLoss(tau=0.01).head
    for module in (soft, sharp):
        assert_close(compiled(module)(embeddings, labels), module(embeddings, labels), **exact)


@promise("compile")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's own, where a graph goes on
def test_a_loss_made_in_the_compiled_function_ends_its_graph(case):
    embeddings, labels = batch(levels=True)
    made = torch.compile(lambda x: 3 * case.make()(x, labels), backend="eager")
    for _ in range(2):
        for ours, theirs in zip(gradients(made, embeddings), gradients(lambda x: 3 * case.make()(x, labels), embeddings), strict=True):
            assert_close(ours, theirs, **exact)
    with pytest.raises(Exception, match="make it once, outside of the compiled function"):
        torch.compile(lambda x: case.make()(x, labels), backend="eager", fullgraph=True)(embeddings)


def test_a_second_derivative_is_refused_in_a_graph():
    embeddings, labels = batch()
    x = embeddings.requires_grad_()
    (grad,) = torch.autograd.grad(compiled(rb.SupAPLoss())(x, labels), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="differentiable once"):
        grad.square().sum().backward()


def test_cluster_loss_compiles():
    embeddings, labels = batch()
    loss = rb.ClusterLoss(12, 8).double()
    for ours, theirs in zip(
        gradients(lambda x: compiled(loss)(x, labels), embeddings), gradients(lambda x: loss(x, labels), embeddings), strict=True
    ):
        assert_close(ours, theirs, **exact)


@pytest.mark.parametrize("name", ["SmoothAPLoss", "CalibrationLoss"])
def test_with_the_checks_off_the_value_is_the_same(name):
    (embeddings, labels), loss = batch(), getattr(rb, name)()
    with rb.checks.off():
        unchecked = loss(embeddings, family(labels))
        loss(torch.full_like(embeddings, torch.nan), labels)  # nobody looks
    assert torch.equal(unchecked, loss(embeddings, family(labels)))
