"""Codes of toy fundus pictures by a small network, with and without attention to places: ASH, in part a reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.codes import measure_codes
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.experiments.tasks.fundus import KINDS, SPANS, Pictures, draw_pictures, kinds_by_share
from rankbook.training import BalancedBatches


class MeanTimesMax(nn.Module):
    r"""Attention without weights, as in the plain network of ASH's code: :math:`A = \sigma(\mathrm{mean}_c(x)\, \max_c(x))`.

    It stands behind a batch normalization there, and here. Mean and max then have either sign: a place where all channels are below
    their means counts more, not less. Behind a ReLU, A would be in [0.5, 1).
    """

    def attention(self, x: Tensor) -> Tensor:
        """``[n, 1, h, w]`` of ``[n, c, h, w]``."""
        return (x.mean(1, keepdim=True) * x.amax(1, keepdim=True)).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x) * x


class Convolved(MeanTimesMax):
    r""":math:`A = \sigma(\mathrm{conv}_{3 \times 3}[\mathrm{mean}_c(x); \max_c(x)])`, as in the residual network of ASH's code."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1, bias=False)

    def attention(self, x: Tensor) -> Tensor:
        return self.conv(self.seen(x)).sigmoid()

    def seen(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)


class Blind(Convolved):
    """The control: as many weights and the same operations, on ones in place of mean and max; all pictures get one map."""

    def seen(self, x: Tensor) -> Tensor:
        return torch.ones_like(super().seen(x))


ATTENTIONS = {"none": nn.Identity, "mean times max": MeanTimesMax, "convolved": Convolved, "blind": Blind}


class CodeNetwork(nn.Module):
    """uint8 pictures ``[n, 3, 48, 48]`` to codes ``[n, bits]``.

    As in ASH's plain network a convolution, a max pooling and a batch normalization stand before the attention. Behind it are two
    more convolutions and the mean of all places, in place of a layer over all places that could find a lesion by itself. The last
    normalization is ours too: each bit is 1 for about half of a batch, which keeps the codes from becoming all alike.
    """

    def __init__(self, bits: int, attention: str, seed: int):
        super().__init__()
        self.seed = seed
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.BatchNorm2d(16),
        )
        self.rest = nn.Sequential(
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.BatchNorm1d(32),
            nn.Linear(32, bits),
            nn.BatchNorm1d(bits, affine=False),
        )
        self.look = ATTENTIONS[attention]()  # last: the other weights begin alike in all arms

    def forward(self, pictures: Tensor) -> Tensor:
        return self.rest(self.look(self.stem(pictures.float() / 255 - 0.5)))


class World(NamedTuple):
    train: Pictures
    gallery: Pictures
    validation: Pictures
    test: Pictures


@dataclass(frozen=True)
class Saliency:
    """Find the pictures with the same kind of lesion, most of the gallery being healthy; every seed draws its own pictures.

    Args:
        train, gallery: pictures, in the unequal shares of the clinic.
        queries: of each kind, to choose by and to judge by.
        per_class: of each kind in a batch.
    """

    train: int = 2000
    gallery: int = 1000
    queries: int = 120
    per_class: int = 8

    metrics: ClassVar[tuple[str, ...]] = ("mAP", "worst", "best", *(f"mAP, {span} px" for span in SPANS))

    def fit(self, loss: nn.Module, *, lr: float, steps: int, seed: int) -> CodeNetwork:
        """Train the network that the loss asks for; the same call gives the same one.

        Args:
            loss: (codes, labels) -> loss, with ``bits`` and the name of an ``attention``, one of `ATTENTIONS`.
            lr: peak learning rate of AdamW; it falls to 0 along a cosine.
            steps: batches, of all kinds alike.
            seed: of the pictures, the first weights and the batches.
        """
        data = self.world(seed).train
        with seeded(seed) as generator:
            model = CodeNetwork(loss.bits, loss.attention, seed)
            batches = BalancedBatches(data.inputs, data.labels, classes=len(KINDS), per_class=self.per_class, generator=generator)
            minimize(model, loss, batches, lr=lr, steps=steps)
        return model.eval()

    def measure(self, model: CodeNetwork, split: str) -> dict[str, float]:
        """Means over the kinds of the means over their queries; "mAP, s px" of the lesions of that span, over their four kinds."""
        world = self.world(model.seed)
        queries = getattr(world, split)
        with one_thread(), torch.no_grad():
            codes, gallery = (torch.cat([model(some) for some in part.inputs.split(250)]) for part in (queries, world.gallery))
            found = measure_codes(codes, queries.labels, gallery, world.gallery.labels)

        def over_kinds(values: Tensor, among: Tensor) -> float:
            each = [values[among & (queries.labels == kind)] for kind in range(len(KINDS))]
            return torch.stack([one.mean() for one in each if len(one)]).mean().item()

        everyone = torch.ones_like(queries.labels, dtype=torch.bool)
        means = {name: over_kinds(values, everyone) for name, values in found.items()}
        return means | {f"mAP, {span} px": over_kinds(found["mAP"], queries.spans == span) for span in SPANS}

    def world(self, seed: int) -> World:
        """The pictures of one seed."""
        return drawn(self.train, self.gallery, self.queries, seed)


@lru_cache(maxsize=6)
def drawn(train: int, gallery: int, queries: int, seed: int) -> World:
    """Drawn once for the seeds of a study; each takes 29 MB."""
    generator = torch.Generator().manual_seed(seed)
    each = torch.arange(len(KINDS)).repeat_interleave(queries)
    with one_thread():
        return World(*(draw_pictures(kinds, generator) for kinds in (kinds_by_share(train), kinds_by_share(gallery), each, each)))
