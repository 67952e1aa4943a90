"""Build the wheel and lay it out as a reader has it: the installed package, and the notebooks in a folder of their own.

    python tools/stage_wheel.py              # into _build/wheel
    python tools/stage_wheel.py some/folder

Needs no network: setuptools is among the pinned packages. Nothing is written beside the sources.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAGE = ROOT / "_build" / "wheel"
SOURCES = ["LICENSE", "NOTICE", "README.md", "data", "pyproject.toml", "rankbook", "setup.py"]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


def stage(folder: Path = STAGE) -> Path:
    """Fill a folder: the wheel itself, ``site`` as pip would install it, ``book`` with the notebooks. Returns the wheel."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as sources:
        for name in SOURCES:  # a copy: setuptools leaves build/ where it works, and would take old files from it
            path = ROOT / name
            if path.is_dir():
                shutil.copytree(path, Path(sources, name), ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, sources)
        command = [sys.executable, "-c", BUILD, str(folder)]
        done = subprocess.run(command, cwd=sources, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}\nrankbook: the wheel was not built; the reason stands above")
    wheel = folder / done.stdout.split()[-1]
    zipfile.ZipFile(wheel).extractall(folder / "site")
    shutil.copytree(ROOT / "book", folder / "book", ignore=lambda _, names: [name for name in names if not name.endswith(".ipynb")])
    return wheel


if __name__ == "__main__":
    print(stage(Path(sys.argv[1]).resolve() if sys.argv[1:] else STAGE))
