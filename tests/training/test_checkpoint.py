"""Checkpoints: resumed training ends in the same bits; a file that is damaged, or of another training, is refused with the reason."""

import collections
import copy
import io
import multiprocessing
import os
import random
import subprocess
import sys
import textwrap
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import rankbook as rb
from rankbook.training import BalancedBatches, checkpoint, train


def data(seed=0, n=50, classes=10):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 6, generator=g), torch.randint(classes, (n,), generator=g)


def training(
    seed=0, steps=23, *, width=8, lr=0.01, loss=None, labels=None, shape=(3, 2), of_batches=0, optimizer=torch.optim.Adam, **options
):
    """Everything that has a state: dropout, momentum, a schedule and batches whose epochs end between checkpoints."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, width), nn.Dropout(0.3), nn.Linear(width, 4))
    loss = loss or rb.SmoothAPLoss(0.1)
    of_loss = loss.parameters() if isinstance(loss, nn.Module) else ()
    optimizer = optimizer([*model.parameters(), *of_loss], lr=lr)
    scheduler = options.pop("scheduler", torch.optim.lr_scheduler.CosineAnnealingLR)(optimizer, 23)
    x, y = data()
    generator = torch.Generator().manual_seed(of_batches)
    batches = BalancedBatches(x, y if labels is None else labels, classes=shape[0], per_class=shape[1], generator=generator)
    history = train(model, loss, batches, optimizer, **{"scheduler": scheduler, "steps": steps, "every": 5} | options)
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
        import torch, test_checkpoint
        calls = 0
        forward = torch.nn.Dropout.forward
        def dropout(self, x):
            global calls
            calls += self.training
            if calls == 13:
                os.kill(os.getpid(), signal.SIGKILL)
            return forward(self, x)
        torch.nn.Dropout.forward = dropout
        test_checkpoint.training(evaluate=test_checkpoint.weight, checkpoint={str(tmp_path / "c.pt")!r})
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


def test_more_steps_go_on(tmp_path):
    expected, history = training(steps=20)
    training(steps=10, checkpoint=tmp_path / "c.pt")
    model, resumed = training(seed=7, steps=20, checkpoint=tmp_path / "c.pt")
    assert_same(model, expected)
    assert resumed.equals(history)
    with pytest.raises(ValueError, match="is at step 20, beyond steps=15"):
        training(steps=15, checkpoint=tmp_path / "c.pt")


def test_the_end_of_a_shorter_training_is_no_row_of_a_longer_one(tmp_path):
    for start in (3, 13, 15):
        _, expected = training(steps=20)
        _, shorter = training(steps=start, checkpoint=tmp_path / f"{start}.pt")
        assert shorter["step"].iloc[-1] == start
        _, resumed = training(seed=7, steps=20, checkpoint=tmp_path / f"{start}.pt")
        pd.testing.assert_frame_equal(resumed, expected, rtol=1e-12)


def test_the_same_objects_go_on(tmp_path):
    """As in a notebook whose cell is run once more with more steps: by then the scheduler has moved the learning rate."""
    torch.manual_seed(0)
    model = nn.Linear(6, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20)  # moves the betas too
    batches = BalancedBatches(*data(), classes=3, per_class=2, generator=torch.Generator())
    more = partial(train, model, rb.SmoothAPLoss(0.1), batches, optimizer, scheduler=scheduler, checkpoint=tmp_path / "c.pt", every=5)
    assert len(more(steps=10)) == 2
    assert len(more(steps=20)) == 4


def test_a_kill_while_writing_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    file = tmp_path / "c.pt"
    training(steps=5, checkpoint=file)
    old = file.read_bytes()

    def killed(*_):
        raise Killed

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, killed)
            with pytest.raises(Killed):
                training(checkpoint=file)
        assert file.read_bytes() == old
        assert {path.name for path in tmp_path.iterdir()} == {"c.pt", ".c.pt.lock"}


# --- weights of the loss


class Proxies(nn.Module):
    """A loss with weights of its own, a buffer, and a ranker that learns."""

    def __init__(self, classes=10, ranker=None):
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(classes, 4))
        self.register_buffer("seen", torch.zeros(()))
        self.rank = rb.RankLoss(rb.average_precision, ranker or rb.KnotSorter(knots=20))

    def forward(self, embeddings, labels):
        self.seen += 1
        scores = embeddings @ self.proxies.T + self.seen / 100
        return self.rank(scores, torch.nn.functional.one_hot(labels, len(self.proxies)))


@pytest.mark.parametrize("make", [Proxies, lambda: rb.ClusterLoss(10, 4), lambda: rb.ROADMAPLoss()], ids=["proxies", "cluster", "roadmap"])
def test_the_weights_of_the_loss_resume_too(make, tmp_path):
    def seeded():
        torch.manual_seed(3)
        return make()

    whole, killed, resumed = seeded(), seeded(), make()
    expected, history = training(loss=whole)
    with pytest.raises(Killed):
        training(loss=killed, evaluate=kill_at(3), checkpoint=tmp_path / "c.pt")
    model, again = training(seed=7, loss=resumed, checkpoint=tmp_path / "c.pt")
    assert_same(model, expected)
    assert_same(resumed, whole)
    assert again["loss"].equals(history["loss"])


def test_weights_that_a_checkpoint_would_lose_are_refused(tmp_path):
    model, outside = nn.Linear(6, 4), nn.Parameter(torch.ones(4))
    both = torch.optim.SGD([*model.parameters(), outside], lr=0.1)
    batches = BalancedBatches(*data(), classes=3, per_class=2, generator=torch.Generator())
    arguments = (model, lambda out, labels: (out * outside).sum(), batches, both)
    train(*arguments, steps=1)
    with pytest.raises(ValueError, match="optimizer trains a parameter that neither model nor loss_fn holds"):
        train(*arguments, steps=1, checkpoint=tmp_path / "c.pt")


# --- of another training


OTHERS = {
    "width": ({"width": 9}, r"model\.0\.weight was float32 \[8, 6\], is now float32 \[9, 6\]; model\.0\.bias was"),
    "lr": ({"lr": 0.02}, r"optimizer\.0\.lr was 0\.01, is now 0\.02"),
    "optimizer": ({"optimizer": torch.optim.SGD}, r"optimizer was Adam, is now SGD"),
    "hyper-parameter": ({"optimizer": partial(torch.optim.Adam, weight_decay=0.1)}, r"optimizer\.0\.weight_decay was 0, is now 0\.1"),
    "betas": (
        {"optimizer": partial(torch.optim.Adam, betas=(0.5, 0.9))},
        r"optimizer\.0\.betas was \(0\.9, 0\.999\), is now \(0\.5, 0\.9\)",
    ),
    "scheduler": ({"scheduler": torch.optim.lr_scheduler.StepLR}, r"scheduler was CosineAnnealingLR, is now StepLR"),
    "loss": ({"loss": rb.SupAPLoss()}, r"loss was SmoothAPLoss\(.*, is now SupAPLoss\("),
    "knob": ({"loss": rb.SmoothAPLoss(0.2)}, r"loss was SmoothAPLoss\(tau=0\.1.*, is now SmoothAPLoss\(tau=0\.2"),
    "function": ({"loss": lambda out, labels: out.square().sum()}, r"loss was SmoothAPLoss\(.*, is now .*\.<lambda>\."),
    "classes": ({"shape": (4, 2)}, r"batches\.classes was 3, is now 4"),
    "per class": ({"shape": (3, 3)}, r"batches\.per_class was 2, is now 3"),
    "seed": ({"of_batches": 1}, r"batches\.seed was 0, is now 1"),
    "labels": ({"labels": data()[1].roll(1)}, r"batches\.labels was \[50\] sha256:.*, is now \[50\] sha256:"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_checkpoint_of_another_training_is_refused_with_what_differs(other, tmp_path):
    change, message = OTHERS[other]
    training(steps=5, checkpoint=tmp_path / "c.pt")
    before = (tmp_path / "c.pt").read_bytes()
    with pytest.raises(ValueError, match=rf"c\.pt belongs to another training: {message}.* Choose another path, or delete it"):
        training(checkpoint=tmp_path / "c.pt", **change)
    assert (tmp_path / "c.pt").read_bytes() == before


def test_of_two_long_losses_the_difference_is_shown(tmp_path):
    make = partial(rb.RankLoss, rb.ndcg, partial(rb.sigmoid_ranks, tau=0.1), gain=torch.square, reduction="mean")
    training(steps=5, loss=Scores(make(k=3)), checkpoint=tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"loss was \.\.\..*k=3\)+, is now \.\.\..*k=4\)"):
        training(loss=Scores(make(k=4)), checkpoint=tmp_path / "c.pt")


class Scores(nn.Module):
    """A loss on scores, of the batch's own."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, out, labels):
        return self.loss(out @ out.T, rb.same_label(labels))


