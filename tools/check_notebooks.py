"""Run every notebook as a reader of the installed package does, and compare with the stored outputs.

    python tools/check_notebooks.py                         # all, two at a time
    python tools/check_notebooks.py book/no_gradient.ipynb

The package comes from the wheel, the notebooks lie alone in a folder, and whoever reaches for the network or for this clone fails
(tests/offline). Pictures must look alike (tests/offline/nbval_pictures.py). So what passes here passes on Colab, once rankbook is
installed.
"""

import os
import subprocess
import sys

from stage_wheel import ROOT, STAGE, stage

NBVAL = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout", "120", "--nbval-sanitize-with", "tests/nbval_sanitize.cfg"]
PICTURES = ["-p", "nbval_pictures"]
# One thread: two workers share two cores, and sums come out in the same order everywhere.
ENV = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYTHONHASHSEED": "0"}


def main(names: list[str]) -> int:
    stage()
    paths = os.pathsep.join([str(ROOT / "tests" / "offline"), str(STAGE / "site")])
    notebooks = [str(STAGE / name) for name in names] or [str(STAGE / "book")]
    command = [sys.executable, "-m", "pytest", *NBVAL, *PICTURES, "-n", "2", "--dist", "loadfile", "-q", *notebooks]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **ENV, "PYTHONPATH": paths}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
