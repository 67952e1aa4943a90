"""Files that are whole or not there: written aside under a name of their own, then renamed; one writer at a time."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout


def check_path(name: str, value: Any, example: str) -> str | os.PathLike[str]:
    """Return ``value`` if it names a place."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path, such as {example!r}, got {type(value).__name__}")
    return value


def sha256(content: bytes) -> str:
    """The checksum as registries write it: ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that a reader, a kill and a full disk see the old content or the new one, never a part.

    The temporary name is unique, so that two writers do not share one; what a failure leaves is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        os.chmod(temporary, mode)  # mkstemp's own is for one user only
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: str | os.PathLike[str], *, wait: bool = True) -> Iterator[None]:
    """Hold ``path`` for this process: whoever reads, merges and writes a shared file does it inside.

    The lock is a file beside it that stays, empty: to remove it would let two writers in. Without ``wait`` a RuntimeError says
    that another process holds it; a process that is killed lets go.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=-1 if wait else 0)
    try:
        lock.acquire()
    except Timeout:
        raise RuntimeError(f"{path} is in use by another process; wait until it ends, or choose another path") from None
    try:
        yield
    finally:
        lock.release()


def probe(path: str | os.PathLike[str]) -> None:
    """Raise now, not after hours, if ``path`` cannot be written."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise type(error)(error.errno, f"cannot write {path}: {error.strerror}; choose another path") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