def test_no_difference_is_made_of_addresses_in_memory(tmp_path):
    for steps in (5, 10):  # another lambda and another partial each time
        training(steps=steps, loss=partial(lambda out, labels, power: (out**power).sum(), power=2), checkpoint=tmp_path / "c.pt")


def test_a_state_that_does_not_fit_is_named(tmp_path):
    class Batches(BalancedBatches):
        def load_state_dict(self, state):
            super().load_state_dict({"place": state["position"]})

    arguments = {"classes": 3, "per_class": 2, "generator": torch.Generator()}
    for batches in (BalancedBatches(*data(), **arguments), Batches(*data(), **arguments)):
        batches.__class__.__name__ = "BalancedBatches"
        model = nn.Linear(6, 2)
        go = partial(train, model, rb.SmoothAPLoss(), batches, torch.optim.SGD(model.parameters()), checkpoint=tmp_path / "c.pt")
        if type(batches) is BalancedBatches:
            go(steps=1)
    with pytest.raises(ValueError, match="belongs to another training: the state of batches does not fit: 'random'"):
        go(steps=2)


# --- damaged


def test_any_flipped_bit_is_noticed(tmp_path):
    file = tmp_path / "c.pt"
    training(steps=5, checkpoint=file)
    content = file.read_bytes()
    places = random.Random(0)
    at = [places.randrange(len(content)) for _ in range(150)] + list(range(len(content) - 75, len(content)))  # all of the checksum too
    for place in at:
        damaged = bytearray(content)
        damaged[place] ^= 1 << places.randrange(8)
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"checkpoint .*c\.pt is damaged"):
            training(checkpoint=file)
    file.write_bytes(content)
    training(steps=10, checkpoint=file)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\n", lambda b: b + b"\n", lambda b: b[:-1]])
