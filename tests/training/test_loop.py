"""The loop: it trains, it takes any batches, and it stops before a step that would spoil the weights."""

import contextlib
from decimal import Decimal

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import rankbook as rb
from rankbook.training import BalancedBatches, train


def data(seed=0, n=50, classes=10):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 6, generator=g), torch.randint(classes, (n,), generator=g)


def sgd(model, lr=0.1):
    return torch.optim.SGD(model.parameters(), lr=lr)


def test_history_is_the_mean_loss_since_the_last_row():
    model = nn.Linear(1, 1)
    losses = iter([1.0, 2.0, 6.0, 10.0, 20.0])
    history = train(
        model,
        lambda out, labels: out.sum() * 0 + next(losses),
        iter([(torch.ones(1, 1), None)] * 5),
        torch.optim.SGD(model.parameters()),
        steps=5,
        every=2,
        evaluate=lambda model: {"training": model.training, "gradient": torch.is_grad_enabled()},
    )
    assert list(history["loss"]) == [1.5, 8.0, 20.0]
    assert not history["training"].any()
    assert not history["gradient"].any()


def test_training_lowers_the_loss():
    """Eight classes, each a direction in noise."""
    y = torch.arange(80) % 8
    x = torch.eye(8)[y] + 0.3 * torch.randn(80, 8)
    model = nn.Linear(8, 8)
    batches = BalancedBatches(x, y, classes=8, per_class=4, generator=torch.Generator())
    history = train(model, rb.SmoothAPLoss(0.1), batches, torch.optim.Adam(model.parameters(), lr=0.03), steps=100, every=10)
    assert history["loss"].iloc[-1] < 0.8 * history["loss"].iloc[0]
    assert not model.training


def test_a_loss_that_is_not_finite_is_named():
    model = nn.Linear(6, 2)
    with pytest.raises(FloatingPointError, match="loss is nan at step 1"):
        train(model, lambda out, labels: out.sum() * torch.nan, iter([data()]), torch.optim.SGD(model.parameters()), steps=1)


# --- stops before the weights are spoilt


class Spoilt(torch.autograd.Function):
    """The value is fine, the gradient is not."""

    @staticmethod
    def forward(ctx, x, gradient):
        ctx.gradient = gradient
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.gradient, None


class Model(nn.Module):
    def __init__(self, gradient, sparse=False):
        super().__init__()
        self.table, self.head = nn.Embedding(5, 3, sparse=sparse), nn.Linear(3, 2)
        self.gradient, self.calls = gradient, 0

    def forward(self, x):
        self.calls += 1
        rows = self.table(x)
        return self.head(Spoilt.apply(rows, self.gradient) if self.calls == 3 else rows)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("gradient", [torch.nan, torch.inf, -torch.inf])
def test_a_gradient_that_is_not_finite_stops_before_its_step(gradient, sparse, tmp_path):
    model, x = Model(gradient, sparse), torch.arange(5)
    with pytest.raises(FloatingPointError, match=r"the gradient of table\.weight is not finite at step 3, while the loss is"):
        train(model, lambda out, _: out.square().sum(), [(x, x)], sgd(model, 0.01), steps=5)
    assert all(weights.isfinite().all() for weights in model.parameters())


def test_a_large_gradient_is_finite():
    """Its norm in single precision is not."""
    model = nn.Linear(1, 1, bias=False)
    history = train(model, lambda out, _: 1e30 * out.sum(), [(torch.ones(1, 1), 0)], sgd(model, 1e-30), steps=2)
    assert model.weight.grad.item() == pytest.approx(1e30) and len(history) == 1


def test_a_weight_that_is_not_finite_is_not_saved():
    """A step of finite gradients may overflow."""
    model = nn.Linear(1, 1, bias=False)
    with pytest.raises(FloatingPointError, match=r"the value of weight is not finite at step 1"):
        train(model, lambda out, _: 1e20 * out.sum(), [(torch.ones(1, 1), 0)], sgd(model, 1e20), steps=1)


def test_the_gradient_of_the_loss_is_looked_at_too():
    loss_fn = nn.Linear(2, 1)
    model = nn.Linear(6, 2)
    both = torch.optim.SGD([*model.parameters(), *loss_fn.parameters()], lr=0.1)
    spoil = lambda grad: grad * torch.nan  # noqa: E731
    loss_fn.bias.register_hook(spoil)

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = loss_fn

        def forward(self, out, labels):
            return self.inner(out).sum()

    with pytest.raises(FloatingPointError, match=r"the gradient of loss_fn\.inner\.bias is not finite at step 1"):
        train(model, Loss(), [data()], both, steps=1)


@pytest.mark.parametrize("surroundings", [torch.no_grad, torch.inference_mode], ids=lambda mode: mode.__name__)
def test_it_trains_whatever_surrounds_it(surroundings):
    lists = data()  # a tensor that is made in inference mode can train nothing

    def run(around):
        torch.manual_seed(0)
        model = nn.Linear(6, 2)
        with around():
            history = train(model, rb.SmoothAPLoss(0.1), [lists], sgd(model), steps=3, every=1)
        return history, model.weight.detach().clone()

    (history, weight), (expected, expected_weight) = run(surroundings), run(contextlib.nullcontext)
    assert torch.equal(weight, expected_weight) and history.equals(expected)


# --- arguments


