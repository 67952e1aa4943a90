"""Where the project's data are, in a clone and in an installed package, and that they are the bytes that were recorded."""

from __future__ import annotations

import os
from pathlib import Path

from rankbook.files import check_path, sha256

PACKAGE = Path(__file__).parent
REPOSITORY = PACKAGE.parent
_REINSTALL = "install rankbook anew (pip install --force-reinstall --no-deps, and where it came from)"


def asset(path: str) -> Path:
    """The place of a file or folder of ``data/``, the same way in a clone, an editable install and an installed wheel.

    A wheel carries the whole of ``data/`` inside the package (setup.py says so), so that nothing is ever downloaded.

    Args:
        path: within ``data/``, with forward slashes, such as ``"results/bench.csv"``.

    Raises:
        FileNotFoundError: there is no such file or folder; the message says how to get it back.

    >>> from rankbook.archive import asset
    >>> asset("results/bench.csv").name
    'bench.csv'
    """
    place = _data() / path
    if not place.exists():
        beside = ", ".join(sorted(one.name for one in place.parent.iterdir())) if place.parent.is_dir() else "no such folder"
        raise FileNotFoundError(f"{place} is missing (beside it: {beside}); if it was there, {_remedy(path)}")
    return place


class Archive:
    """The files of one folder of ``data/``, each refused unless its checksum is the recorded one.

    Args:
        name: the folder in ``data/``.
        registry: the checksums, a file of the package with one ``file sha256:digest`` a line.
        rebuild: the command that makes the files anew in a clone, for the errors.
        folder: another copy of the files; None: those that came with the package.
    """

    def __init__(self, name: str, registry: Path, *, rebuild: str, folder: str | os.PathLike[str] | None = None):
        if folder is not None:
            check_path("folder", folder, f"copies/{name}")
        self.name = name
        self.registry = dict(line.split(" ") for line in registry.read_text("utf-8").splitlines())
        self.rebuild = rebuild
        self.ours = folder is None
        self.folder = _data() / name if folder is None else Path(folder)

    def read(self, file: str) -> bytes:
        """The bytes of one file, checked at every call: hashing the whole emoji set takes some hundredths of a second.

        Raises:
            OSError: the file is missing or cannot be read; FileNotFoundError and its kin.
            ValueError: it is not the recorded one. Both name the file and the way out.
        """
        path, expected = self.folder / file, self.registry[file]
        try:
            content = path.read_bytes()
        except OSError as error:
            what = f"cannot be read ({error.strerror})" if path.exists() else "is missing"
            raise type(error)(f"{path} {what}; expected a file with {expected}. {self._way_out(file)}") from error
        if sha256(content) != expected:
            raise ValueError(f"{path} is damaged: expected {expected}, found {sha256(content)}. {self._way_out(file)}")
        return content

    def _way_out(self, file: str) -> str:
        first = _remedy(f"{self.name}/{file}") if self.ours else "leave out folder= for the files that came with rankbook"
        return f"{first[0].upper()}{first[1:]}, or rebuild it in a clone of the repository: {self.rebuild}"


def _data() -> Path:
    """Inside the package in a wheel; beside it in a clone, which an editable install imports from."""
    shipped = PACKAGE / "data"
    return shipped if shipped.is_dir() else REPOSITORY / "data"


def _remedy(path: str) -> str:
    return _REINSTALL if _data().parent == PACKAGE else f"restore it (git checkout -- data/{path})"