def test_a_torn_checkpoint_is_refused(tmp_path, damage):
    file = tmp_path / "c.pt"
    training(steps=5, checkpoint=file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=r"checkpoint .*c\.pt is damaged, or not one of this version .* delete it to start anew"):
        training(checkpoint=file)


def test_torch_reads_the_file(tmp_path):
    training(steps=5, checkpoint=tmp_path / "c.pt")
    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    assert saved["history"][-1]["step"] == 5 and "0.weight" in saved["state"]["model"]


def signed(path, content):
    file = io.BytesIO()
    torch.save(content, file)
    path.write_bytes(file.getvalue() + b"\n" + rb.files.sha256(file.getvalue()).encode())


def test_a_checkpoint_runs_no_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    signed(tmp_path / "c.pt", {"state": Trap()})  # with a checksum that fits
    with pytest.raises(ValueError, match=r"c\.pt is not one of rankbook's: "):
        training(checkpoint=tmp_path / "c.pt")
    assert not (tmp_path / "trapped").exists()
    signed(tmp_path / "c.pt", {"state": {}})
    with pytest.raises(ValueError, match=r"c\.pt is not one of rankbook's: 'configuration'"):
        training(checkpoint=tmp_path / "c.pt")


# --- what cannot be kept is refused before it is written


