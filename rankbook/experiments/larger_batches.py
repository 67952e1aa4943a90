"""More studies of batch sizes: all classes in a batch, features that nobody trained, a small network, and an encoder that is fine-tuned.

They stand here, not among `rankbook.experiments.studies`, until their runs are stored; they are run by name as those are.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch import nn

from rankbook.experiments import batch_losses
from rankbook.experiments.batch_losses import rs_at_k
from rankbook.experiments.parts import Contender
from rankbook.experiments.studies import large_batches
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.batch_sizes import BatchSizes, PixelBatchSizes
from rankbook.experiments.tasks.finetuning import FEATURES, Encoder, FineTuning, Lite0, StartingFrom
from rankbook.experiments.tasks.pixels import untrained_drawings

# A batch holds four items of a class, or the three that there are: 3,277 of the 4,402 items of all 822 classes.
# 1,284 batches of 128 hold as many as 50 of these.
SHARE = 1284 / large_batches.STUDY.steps

WHOLE = replace(
    large_batches.STUDY,
    name="large_batches_whole",
    question="Does a batch of all training classes beat small batches of as many items?",
    contenders={
        "RS@k, 128, as many items": batch_losses.contender(rs_at_k, 32, (1e-4, 3e-4, 8e-4, 2e-3), share=SHARE),
        "RS@k, all classes": batch_losses.contender(rs_at_k, 822, (6e-3, 1.5e-2, 4e-2, 1e-1)),
    },
    beside=large_batches.STUDY,
)

RATES = (1e-3, 3e-3, 1e-2, 3e-2)

PIXELS = Study(
    name="large_batches_pixels",
    question="Do larger batches help a small network that learns from the pixels, at equal steps and at equal items?",
    task=PixelBatchSizes(),
    contenders={
        "RS@k, 128": batch_losses.contender(rs_at_k, 32, RATES),
        "RS@k, 512": batch_losses.contender(rs_at_k, 128, RATES),
        "RS@k, 128, 4 x steps": batch_losses.contender(rs_at_k, 32, RATES, share=4),
    },
    grid={},
    steps=50,
    choose_by="mAP@R",
    reference="RS@k, 128",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    chapter="large_batches",
)

UNTRAINED = replace(
    PIXELS,
    name="large_batches_untrained",
    question="Do larger batches help a head on what random first weights make of the drawings, at equal steps and at equal items?",
    task=BatchSizes(load=untrained_drawings),
)


def lite0(outputs: int, *, pretrained: bool, frozen: bool) -> Encoder:
    return Encoder(Lite0(pretrained), FEATURES, outputs, frozen=frozen)


def starting(lr: float, *, pretrained: bool, frozen: bool) -> nn.Module:
    return StartingFrom(rs_at_k(), partial(lite0, pretrained=pretrained, frozen=frozen), lr)


def contender(pretrained: bool, frozen: bool, rates: tuple[float, ...]) -> Contender:
    return Contender(partial(starting, pretrained=pretrained, frozen=frozen), {"lr": rates})


# Batches of 128 photographs of 64 pixels.
FINE_TUNED = Study(
    name="large_batches_finetuned",
    question="What do the first weights of an encoder buy, and what does it gain when it is trained too?",
    data="cub",
    task=FineTuning(),
    contenders={
        "frozen": contender(True, True, (1e-3, 3e-3, 1e-2)),
        "fine-tuned": contender(True, False, (1e-4, 3e-4, 1e-3)),
        "random": contender(False, False, (3e-4, 1e-3, 3e-3)),
    },
    grid={},
    steps=40,
    choose_by="mAP@R",
    reference="frozen",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    chapter="large_batches",
)

STUDIES = {study.name: study for study in (WHOLE, UNTRAINED, PIXELS, FINE_TUNED)}
