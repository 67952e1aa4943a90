"""How well people remember: videos of VideoMem, photographs of LaMem and LNSIM, each in its own public layout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from rankbook.checks import check_choice, check_count, warn
from rankbook.datasets.folder import ImageFiles
from rankbook.datasets.layout import arrays, check_file, check_folder, once, rows, share, shown
from rankbook.datasets.ready_features import features_where_known
from rankbook.datasets.samples import Samples

_VIDEOMEM = (
    "the development set of the MediaEval 2018 memorability task is given after registration with its organizers (multimediaeval.org)"
)
_COLUMNS = ["video", "short-term_memorability", "nb_short-term_annotations", "long-term_memorability", "nb_long-term_annotations"]
_LAMEM = "LaMem is at memorability.csail.mit.edu: unpack lamem.tar.gz, and name the folder with images/ and splits/"
_LNSIM = "LNSIM is the repository JiaxinLu-home/Natural-Scene-Memorability-Dataset on GitHub: clone it, and name its folder"

Part = Literal["train", "val", "test"]


def videomem(root: str | os.PathLike[str], *, features: str | None = None) -> Samples:
    """The development set of VideoMem, MediaEval 2018: 8,000 short videos, each with how many people recognized it.

    Args:
        root: the folder with ``ground-truth_dev-set.csv`` and ``dev-set_video-captions.txt``.
        features: a file of yours in that folder, npz, with ``video`` ``[m]``, names such as ``video10.webm``, and ``X`` ``[m, d]``.
            Videos without features are left out with a warning. None: the inputs are the captions, an array of words that
            scikit-learn's ``TfidfVectorizer`` takes.

    Returns: `Samples` with targets float32 ``[n, 2]``: the share of people who recognized the video minutes later and days later;
    NaN where the file has no score. The table has ``video``, ``caption``, and ``short_annotations`` and ``long_annotations``, how
    many people were asked. A video without a caption has an empty one, and a warning names it.

    Raises:
        NotADirectoryError, FileNotFoundError: the folder or a file is missing; the message says where to ask for it.
        ValueError: other columns, a score that is no number from 0 to 1, a video with two different lines.

    Cost: a second.

    Source: Cohendet et al., "VideoMem: constructing, analyzing, predicting short-term and long-term video memorability" (ICCV 2019).

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     _ = pathlib.Path(root, "ground-truth_dev-set.csv").write_text(
    ...         "video,short-term_memorability,nb_short-term_annotations,long-term_memorability,nb_long-term_annotations\\n"
    ...         "video1.webm,0.950,34,0.900,10\\nvideo2.webm,0.700,33,,0\\n")
    ...     _ = pathlib.Path(root, "dev-set_video-captions.txt").write_text("video1.webm\\tblonde-woman\\nvideo2.webm\\tan-empty-road\\n")
    ...     data = rb.datasets.videomem(root)
    >>> data.targets, data.inputs.tolist()
    (tensor([[0.9500, 0.9000],
            [0.7000,    nan]]), ['blonde woman', 'an empty road'])
    """
    import pandas as pd

    root = check_folder(root, "videomem", _VIDEOMEM)
    path = check_file(root, "ground-truth_dev-set.csv", _VIDEOMEM)
    (_, head), *lines = rows(path) or [(0, "")]
    if [one.strip() for one in head.split(",")] != _COLUMNS:
        raise ValueError(f"{path} must have the columns {','.join(_COLUMNS)}, got {head!r}; {_VIDEOMEM}")
    scores: dict[str, tuple[int, object]] = {}
    for number, line in lines:
        cells = [one.strip() for one in line.split(",")]
        if len(cells) != len(_COLUMNS) or not cells[0]:
            raise ValueError(f"line {number} of {path} must have a video and {len(_COLUMNS) - 1} numbers, got {line!r}")
        once(scores, cells[0], number, tuple(cells[1:]), path)
    captions = _captions(check_file(root, "dev-set_video-captions.txt", _VIDEOMEM))
    if without := [name for name in scores if not captions.get(name)]:
        warn(f"{len(without)} of {len(scores)} videos in {root} have no caption: {shown(without)}")
    told = [(name, number, *cells) for name, (number, cells) in scores.items()]
    if not told:
        raise ValueError(f"{path} must have at least one video, got none; {_VIDEOMEM}")
    targets = [[share(one[at], _COLUMNS[at - 1], path, one[1]) for at in (2, 4)] for one in told]
    table = pd.DataFrame({"video": list(scores), "caption": [captions.get(name, "") for name in scores]})
    for at, column in ((3, "short_annotations"), (5, "long_annotations")):
        table[column] = [_count(one[at], path, one[1]) for one in told]
    return _samples(np.array(table["caption"], dtype=str), table, torch.tensor(targets), root, features, "video")


def lamem(root: str | os.PathLike[str], part: Part = "train", *, split: int = 1, size: int = 224, features: str | None = None) -> Samples:
    """LaMem: 58,741 photographs of many kinds, each with how well people remember it, in five splits.

    Args:
        root: the folder with ``images/`` and ``splits/``, as the archive unpacks.
        part: ``"train"``, ``"val"`` or ``"test"``.
        split: 1 to 5, which of the published ones.
        size: height and width of the pictures, which are read when they are asked for; see `ImageFiles`.
        features: a file of yours in that folder, npz, with ``image`` ``[m]``, names such as ``00000001.jpg``, and ``X`` ``[m, d]``.

    Returns: `Samples` with targets float32 ``[n]`` from 0 to 1; the table has ``image``.

    Raises:
        NotADirectoryError, FileNotFoundError: the folder or a file is missing; the message says where to ask for it.
        ValueError: another part or split, a line that is no name and number, a picture with two scores.

    Cost: a second; no picture is read.

    Source: Khosla et al., "Understanding and predicting image memorability at a large scale" (ICCV 2015).

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     pathlib.Path(root, "splits").mkdir()
    ...     _ = pathlib.Path(root, "splits", "train_1.txt").write_text("00000001.jpg 0.720000\\n00000002.jpg 0.640000\\n")
    ...     data = rb.datasets.lamem(root)
    >>> data
    Samples(2 of 2 classes, inputs ImageFiles, 1 level, targets float32 [2])
    """
    import pandas as pd

    root = check_folder(root, "lamem", _LAMEM)
    check_choice("part", part, get_args(Part))
    check_count("split", split, at_most=5)
    path = check_file(root, f"splits/{part}_{split}.txt", _LAMEM)
    found: dict[str, tuple[int, object]] = {}
    for number, line in rows(path):
        name, *score = line.split()
        if len(score) != 1:
            raise ValueError(f"line {number} of {path} must be a picture and its score, such as '00000001.jpg 0.72', got {line!r}")
        once(found, name, number, share(score[0], "the score", path, number), path)
    if not found:
        raise ValueError(f"{path} must have at least one picture, got none; {_LAMEM}")
    table = pd.DataFrame({"image": list(found)})
    images = ImageFiles(root / "images", [Path(name) for name in found], size=size)
    return _samples(images, table, torch.tensor([score for _, score in found.values()]), root, features, "image")


def lnsim(root: str | os.PathLike[str], *, size: int = 224, features: str | None = None) -> Samples:
    """LNSIM: 2,632 photographs of outdoor scenes, scored by two halves of the people, split 25 times.

    The halves say how far people agree, which is the ceiling of any prediction: train on one half, test on the other.

    Args:
        root: the folder with ``Image_data/`` and ``Random_splits/subject_hrs1.mat`` and ``subject_hrs2.mat``, as the repository has
            them; or with a file ``lnsim.npz`` of yours that holds ``name`` ``[n]``, ``half1`` and ``half2`` ``[25, n]``, and ``X``
            ``[n, d]``, features in the place of the pictures.
        size: height and width of the pictures, which are read when they are asked for; see `ImageFiles`.
        features: a file of yours in that folder, npz, with ``image`` ``[m]``, names such as ``0001.jpg``, and ``X`` ``[m, d]``.

    Returns: `Samples` with targets float32 ``[n, 2, 25]``: the score of each half in each split; ``data.targets.mean((1, 2))`` is one
    score. The table has ``image``.

    Raises:
        NotADirectoryError, FileNotFoundError: the folder or a file is missing; the message says where to ask for it.
        ValueError: halves that are not two tables of one shape, one column a picture; scores outside of 0 to 1.

    Cost: a second; no picture is read.

    Source: Lu et al., "Understanding and predicting the memorability of outdoor natural scenes" (TIP 2020).

    >>> import numpy, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     halves = {"half1": numpy.full((25, 3), 0.5), "half2": numpy.full((25, 3), 0.75)}
    ...     numpy.savez(pathlib.Path(root, "lnsim.npz"), name=["0001.jpg", "0002.jpg", "0003.jpg"], X=numpy.eye(3), **halves)
    ...     data = rb.datasets.lnsim(root)
    >>> data, data.targets.mean((1, 2)).tolist()
    (Samples(3 of 3 classes, inputs float32 [3, 3], 1 level, targets float32 [3, 2, 25]), [0.625, 0.625, 0.625])
    """
    import pandas as pd

    root = check_folder(root, "lnsim", _LNSIM)
    packed = root / "lnsim.npz"
    if packed.is_file():
        names, *halves = arrays(packed, "name", "half1", "half2")
        names, path, features = [str(name) for name in names], packed, features or packed.name
    else:
        path = root / "Random_splits"
        halves = [_matrix(check_file(root, f"Random_splits/subject_hrs{half}.mat", _LNSIM)) for half in (1, 2)]
        names = sorted(one.name for one in (root / "Image_data").glob("*.jpg"))
    targets = np.stack(halves) if halves[0].shape == halves[1].shape else np.empty((2, 0, 0))
    if targets.ndim != 3 or targets.shape[2] != len(names) or not names:
        shapes = " and ".join(str(half.shape) for half in halves)
        raise ValueError(f"{path} must have two tables [splits, pictures] for the {len(names)} pictures, got {shapes}; {_LNSIM}")
    if not ((targets >= 0) & (targets <= 1)).all():
        raise ValueError(f"{path} must have scores from 0 to 1, got {targets[~((targets >= 0) & (targets <= 1))][0]}")
    images = ImageFiles(root / "Image_data", [Path(name) for name in names], size=size)
    targets = torch.from_numpy(np.ascontiguousarray(targets.transpose(2, 0, 1))).float()
    return _samples(images, pd.DataFrame({"image": names}), targets, root, features, "image")


def _samples(inputs, table, targets: torch.Tensor, root: Path, features: str | None, column: str) -> Samples:
    """The inputs as they are, or in their place what a file knows of them; one target is float32."""
    data = Samples(inputs, table=table, targets=targets.float())
    if features is None:
        return data
    x, has = features_where_known(table[column].tolist(), root, features, column)
    data = data[has]
    return Samples(x, data.labels, data.levels, data.table, data.targets)


def _captions(path: Path) -> dict[str, str]:
    found: dict[str, tuple[int, object]] = {}
    for number, line in rows(path):
        name, _, words = line.partition("\t")
        once(found, name.strip(), number, " ".join(words.replace("-", " ").split()), path)
    return {name: str(words) for name, (_, words) in found.items()}


def _count(text: str, path: Path, number: int) -> int:
    if not text.isdigit():
        raise ValueError(f"how many people were asked must be a whole number, got {text!r} in line {number} of {path}")
    return int(text)


def _matrix(path: Path) -> np.ndarray:
    """The one table of numbers in a file of MATLAB."""
    from scipy.io import loadmat

    try:
        found = [value for name, value in loadmat(path).items() if not name.startswith("__")]
    except Exception as error:  # each version of the format raises its own kinds
        raise ValueError(f"{path} must be a file of MATLAB: {error}; {_LNSIM}") from error
    if len(found) != 1 or found[0].ndim != 2 or found[0].dtype.kind not in "fiu":
        raise ValueError(f"{path} must hold one table of numbers, got {len(found)}; {_LNSIM}")
    return found[0]