@pytest.mark.parametrize("number", [np.float64(0.5), Decimal("0.5"), np.float32(0.5), torch.tensor(0.5), Fraction(1, 2)], ids=repr)
def test_numbers_of_all_kinds_come_back(number, tmp_path):
    _, history = training(steps=10, evaluate=lambda _: {"R@1": number}, checkpoint=tmp_path / "c.pt")
    _, resumed = training(steps=10, checkpoint=tmp_path / "c.pt")
    assert resumed.equals(history) and resumed["R@1"].tolist() == [0.5, 0.5]


class Counted(BalancedBatches):
    """Batches with something more in their state."""

    def __init__(self, more):
        super().__init__(*data(), classes=3, per_class=2, generator=torch.Generator())
        self.more = more

    def state_dict(self):
        return super().state_dict() | {"more": self.more}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.more = state["more"]


def counted(more, path):
    model = nn.Linear(6, 2)
    batches = Counted(more)
    train(model, rb.SmoothAPLoss(), batches, torch.optim.SGD(model.parameters()), steps=1, checkpoint=path)
    return batches.more


KEPT = [
    np.int64(3),
    {"a": np.float32(0.5), 3: [np.bool_(True), Decimal("0.5")]},
    (1, "two", None, b"3"),
    {"deep": [{"tensor": torch.arange(3)}]},
    collections.OrderedDict(a=1),
    collections.Counter("aab"),
    {1, 2},
    torch.float16,
]


@pytest.mark.parametrize("more", KEPT, ids=lambda x: type(x).__name__)
def test_states_are_kept_in_plain_types(more, tmp_path):
    counted(more, tmp_path / "c.pt")
    found = counted(None, tmp_path / "c.pt")
    assert str(found).replace("tensor", "") == str(checkpoint.readable("it", more)).replace("tensor", "")
    if not isinstance(more, dict) or "deep" not in more:
        assert found == more


@pytest.mark.parametrize(
    ("more", "place"),
    [(np.ones(2), "['more']"), ({"a": [1, np.ones(2)]}, "['more']['a'][1]"), (random.Random(0), "['more']"), (training, "['more']")],
    ids=["array", "deep array", "object", "function"],
)
def test_a_state_that_would_not_come_back_is_refused_by_name(more, place, tmp_path):
    import re

    with pytest.raises(TypeError, match=re.escape(f"the state of batches{place} is a ") + ".* which no checkpoint can give back"):
        counted(more, tmp_path / "c.pt")
    assert not (tmp_path / "c.pt").exists()


def test_the_checkpoint_before_a_spoilt_gradient_stays(tmp_path):
    expected, _ = training()
    calls = iter(range(1, 100))

    def spoilt(out, labels):
        loss = rb.SmoothAPLoss(0.1)(out, labels)
        if next(calls) == 8:
            out.register_hook(lambda grad: grad * torch.nan)
        return loss

    class Loss(rb.SmoothAPLoss):
        def forward(self, out, labels):
            return spoilt(out, labels)

    Loss.__name__ = "SmoothAPLoss"
    with pytest.raises(FloatingPointError, match=r"the gradient of 0\.weight is not finite at step 8"):
        training(loss=Loss(0.1), checkpoint=tmp_path / "c.pt")
    model, _ = training(seed=7, checkpoint=tmp_path / "c.pt")
    assert_same(model, expected)


# --- where it cannot be written


