"""Bundle the live figures and build the book strictly; do nothing if no input changed since the last good build.

Sphinx can build only what changed, but then it stays silent about a warning in a page that did not change, and it does not notice a
change in a local extension. So a build here is always a whole one, and a fingerprint of every input tells whether one is needed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
STAMP = ROOT / "_build" / "book-inputs.txt"
SCRIPTS = ROOT / "book" / "_static" / "rb"
TOP_LEVEL = ["_config.yml", "_toc.yml", "requirements.txt", "pyproject.toml", "tools/build_book.py"]
FOLDERS = ["book", "rankbook"]
GENERATED = {"__pycache__", ".ipynb_checkpoints", "rb"}


def inputs() -> list[Path]:
    files = [ROOT / name for name in TOP_LEVEL]
    for folder in FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file() and not GENERATED & set(path.relative_to(ROOT).parts)]
    return sorted(files)


def fingerprint() -> str:
    digest = hashlib.sha256()
    for path in inputs():
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build() -> None:
    env = {**os.environ, "PYTHONHASHSEED": "0", "MPLBACKEND": "agg"}
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(SCRIPTS, ignore_errors=True)  # a figure that is no more leaves no script behind
    subprocess.run([sys.executable, "-m", "rankbook.live.bundle", str(SCRIPTS)], cwd=ROOT, env=env, check=True)
    jupyter_book = shutil.which("jupyter-book", path=str(Path(sys.executable).parent)) or "jupyter-book"
    subprocess.run([jupyter_book, "build", ".", "--all", "-n", "-W", "--keep-going"], cwd=ROOT, env=env, check=True)


def main() -> int:
    wanted = fingerprint()
    built = HTML.joinpath("index.html").exists() and STAMP.exists() and STAMP.read_text().strip() == wanted
    if not built:
        try:
            build()
        except subprocess.CalledProcessError as error:
            print(f"rankbook: the book was not built: `{' '.join(error.cmd)}` failed; the reason stands above", file=sys.stderr)
            return 1
        STAMP.write_text(wanted + "\n")
    print(f"rankbook: the book is {'unchanged' if built else 'built'}. Open {HTML / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
