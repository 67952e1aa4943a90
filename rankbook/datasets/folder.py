"""A folder of pictures, one folder a class, as `Samples` whose pictures are read when they are asked for."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from rankbook.checks import check_callable, check_choice, check_count, warn
from rankbook.datasets.layout import check_folder, shown
from rankbook.datasets.samples import Samples, row_numbers

_ENDINGS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def image_folder(
    root: str | os.PathLike[str],
    *,
    size: int = 224,
    transform: Callable[[Any], Tensor] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> Samples:
    """Pictures sorted into folders: ``root/class/picture.jpg``, or nested, ``root/group/class/picture.jpg``.

    The inputs are `ImageFiles`: nothing is read before it is asked for. The labels number the folders of the classes in
    alphabetical order; each folder above is one more level. The table has ``file``, the path within root, and ``class``, the name
    of the class, then ``level1`` (its group), ``level2``, ...: paths within root too, so that a name that two groups use names two
    classes. Hidden files, and those that end in nothing known (jpg, jpeg, png, webp, bmp, gif, tif, tiff), are passed over.

    Args:
        root: the folder. All pictures lie equally deep.
        size: height and width that each picture is scaled and cropped to, if ``transform`` is None.
        transform: picture of Pillow, RGB and upright -> tensor, all of one shape, such as the transform that belongs to a pretrained
            encoder. None: float32 ``[3, size, size]`` from 0 to 1.
        on_error: ``"raise"``: a picture that cannot be read is named when it is reached. ``"skip"``: all are read once, now, and a
            warning names those that are left out.

    Raises:
        NotADirectoryError: there is no such folder.
        ValueError: no picture, pictures at different depths, a damaged picture; the message names the file.

    Cost: one look at each folder; ``"skip"`` reads and decodes each picture.

    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("cat/one", "cat/two", "dog/one"):
    ...     (root / name).parent.mkdir(exist_ok=True)
    ...     Image.new("RGB", (40, 30), "tan").save(root / f"{name}.jpg")
    >>> photos = rb.datasets.image_folder(root, size=16)
    >>> photos.table["class"].tolist(), photos.labels.tolist()
    (['cat', 'cat', 'dog'], [0, 0, 1])
    >>> photos.inputs[torch.tensor([0, 2])].shape
    torch.Size([2, 3, 16, 16])
    """
    import pandas as pd

    root = check_folder(root, "photos", "it holds one folder of pictures for each class")
    check_choice("on_error", on_error, ("raise", "skip"))
    files = _pictures(root)
    images = ImageFiles(root, files, size=size, transform=transform)
    if on_error == "skip":
        images = images.subset(readable(images))
        files = images.files
    # a/b/c.jpg -> a/b, a: fine to coarse
    parents = [[str(parent) for parent in file.parents][:-1] for file in files]
    levels = np.stack([np.unique(column, return_inverse=True)[1] for column in zip(*parents, strict=True)], axis=1)
    table = pd.DataFrame({"file": [file.as_posix() for file in files]})
    for level, column in enumerate(zip(*parents, strict=True)):
        table["class" if level == 0 else f"level{level}"] = [Path(name).as_posix() for name in column]
    levels = torch.from_numpy(levels.astype(np.int64))
    return Samples(images, levels[:, 0].clone(), levels, table)


class ImageFiles:
    """Pictures on disk, read when they are indexed.

    `image_folder` makes it. ``images[i]`` is one picture, for a ``DataLoader`` over
    ``torch.utils.data.StackDataset(images, labels)``; ``images[rows]`` is a batch ``[rows, ...]``, with rows as `Samples` takes them:
    a slice, numbers, or truth values. `subset` selects without reading.

    A picture of 16 bits of gray is scaled from 0 to 65535.

    Raises:
        TypeError, IndexError: rows that are none.
        ValueError: a picture that is damaged or missing, or whose transform gives another shape; the message names the file.

    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (40, 30), "white").save(root / "one.png")
    >>> images = rb.datasets.ImageFiles(root, [pathlib.Path("one.png")], size=8)
    >>> images[0].shape, images[0].mean().item()
    (torch.Size([3, 8, 8]), 1.0)
    """

    def __init__(self, root: Path, files: Sequence[Path], *, size: int = 224, transform: Callable[[Any], Tensor] | None = None):
        self.root, self.files = Path(root), list(files)
        self.size = check_count("size", size)
        self.transform = None if transform is None else check_callable("transform", transform)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: Any) -> Tensor:
        if isinstance(rows, (int, np.integer)) or (isinstance(rows, (Tensor, np.ndarray)) and rows.ndim == 0):
            return self.decode(int(rows), self.content(int(rows)))
        rows = self._numbers(rows)
        return self.stack(rows, [self.content(row) for row in rows])

    def subset(self, rows: slice | Sequence[int] | Tensor) -> ImageFiles:
        """The same pictures by other numbers; nothing is read."""
        return ImageFiles(self.root, [self.files[row] for row in self._numbers(rows)], size=self.size, transform=self.transform)

    def _numbers(self, rows: Any) -> list[int]:
        return row_numbers(rows, len(self), "one picture is images[i]").tolist()

    def content(self, row: int) -> bytes:
        """The bytes of the file."""
        path = self.root / self.files[row]
        try:
            return path.read_bytes()
        except OSError as error:
            raise ValueError(f"the picture {path} cannot be read: {error.strerror}; put it back, or call image_folder again") from error

    def decode(self, row: int, content: bytes) -> Tensor:
        """The picture in these bytes, transformed."""
        from PIL import Image, ImageOps

        path = self.root / self.files[row]
        try:
            # photographs lie on their side and say so in their metadata
            opened = Image.open(io.BytesIO(content))
            picture = _of_bytes(ImageOps.exif_transpose(opened), opened.format).convert("RGB")
        except Exception as error:  # each reader of Pillow raises its own kinds
            raise ValueError(
                f'the picture {path} is damaged: {error}; replace it, delete it, or call image_folder(..., on_error="skip")'
            ) from error
        if self.transform is not None:
            tensor = self.transform(picture)
            if not isinstance(tensor, Tensor):
                raise TypeError(f"transform must return a tensor, got {type(tensor).__name__} from {path}; end it with ToTensor()")
            return tensor
        picture = ImageOps.fit(picture, (self.size, self.size), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float().div_(255)

    def stack(self, rows: Sequence[int], contents: Sequence[bytes]) -> Tensor:
        """Several pictures as one tensor."""
        tensors = [self.decode(row, content) for row, content in zip(rows, contents, strict=True)]
        for row, tensor in zip(rows, tensors, strict=True):
            if tensor.shape != tensors[0].shape:
                raise ValueError(
                    f"transform must give one shape, got {tuple(tensors[0].shape)} from {self.root / self.files[rows[0]]} and "
                    f"{tuple(tensor.shape)} from {self.root / self.files[row]}; let it resize and crop"
                )
        return torch.stack(tensors)

    def __repr__(self) -> str:
        return f"ImageFiles({len(self)} in {self.root})"


def _pictures(root: Path) -> list[Path]:
    """Paths within root, in the order of their names; links to folders are followed, once."""
    found, seen = [], set()
    for place, inner, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        inner[:] = [] if real in seen else sorted(name for name in inner if not name.startswith("."))
        if real in seen:
            continue
        seen.add(real)
        below = Path(place).relative_to(root)
        found += [below / name for name in names if Path(name).suffix.lower() in _ENDINGS and not name.startswith(".")]
    if not found:
        raise ValueError(f"root must hold pictures in folders of their classes, root/class/picture.jpg, but {root} holds none")
    found.sort(key=lambda file: file.parts)
    shallow, deep = (pick(found, key=lambda file: len(file.parts)) for pick in (min, max))
    if len(shallow.parts) == 1:
        raise ValueError(f"root must hold a folder for each class, but {root / shallow} lies in none; move it, or name another root")
    if len(shallow.parts) < len(deep.parts):
        raise ValueError(
            f"root must hold all pictures equally deep, root/class/picture or root/group/class/picture, but {root / shallow} and "
            f"{root / deep} are not; move one"
        )
    return found


def _of_bytes(picture: Any, file: str | None) -> Any:
    """A picture of Pillow whose numbers are bytes: its own conversion cuts larger ones off at 255."""
    from PIL import Image

    if picture.mode in ("I", "F") and file != "PNG":
        raise ValueError(f"its numbers, of Pillow's mode {picture.mode}, have no known scale; save it with 8 or 16 bits")
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    return picture


def readable(images: ImageFiles) -> list[int]:
    """The pictures that can be read and decoded, by number; a warning names the others."""
    good, said = [], []
    for row in range(len(images)):
        try:
            images.decode(row, images.content(row))
            good.append(row)
        except ValueError:
            said.append(str(images.files[row]))
    if said:
        warn(f"{len(said)} of {len(images)} pictures in {images.root} cannot be read and are left out: {shown(said)}")
    if not good:
        raise ValueError(f"root must hold pictures that can be read, but none in {images.root} can, such as {said[0]}")
    return good