def test_a_path_that_cannot_be_written_is_noticed_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("in the way")
    steps = []
    for path, message in (
        (tmp_path / "file" / "c.pt", "cannot write .*c.pt: .*; choose another path"),
        (tmp_path, "is a folder; name a file"),
    ):
        with pytest.raises(OSError, match=message):
            training(loss=lambda out, labels: steps.append(1) or out.sum(), checkpoint=path)
    assert not steps


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the other process is forked, which this system cannot")
def test_one_training_at_a_time(tmp_path):
    """Another process is refused at once, and let in when the first has ended."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def second():
        """Says what it is told; with a lock that lets it in it would train on."""
        try:
            training(steps=10, checkpoint=tmp_path / "c.pt")
            theirs.send("it was let in")
        except Exception as error:
            theirs.send(f"{type(error).__name__}: {error}")

    def start(_):
        process = context.Process(target=second, daemon=True)
        process.start()
        assert ours.poll(60), "it waits for the first to end"
        seen.append(ours.recv())
        process.join()
        return {}

    seen = []
    training(steps=5, evaluate=start, checkpoint=tmp_path / "c.pt")
    (said,) = seen
    assert said.startswith("RuntimeError") and "c.pt is in use by another process" in said
    training(steps=10, checkpoint=tmp_path / "c.pt")


def test_batches_without_a_state_cannot_be_resumed(tmp_path):
    model = nn.Linear(6, 2)
    x, y = data()
    for batches in (iter([(x, y)]), [(x, y)], DataLoader(TensorDataset(x, y))):
        with pytest.raises(TypeError, match=r"batches must have state_dict\(\) and load_state_dict\(\), .* got .*StatefulDataLoader"):
            train(model, rb.SmoothAPLoss(), batches, torch.optim.SGD(model.parameters()), steps=1, checkpoint=tmp_path / "c.pt")


class Resumable:
    """An iterable that is no iterator, and can go on in the middle of an epoch."""

    def __init__(self):
        self.place = 0

    def __iter__(self):
        x, y = data()
        while self.place < 5:
            self.place += 1
            yield x[10 * (self.place - 1) : 10 * self.place], y[10 * (self.place - 1) : 10 * self.place]
        self.place = 0

    def state_dict(self):
        return {"place": self.place}

    def load_state_dict(self, state):
        self.place = state["place"]


def test_an_iterable_with_a_state_resumes_within_its_epoch(tmp_path):
    def go(steps, **options):
        torch.manual_seed(0)
        model = nn.Linear(6, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        train(model, lambda out, labels: (out[:, 0] - labels).square().mean(), Resumable(), optimizer, steps=steps, **options)
        return model

    go(3, checkpoint=tmp_path / "c.pt")
    assert_same(go(9, checkpoint=tmp_path / "c.pt"), go(9))


# --- ambient modes


@pytest.mark.parametrize("default", [{"dtype": torch.float64}, {"dtype": torch.float16}, {"device": "meta"}], ids=str)
def test_the_callers_defaults_do_not_matter(default, tmp_path):
    torch.manual_seed(0)
    first = nn.Linear(6, 4)

    def go(file):
        model = copy.deepcopy(first)
        batches = BalancedBatches(*lists, classes=3, per_class=2, generator=torch.Generator(device="cpu").manual_seed(0))
        adam = torch.optim.Adam(model.parameters())
        for steps in (4, 8):
            train(model, rb.SmoothAPLoss(0.1), batches, adam, steps=steps, checkpoint=file)
        return model

    lists = data()
    expected = go(tmp_path / "plain.pt")
    try:
        torch.set_default_device(default.get("device"))
        torch.set_default_dtype(default.get("dtype", torch.float32))
        found = go(tmp_path / "other.pt")
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert_same(found, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_dropout_on_a_gpu_goes_on_where_it_was(tmp_path):
    def go(steps, seed, **options):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.Linear(8, 4)).cuda()
        batches = BalancedBatches(*(x.cuda() for x in data()), classes=3, per_class=2, generator=torch.Generator().manual_seed(0))
        train(model, rb.SmoothAPLoss(0.1), batches, torch.optim.Adam(model.parameters()), steps=steps, **options)
        return model

    expected = go(8, 0)
    go(4, 0, checkpoint=tmp_path / "c.pt")
    assert_same(go(8, 7, checkpoint=tmp_path / "c.pt"), expected)
