"""The first code cell of every notebook, with the address from pyproject.toml; refresh_notebooks.py writes it."""

import tomllib
from pathlib import Path

PROJECT = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
SETUP = f"""\
# Installs rankbook where it is missing, as on Colab; does nothing where it is there.
import glob
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("rankbook") is None:
    wheels = glob.glob("rankbook-*.whl")
    clone = os.path.exists("../rankbook/archive.py")
    address = "git+{PROJECT["urls"]["Repository"]}"
    source = wheels[0] if wheels else ".." if clone else address
    command = [sys.executable, "-m", "pip", "install", "-q", source]
    if subprocess.run(command).returncode:
        raise RuntimeError(
            f"pip could not install {{source}}; the reason stands above. Way out: put a "
            "wheel of rankbook (`pip wheel --no-deps .` in a clone makes one) beside "
            "this notebook."
        )
    importlib.invalidate_caches()"""
