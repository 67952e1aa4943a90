"""Files are whole or not there, whatever happens in the middle."""

import os
import subprocess
import sys
import time

import pytest

from rankbook import files
from rankbook.files import locked, probe, sha256, write_whole


def test_write_whole_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in path.parent.iterdir()] == ["b.txt"]


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX systems")
def test_write_whole_gives_the_mode_of_any_new_file_and_keeps_that_of_an_old_one(tmp_path):
    write_whole(tmp_path / "new", b"")
    (tmp_path / "plain").touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "plain").chmod(0o600)
    write_whole(tmp_path / "plain", b"1")
    assert (tmp_path / "plain").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "table.csv"
    write_whole(path, b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_in_a_lock_lose_nothing(tmp_path):
    """Each process reads, waits and writes ten times; without the lock they overwrite each other."""
    path = tmp_path / "count.txt"
    path.write_text("0")
    program = (  # files.py alone: the package would bring torch, and seconds
        "import runpy, sys, time\nfrom pathlib import Path\npath = Path(sys.argv[1])\n"
        "files = runpy.run_path(sys.argv[2])\nlocked, write_whole = files['locked'], files['write_whole']\n"
        "for _ in range(10):\n    with locked(path):\n        n = int(path.read_text())\n        time.sleep(0.002)\n"
        "        write_whole(path, str(n + 1).encode())\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), files.__file__]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert path.read_text() == "30"


def test_a_lock_is_let_go_after_an_error(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "x"):
        raise KeyError
    start = time.monotonic()
    with locked(tmp_path / "x"):
        pass
    assert time.monotonic() - start < 5


def test_probe_says_at_once_what_cannot_be_written(tmp_path):
    probe(tmp_path / "new folder" / "file")
    assert not (tmp_path / "new folder" / "file").exists()
    with pytest.raises(IsADirectoryError, match="is a folder; name a file in it"):
        probe(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot write .*; choose another path"):
        probe(tmp_path / "file" / "below")


def test_sha256_is_written_as_registries_write_it():
    assert sha256(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
