"""A data set of the reader's in the form of the retrieval studies: what trains, what chooses, what is judged."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

import torch
from torch import Tensor

from rankbook.checks import check_choice
from rankbook.datasets import ImageFiles, Samples, image_folder
from rankbook.datasets.ready_features import FILE, ready_features
from rankbook.experiments.tasks.pixels import SIZE, PixelRetrieval, in_memory
from rankbook.experiments.tasks.retrieval import Retrieval
from rankbook.experiments.train.data import PLACES, checksum, known, with_classes

#: What each network reads. The head is linear, the other small and trained from its first weights.
NETWORKS = {"head": "features", "pixels": "images"}
_FEWEST = 8  # classes: four are judged, two choose, two train


class Parts(NamedTuple):
    """``gallery``: the split that the other splits search, where all have the same classes; None: each searches itself."""

    train: Samples
    validation: Samples
    test: Samples
    gallery: str | None


@dataclass(frozen=True)
class OwnSplits:
    """split -> samples. A table knows the set by its name and by a hash of what is in it, wherever it lies."""

    name: str
    content: str
    network: str
    data: str = field(compare=False)
    root: Path | None = field(compare=False)

    @property
    def __name__(self) -> str:
        return f"{self.name}-{self.content}"

    def __call__(self, split: str) -> Samples:
        return getattr(parts(self.data, self.root, self.network), split)


def own_name(data: str) -> str:
    """The name of a set, or of a folder without what leads to it."""
    return data if data in known() else Path(data).resolve().name


def own_network(data: str, root: Path | None) -> str:
    """The head where there are features, else the small network."""
    if data not in known():
        return "head" if (Path(data) / FILE).is_file() else "pixels"
    takes = inspect.signature(known()[data]).parameters
    return "head" if "what" not in takes or root is None or (root / FILE).is_file() else "pixels"


def own_task(data: str, root: Path | None, network: str) -> Retrieval:
    """The task of the studies on a set of the reader's.

    Args:
        data: a name of `rankbook.experiments.train.data.known`; or a folder, of pictures with a folder a class, or of features in
            ``features_lite0.npz``: names such as ``class/picture.jpg`` in ``image``, and ``X`` ``[n, d]``.
        root: the folder of a named set that does not come with the package.
        network: one of `NETWORKS`.

    Splits of the set's own are taken as they are: if all have the same classes, the others search the training items. Without splits
    half of the classes, drawn once and for all, are judged, and every fifth of the others chooses.

    Raises:
        ValueError: no such set or folder, nothing for this network to read, too few classes.
        OSError: a file that is not there.
    """
    check_choice("network", network, tuple(NETWORKS))
    found = parts(data, root, network)
    content = "".join(checksum(samples).removeprefix("sha256:")[:6] for samples in found[:3])
    load = OwnSplits(own_name(data), content, network, data, root)
    kind = Retrieval if network == "head" else PixelRetrieval
    return kind(load=load, gallery=found.gallery, classes=min(kind().classes, len(found.train.labels.unique())))


@lru_cache(maxsize=2)
def parts(data: str, root: Path | None, network: str) -> Parts:
    """A process reads a set once."""
    if data not in known():
        return _drawn(_of_folder(data, root, network), data)
    loader = known()[data]
    takes = inspect.signature(loader).parameters
    splits = get_args(get_type_hints(loader)["split"]) if "split" in takes else ()
    given = _given(data, root, network)
    if not {"train", "test"} <= set(splits):
        return _drawn(_read(loader(**given), network), data)
    train, test = (_read(loader(split=split, **given), network) for split in ("train", "test"))
    if "validation" in splits:
        validation = _read(loader(split="validation", **given), network)
    else:
        held = _every_fifth(train.labels)
        train, validation = train[~held], train[held]
    shared = torch.isin(torch.cat([validation.labels, test.labels]).unique(), train.labels)
    if shared.any() and not shared.all():
        raise ValueError(f"data must have the same classes in all splits or none in two, but {data} has {int(shared.sum())} in two")
    return _checked(Parts(train, validation, test, "train" if shared.any() else None), data)


def _checked(found: Parts, data: str) -> Parts:
    """Each split that searches itself has classes; one that searches the training items needs none of its own."""
    for split, samples in zip(found._fields, found[:3], strict=False):
        if split == "train" or found.gallery is None:
            with_classes(samples, data, split)
    return found


def _given(data: str, root: Path | None, network: str) -> dict[str, Any]:
    """The arguments of a loader besides the split."""
    takes = inspect.signature(known()[data]).parameters
    place = next(iter(PLACES & takes.keys()), None)
    if root is None and place is not None and takes[place].default is inspect.Parameter.empty:
        raise ValueError(f"{data} does not come with the package; say where it is: --root DIR")
    if root is not None and place is None:
        raise ValueError(f"root is nothing that {data} takes; leave --root out")
    given = {} if root is None else {place: root}
    if "what" in takes:
        given["what"] = NETWORKS[network]
    if network == "pixels" and "size" in takes:
        given["size"] = SIZE
    return given


def _of_folder(data: str, root: Path | None, network: str) -> Samples:
    folder = Path(data)
    if root is not None:
        raise ValueError(f"root goes with the name of a set; what is asked for is in {data} already, so leave --root out")
    if not folder.is_dir():
        raise ValueError(f"data must be one of {', '.join(known())}, or a folder of pictures with a folder a class, got {data}")
    if network == "pixels":
        return _read(image_folder(folder, size=SIZE), network)
    names, features = ready_features(folder)
    classes = [name.rpartition("/")[0] for name in names]
    if "" in classes:
        raise ValueError(f"{folder / FILE} must name its items class/picture, got {names[classes.index('')]!r}, which has no class")
    numbers = {name: number for number, name in enumerate(sorted(set(classes)))}
    return _read(Samples(features, torch.tensor([numbers[name] for name in classes])), network)


def _read(samples: Samples, network: str) -> Samples:
    """Features as they are, or pictures as bytes."""
    inputs = samples.inputs
    if isinstance(inputs, ImageFiles) and network == "pixels":
        return in_memory(samples)
    shape = (2,) if network == "head" else (4,)
    if not isinstance(inputs, Tensor) or inputs.dim() not in shape:
        got = list(inputs.shape) if isinstance(inputs, Tensor) else type(inputs).__name__
        raise ValueError(f"data must hold {NETWORKS[network]} for --network {network}, got {got}; try the other network")
    return samples


def _drawn(samples: Samples, data: str) -> Parts:
    """Half of the classes to judge on, every fifth of the others to choose by; which ones is the same each time."""
    classes = samples.labels.unique()
    if len(classes) < _FEWEST:
        raise ValueError(f"data must have {_FEWEST} classes or more, {data} has {len(classes)}; half are judged, two choose")
    classes = classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))]
    half = len(classes) // 2
    fifth = max(2, (len(classes) - half) // 5)
    test, validation, train = (
        samples[torch.isin(samples.labels, part)] for part in (classes[:half], classes[half : half + fifth], classes[half + fifth :])
    )
    return _checked(Parts(train, validation, test, None), data)


def _every_fifth(labels: Tensor) -> Tensor:
    """The items of every fifth class, as of the birds in `rankbook.experiments.tasks.sets`."""
    return torch.isin(labels, labels.unique()[4::5])
