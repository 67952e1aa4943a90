"""The loop and its batches: resumed training ends in the same bits, and says what is wrong with a checkpoint."""

import os
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

import rankbook as rb
from rankbook.training import BalancedBatches, train


def data(seed=0, n=50, classes=10):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 6, generator=g), torch.randint(classes, (n,), generator=g)


def training(seed=0, steps=23, **options):
    """Everything that has a state: dropout, momentum, a schedule and batches whose epochs end between checkpoints."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.Linear(8, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 23)
    batches = BalancedBatches(*data(), classes=3, per_class=2, generator=torch.Generator().manual_seed(seed))
    history = train(model, rb.SmoothAPLoss(0.1), batches, optimizer, scheduler=scheduler, steps=steps, every=5, **options)
    return model, history


class Killed(Exception):
    pass


def kill_at(step):
    calls = iter(range(1, 100))

    def evaluate(model):
        if next(calls) == step:
            raise Killed
        return {"weight": model[0].weight.sum().item()}

    return evaluate


def weight(model):
    return {"weight": model[0].weight.sum().item()}


def assert_same(first, second):
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("evaluation", [1, 2, 4])
def test_a_killed_training_resumes_to_the_same_bits(tmp_path, evaluation):
    expected, history = training(evaluate=weight)
    file = tmp_path / "run" / "checkpoint.pt"
    with pytest.raises(Killed):
        training(evaluate=kill_at(evaluation), checkpoint=file)
    torch.manual_seed(12345)  # another process has another random state
    model, resumed = training(seed=7, evaluate=weight, checkpoint=file) if evaluation > 1 else training(evaluate=weight, checkpoint=file)
    assert_same(model, expected)
    assert resumed.equals(history)
    assert list(resumed["step"]) == [5, 10, 15, 20, 23]


def test_a_process_killed_hard_resumes_to_the_same_bits(tmp_path):
    """SIGKILL from outside of Python's control flow, in the middle of a step."""
    script = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        import torch, test_training
        calls = 0
        forward = torch.nn.Dropout.forward
        def dropout(self, x):
            global calls
            calls += self.training
            if calls == 13:
                os.kill(os.getpid(), signal.SIGKILL)
            return forward(self, x)
        torch.nn.Dropout.forward = dropout
        test_training.training(evaluate=test_training.weight, checkpoint={str(tmp_path / "c.pt")!r})
    """)
    killed = subprocess.run([sys.executable, "-c", script], env=os.environ | {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}, check=False)
    assert killed.returncode == -9
    expected, history = training(evaluate=weight)
    model, resumed = training(seed=7, evaluate=weight, checkpoint=tmp_path / "c.pt")
    assert_same(model, expected)
    assert resumed.equals(history)


def test_a_finished_training_is_only_loaded(tmp_path):
    model, history = training(checkpoint=tmp_path / "c.pt")
    again, same = training(seed=3, checkpoint=tmp_path / "c.pt", evaluate=kill_at(1))
    assert_same(again, model)
    assert same.equals(history)


def test_a_kill_while_writing_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    file = tmp_path / "c.pt"
    training(steps=5, checkpoint=file)
    old = file.read_bytes()

    def half_a_file(state, path):
        path.write_bytes(old[: len(old) // 2])
        raise Killed

    monkeypatch.setattr(torch, "save", half_a_file)
    with pytest.raises(Killed):
        training(checkpoint=file)
    assert file.read_bytes() == old


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:400] + b"x" * 50 + b[450:]])
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    file = tmp_path / "c.pt"
    training(steps=5, checkpoint=file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=r"checkpoint .*c\.pt is damaged or belongs to another training; delete it"):
        training(checkpoint=file)


def test_a_checkpoint_of_another_model_is_named(tmp_path):
    torch.save({"state": [nn.Linear(2, 2).state_dict()] * 4, "random": torch.get_rng_state(), "history": []}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="belongs to another training"):
        training(checkpoint=tmp_path / "c.pt")


def test_a_checkpoint_runs_no_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    torch.save({"state": Trap()}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="damaged"):
        training(checkpoint=tmp_path / "c.pt")
    assert not (tmp_path / "trapped").exists()


def test_a_checkpoint_beyond_the_end_is_named(tmp_path):
    training(steps=10, checkpoint=tmp_path / "c.pt")
    with pytest.raises(ValueError, match="is at step 10, beyond steps=5"):
        training(steps=5, checkpoint=tmp_path / "c.pt")


def test_batches_without_a_state_cannot_be_resumed(tmp_path):
    model = nn.Linear(6, 2)
    with pytest.raises(TypeError, match="batches must have state_dict"):
        train(model, rb.SmoothAPLoss(), iter([data()]), torch.optim.SGD(model.parameters()), steps=1, checkpoint=tmp_path / "c.pt")


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


def epoch(seed=0, classes=4, per_class=3, n=40, of=10, generator=None):
    x, y = torch.arange(n), data(seed, n, of)[1]
    generator = generator or torch.Generator().manual_seed(seed)
    batches = BalancedBatches(x, y, classes=classes, per_class=per_class, generator=generator)
    return y, [next(batches) for _ in range(-(-len(y.unique()) // classes))]


@pytest.mark.parametrize("seed", range(5))
def test_each_epoch_covers_all_classes_with_per_class_items_each(seed):
    y, batches = epoch(seed)
    sizes = y.bincount()
    assert set(torch.cat([labels for _, labels in batches]).tolist()) == set(y.tolist())
    for items, labels in batches:
        names, counts = labels.unique(return_counts=True)
        assert len(names) == 4
        assert torch.equal(counts, sizes[names].clamp(max=3))
        assert len(items.unique()) == len(items)
        assert torch.equal(y[items], labels)


def test_items_of_a_class_take_turns():
    """Two of five items, drawn 500 times: each item 200 times, up to chance."""
    batches = BalancedBatches(torch.arange(5), torch.zeros(5, dtype=torch.long), classes=1, per_class=2, generator=torch.Generator())
    counts = torch.cat([next(batches)[0] for _ in range(500)]).bincount()
    assert (counts - 200).abs().max() < 60


def test_batches_go_on_from_their_state():
    x, y = data()
    make = lambda seed: BalancedBatches(x, y, classes=3, per_class=2, generator=torch.Generator().manual_seed(seed))  # noqa: E731
    first, second = make(0), make(1)
    for _ in range(6):
        next(first)
    second.load_state_dict(first.state_dict())
    for _ in range(9):  # across two epochs
        assert torch.equal(next(first)[0], next(second)[0])


def test_batches_leave_the_global_seed_alone():
    before = torch.get_rng_state()
    epoch()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": torch.zeros(3)}, "labels must be integers"),
        ({"labels": torch.zeros(2, dtype=torch.long)}, "one for each of the 3 inputs"),
        ({"classes": 3}, "classes must be from 1 to the 2 classes of labels, got 3"),
        ({"per_class": 0}, "per_class must be at least 1"),
    ],
)
def test_bad_batches_are_named(change, message):
    arguments = {
        "inputs": torch.ones(3, 1),
        "labels": torch.tensor([0, 0, 1]),
        "classes": 2,
        "per_class": 1,
        "generator": torch.Generator(),
    }
    with pytest.raises(ValueError, match=message):
        BalancedBatches(**arguments | change)