def test_a_data_loader_trains():
    model = nn.Linear(6, 2)
    x, y = data()
    loader = DataLoader(TensorDataset(x, y), batch_size=25, shuffle=True)
    history = train(model, rb.SmoothAPLoss(0.1), loader, sgd(model), steps=9, every=3)
    assert history["step"].tolist() == [3, 6, 9] and history["loss"].notna().all()
    with pytest.raises(ValueError, match=r"batches ended after 2, before the last step"):
        train(model, rb.SmoothAPLoss(0.1), iter(loader), sgd(model), steps=3)


OTHERS = nn.Linear(6, 2)
FROZEN = nn.Linear(6, 2).requires_grad_(False)


@pytest.mark.parametrize("weights", [OTHERS.parameters, FROZEN.parameters], ids=["of another model", "frozen"])
def test_an_optimizer_of_no_weight_that_matters_is_refused(weights):
    model, before = nn.Linear(6, 2), [weights.clone() for weights in OTHERS.parameters()]
    with pytest.raises(ValueError, match=r"optimizer must train a weight that the loss depends on, but none of its 2 parameters has"):
        train(model, rb.SmoothAPLoss(0.1), [data()], torch.optim.Adam(weights()), steps=3)
    assert all(map(torch.equal, before, OTHERS.parameters()))


def test_some_of_the_weights_may_be_idle():
    model = nn.Linear(6, 2)
    train(model, rb.SmoothAPLoss(0.1), [data()], torch.optim.SGD([*OTHERS.parameters(), *model.parameters()], lr=0.1), steps=2)


def test_a_step_that_needs_an_argument_is_refused():
    model = nn.Linear(6, 2)
    steps = {
        "optimizer": (torch.optim.LBFGS(model.parameters()), "closure, such as torch.optim.Adam"),
        "scheduler": (torch.optim.lr_scheduler.ReduceLROnPlateau(sgd(model)), "metrics, such as torch.optim.lr_scheduler.LinearLR"),
    }
    for name, (bad, said) in steps.items():
        with pytest.raises(TypeError, match=rf"{name} must be one whose step\(\) needs no {said}.* got {type(bad).__name__}"):
            train(**{"model": model, "loss_fn": rb.SmoothAPLoss(), "batches": [data()], "optimizer": sgd(model), "steps": 1} | {name: bad})


ARGUMENTS = {
    "model": (TypeError, [lambda x: x, None]),
    "loss_fn": (TypeError, [None, 0.5]),
    "batches": (TypeError, [None, 7]),
    "optimizer": (TypeError, [torch.optim.SGD, None]),
    "scheduler": (TypeError, [torch.optim.lr_scheduler.LinearLR, 0.1]),
    "steps": (ValueError, [0, -1, 2.0, torch.nan, "3", None, True]),
    "every": (ValueError, [0, -1, 2.0, torch.nan, "3", True]),
    "evaluate": (TypeError, [0.5, "R@1"]),
}


@pytest.mark.parametrize(
    ("name", "bad"),
    [(name, bad) for name, (_, values) in ARGUMENTS.items() for bad in values],
    ids=lambda x: getattr(x, "__name__", str(x)),
)
def test_bad_arguments_name_themselves(name, bad):
    model = nn.Linear(6, 2)
    arguments = {"model": model, "loss_fn": rb.SmoothAPLoss(), "batches": [data()], "optimizer": sgd(model), "steps": 1}
    with pytest.raises(ARGUMENTS[name][0], match=rf"^{name} must be"):
        train(**arguments | {name: bad})


@pytest.mark.parametrize("count", [np.int64(3), np.int32(3)], ids=lambda x: type(x).__name__)
def test_counts_of_numpy_are_fine(count):
    model = nn.Linear(6, 2)
    assert train(model, rb.SmoothAPLoss(), [data()], sgd(model), steps=count, every=count)["step"].tolist() == [3]


@pytest.mark.parametrize(
    ("loss", "got"),
    [
        (lambda out, _: out.sum(1), r"a tensor of shape \(50,\)"),
        (lambda out, _: out.sum().detach(), r"a tensor of shape \(\) without a gradient"),
        (lambda out, _: out.sum().item(), "float"),
        (lambda out, _: None, "NoneType"),
    ],
)
def test_a_loss_that_is_no_number_is_named(loss, got):
    model = nn.Linear(6, 2)
    with pytest.raises(TypeError, match=f"loss_fn must return one number with a gradient, got {got}"):
        train(model, loss, [data()], sgd(model), steps=1)


def evaluated(values):
    model = nn.Linear(6, 2)
    return train(model, rb.SmoothAPLoss(), [data()], sgd(model), steps=1, evaluate=lambda _: values).iloc[0]


NUMBERS = [0.5, Decimal("0.5"), np.float32(0.5), np.float64(0.5), np.array(0.5), np.array([0.5]), torch.tensor(0.5), torch.tensor([0.5])]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_numbers_of_all_kinds_become_plain(number):
    found = evaluated({"R@1": number})["R@1"]
    assert found == 0.5 and isinstance(found, float)


@pytest.mark.parametrize("value", [np.ones(2), torch.ones(2), [0.5], {"a": 1}, 1j, object], ids=lambda x: type(x).__name__)
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(TypeError, match=f"evaluate must return numbers, got {type(value).__name__} for 'R@1'; try float"):
        evaluated({"R@1": value})


def test_an_evaluation_that_is_no_row_is_refused():
    with pytest.raises(TypeError, match="evaluate must return a dictionary of numbers, got float"):
        evaluated(0.5)
    for name in ("step", "loss"):
        with pytest.raises(ValueError, match=f'evaluate must not return "{name}", a column of the history; call it "validation {name}"'):
            evaluated({name: 1})
