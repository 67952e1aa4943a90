"""What the first weights of an encoder buy: a head on frozen ones, all of it trained, and all of it from random ones.

Batches of 128 photographs of 64 pixels, by two passes; 40 of them, which are one to two minutes of a core. The weights are those of
two packages of the registry, see `rankbook.experiments.tasks.finetuning.Lite0`.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from rankbook.experiments.batch_losses import rs_at_k
from rankbook.experiments.parts import Contender
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.finetuning import FEATURES, Encoder, FineTuning, Lite0, StartingFrom


def lite0(outputs: int, *, pretrained: bool, frozen: bool) -> Encoder:
    return Encoder(Lite0(pretrained), FEATURES, outputs, frozen=frozen)


def starting(lr: float, *, pretrained: bool, frozen: bool) -> nn.Module:
    return StartingFrom(rs_at_k(), partial(lite0, pretrained=pretrained, frozen=frozen), lr)


def contender(pretrained: bool, frozen: bool, rates: tuple[float, ...]) -> Contender:
    return Contender(partial(starting, pretrained=pretrained, frozen=frozen), {"lr": rates})


RATES = (3e-4, 1e-3, 3e-3)

STUDY = Study(
    name="large_batches_finetuned",
    question="What do the first weights of an encoder buy, and what does it gain when it is trained too?",
    data="cub",
    task=FineTuning(),
    contenders={
        "frozen": contender(True, True, RATES),
        "fine-tuned": contender(True, False, RATES),
        "random": contender(False, False, RATES),
    },
    grid={},
    steps=40,
    choose_by="mAP@R",
    reference="frozen",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    chapter="large_batches",
)
