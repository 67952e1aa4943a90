"""What a reader installs: the wheel holds all that it needs, is small, and works alone in an empty folder without a network.

`make nbval` runs every chapter from such a wheel.
"""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from pages_of_book import ROOT
from stage_wheel import stage

NOT_SHIPPED = {".py", ".pyc", ".lock", ".tmp"}  # of data/: what made the files
WORKS = """
import json, pathlib, sys
import pandas as pd
import rankbook as rb
from rankbook.archive import asset
report = {
    "from": rb.__file__,
    "emoji": [list(rb.datasets.emoji("test", what).inputs.shape[1:]) for what in ("features", "images", "texts")],
    "sorters": [type(rb.load_sorter(name)).__name__ for name in rb.list_sorters().index],
    "figure": rb.live.LearnedSorters().readout()["sorter"],
    "tables": {path.name: len(pd.read_csv(path)) for path in asset("results").glob("*.csv")},
    "here": [path.name for path in pathlib.Path().iterdir()],
}
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """The folder that the notebooks are run from, outside of the clone."""
    folder = tmp_path_factory.mktemp("wheel")
    before = root_files()
    wheel = stage(folder / "staged")
    assert root_files() == before, "building leaves nothing behind"
    return wheel


def root_files():
    return {path: path.stat().st_mtime_ns for path in ROOT.iterdir()}


def run(staged, cwd, code):
    """A fresh Python that finds the unpacked wheel first, and reaches neither clone nor network."""
    paths = os.pathsep.join([str(ROOT / "tests" / "offline"), str(staged.parent / "site")])
    env = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120)


def test_the_wheel_is_small(staged):
    assert staged.stat().st_size < 30e6


def test_the_wheel_holds_the_package_the_data_and_the_licenses_and_nothing_else(staged):
    there = set(zipfile.ZipFile(staged).namelist())
    package = {path for path in (ROOT / "rankbook").rglob("*") if path.is_file() and path.suffix not in {".pyc", ".tmp", ".lock"}}
    data = {path for path in (ROOT / "data").rglob("*") if path.is_file() and path.suffix not in NOT_SHIPPED}
    data -= {ROOT / "data/emoji/requirements-prepare.txt"}
    wanted = {path.relative_to(ROOT).as_posix() for path in package}
    wanted |= {f"rankbook/{path.relative_to(ROOT).as_posix()}" for path in data}
    assert {name for name in there if ".dist-info/" not in name} == wanted
    licenses = {name.partition(".dist-info/licenses/")[2] for name in there} - {""}
    assert licenses == {"LICENSE", "NOTICE", "data/emoji/LICENSES.md", "data/emoji/licenses/Apache-2.0.txt"}


def test_everything_works_from_the_wheel_in_an_empty_folder_offline(staged, tmp_path):
    done = run(staged, tmp_path, WORKS)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["from"].startswith(str(staged.parent / "site"))
    assert report["emoji"] == [[512], [3, 48, 48], [384]]
    assert len(report["sorters"]) == len(list((ROOT / "data" / "sorters").glob("*/card.json")))
    assert report["figure"] == "kernel"
    assert set(report["tables"]) == {path.name for path in (ROOT / "data" / "results").glob("*.csv")}
    assert min(report["tables"].values()) > 0
    assert report["here"] == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import urllib.request; urllib.request.urlopen('http://192.0.2.1')", "no network here"),
        ("import urllib.request; urllib.request.urlopen('https://github.com')", "no network here"),
        (f"open({str(ROOT / 'data/README.md')!r})", "no clone beside it"),
        (f"import os; os.listdir({str(ROOT / 'data')!r})", "no clone beside it"),
        (f"import sys; sys.path.insert(0, {str(ROOT)!r}); import rankbook", "no clone beside it"),
    ],
)
def test_the_guard_refuses_network_and_clone(staged, tmp_path, code, said):
    done = run(staged, tmp_path, code)
    assert done.returncode != 0 and said in done.stderr


def test_the_guard_lets_this_machine_through(staged, tmp_path):
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    assert run(staged, tmp_path, code).returncode == 0


def test_the_guard_lets_a_folder_of_another_place_be_removed(staged, tmp_path):
    """As pytest does with the temporary folders of earlier runs, whatever their names, from this clone as the working folder."""
    (tmp_path / "old" / "rankbook" / "data").mkdir(parents=True)
    done = run(staged, ROOT, f"import shutil; shutil.rmtree({str(tmp_path / 'old')!r})")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "old").exists()


def test_what_pip_install_leaves_is_ignored():
    assert {"build/", "*.egg-info/"} <= set((ROOT / ".gitignore").read_text().splitlines())
