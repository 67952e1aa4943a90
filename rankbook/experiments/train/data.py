"""What a training learns from and what it is judged on, by the name of a data set or by a folder of pictures."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rankbook import datasets
from rankbook.datasets import ImageFiles, Samples, image_folder
from rankbook.files import sha256
from rankbook.training.samplers import EpochSampler

#: What loaders call the place of their files.
PLACES = {"root", "folder"}


def known() -> dict[str, Callable[..., Samples]]:
    """Name -> loader: whatever in ``rankbook.datasets`` returns `Samples` and needs no more than a place and a split."""
    found = {}
    for name in datasets.__all__:
        loader = getattr(datasets, name)
        if not inspect.isfunction(loader):
            continue
        signature = inspect.signature(loader)
        needed = {p.name for p in signature.parameters.values() if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
        if signature.return_annotation in ("Samples", Samples) and needed <= {*PLACES, "split"}:
            found[name] = loader
    return found


def split_samples(
    data: str, root: Path | None, *, inputs: str | None = None, size: int | None = None, validation: float = 0.25
) -> tuple[Samples, Samples]:
    """Samples to train on and samples to judge on, of other classes.

    Args:
        data: a name of `known`, or the path of a folder of pictures.
        root: where the files of a named set are.
        inputs: "features" or "images", for a set that has both.
        size: of the pictures, for a loader that scales them.
        validation: the share of the classes to judge on, where a set sets none apart for it; which ones is the same each time.

    Raises:
        ValueError: no such set, a place that is missing, an option that the set has not, fewer than two classes of two items on a side.
    """
    loaders = known()
    if data not in loaders:
        if not Path(data).is_dir():
            raise ValueError(f"data must be one of {', '.join(loaders)}, or a folder of pictures with a folder a class, got {data}")
        if root is not None:
            raise ValueError(f"root goes with the name of a set; the pictures are in {data} already")
        data, root = "image_folder", Path(data)
    loader = loaders.get(data, image_folder)
    takes = inspect.signature(loader).parameters
    place = next(iter(PLACES & takes.keys()), None)
    if root is None and place is not None and takes[place].default is inspect.Parameter.empty:
        raise ValueError(f"{data} does not come with the package; say where it is: --root DIR")
    given: dict[str, Any] = {place: root, "what": inputs, "size": size}
    asked = {"root": root, "inputs": inputs, "size": size}
    for option, name in zip(asked, given, strict=True):
        if asked[option] is not None and name not in takes:
            raise ValueError(f"{option} is nothing that {data} takes; leave --{option} out")
    given = {name: value for name, value in given.items() if value is not None}
    splits = get_args(get_type_hints(loader).get("split")) if "split" in takes else ()
    if "split" in takes and (not splits or "validation" in splits):
        train, judged = (_whole_floats(loader(split=split, **given)) for split in ("train", "validation"))
        return with_classes(train, data, "train"), with_classes(judged, data, "validation")
    samples = _whole_floats(loader(split="train", **given) if splits else loader(**given))
    classes = samples.labels.unique()
    judged = round(validation * len(classes))
    if not 0 < judged < len(classes):
        raise ValueError(f"validation must leave classes on both sides, got {judged} of {len(classes)}")
    chosen = classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))[:judged]]
    held = torch.isin(samples.labels, chosen)
    return with_classes(samples[~held], data, "train"), with_classes(samples[held], data, "validation")


def with_classes(samples: Samples, data: str, split: str) -> Samples:
    """The samples, if there is something to find among them and something to confuse it with."""
    useful = int((samples.labels.unique(return_counts=True)[1] > 1).sum())
    if useful < 2:
        raise ValueError(f"data must have two classes or more of two items or more in each split, {data} has {useful} in {split}")
    return samples


def checksum(samples: Samples) -> str:
    """Of the labels, and of the numbers or the names of the pictures."""
    inputs = samples.inputs
    told = "\n".join(map(str, inputs.files)).encode() if isinstance(inputs, ImageFiles) else b""
    if isinstance(inputs, Tensor):
        told = inputs.contiguous().view(torch.uint8).numpy().tobytes()
    return sha256(samples.levels.numpy().tobytes() + told)


class Rows(Dataset):
    """Inputs and labels, a batch at a time."""

    def __init__(self, inputs: Any, labels: Tensor):
        self.inputs, self.labels = inputs, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        return self.inputs[torch.tensor(rows)], self.labels[rows]


def loader_of(inputs: Any, labels: Tensor, sampler: EpochSampler, workers: int) -> DataLoader:
    return DataLoader(Rows(inputs, labels), batch_sampler=sampler, num_workers=workers, collate_fn=_as_it_is)


def _as_it_is(batch: Any) -> Any:
    return batch


def _whole_floats(samples: Samples) -> Samples:
    """Features that are stored in half precision, in float32."""
    inputs = samples.inputs
    if isinstance(inputs, Tensor) and inputs.is_floating_point():
        return Samples(inputs.float(), samples.labels, samples.levels, samples.table)
    return samples
