"""The project's address stands in pyproject.toml; whatever repeats it says the same, and one command changes all of it."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import set_address
from pages_of_book import ROOT, notebooks
from setup_cell import SETUP

URLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
REPOSITORY = URLS["Repository"]
SLUG = REPOSITORY.removeprefix("https://github.com/")
OTHER = ("Some-Body", "other_name")  # put together below, so that this file is not rewritten itself
NEW, NEW_SITE = "https://github.com/{}/{}".format(*OTHER), f"https://{OTHER[0].lower()}.github.io/{OTHER[1]}/"
# Where somebody's repository of this name, or pages under this name, would be.
NAMES = f"(?:rankbook|{re.escape(SLUG.partition('/')[2])})"
ADDRESS = re.compile(rf"(?:github\.com|/github|/gh)/[\w.-]+/{NAMES}\b|[\w-]+\.github\.io/{NAMES}\b")


@pytest.fixture
def copy(tmp_path):
    """All text files of the project, as bytes, in a place of their own."""
    folder = tmp_path / "project"
    for path in set_address.texts(ROOT):
        (folder / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.relative_to(ROOT))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in set_address.texts(folder)}


def test_every_file_names_the_one_address():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert config["repository"]["url"] == citation["repository-code"] == REPOSITORY
    assert config["html"]["baseurl"] == citation["url"] == URLS["Documentation"]
    ours = {f"{prefix}/{SLUG}" for prefix in ("github.com", "/github", "/gh")} | {URLS["Documentation"].split("/", 2)[2].rstrip("/")}
    for path in set_address.texts(ROOT):
        assert set(ADDRESS.findall(path.read_text(encoding="utf-8"))) <= ours, path


def test_texts_leaves_out_no_text_that_git_tracks():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git clone")
    seen = {path.relative_to(ROOT).as_posix() for path in set_address.texts(ROOT)}
    for path in (ROOT / name for name in set(tracked.stdout.splitlines()) - seen):
        assert not path.exists() or not ADDRESS.search(path.read_bytes().decode("latin-1")), path


def test_one_command_changes_all_and_a_second_run_nothing(copy):
    before = contents(copy)
    changed = {path.relative_to(copy).as_posix() for path in set_address.rewrite(copy, NEW)}
    expected = {"pyproject.toml", "README.md", "CITATION.cff", "_config.yml", "book/intro.md"} | {f"{one}.ipynb" for one in notebooks()}
    assert expected <= changed == {name for name, content in contents(copy).items() if content != before[name]}
    found = {address for content in contents(copy).values() for address in ADDRESS.findall(content.decode())}
    assert found == set()  # nothing names the old repository or its pages any more
    urls = tomllib.loads((copy / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    assert urls == {"Repository": NEW, "Documentation": NEW_SITE}
    assert f"git+{NEW}" in (copy / f"{notebooks()[0]}.ipynb").read_text("utf-8")
    assert set_address.rewrite(copy, NEW + ".git") == set_address.rewrite(copy, NEW + "/") == []
    set_address.rewrite(copy, REPOSITORY)
    assert contents(copy) == before


@pytest.mark.parametrize("address", ["", "rankbook", "http://github.com/a/b", "https://github.com/a", "https://example.org/a/b"])
def test_another_form_of_address_is_refused(copy, address):
    with pytest.raises(ValueError, match=r"the address must be https://github\.com/OWNER/REPOSITORY"):
        set_address.rewrite(copy, address)


def test_an_interrupted_run_is_finished_by_the_next(copy, monkeypatch):
    before, writes = contents(copy), iter(range(3))

    def write(self, content, write=Path.write_bytes):
        if next(writes, None) is None:
            raise KeyboardInterrupt
        return write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        with pytest.raises(KeyboardInterrupt):
            set_address.rewrite(copy, NEW)
    assert contents(copy) != before
    set_address.rewrite(copy, NEW)
    assert not ADDRESS.search("".join(content.decode() for content in contents(copy).values()))
    set_address.rewrite(copy, REPOSITORY)
    assert contents(copy) == before


# --- the setup cell, where the address may not answer ---


def install(monkeypatch, returncode):
    """What the setup cell asks pip for, where rankbook is not installed."""
    asked = []

    def run(command, **_):
        asked.append(command[-1])
        return subprocess.CompletedProcess(command, returncode)

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("subprocess.run", run)
    exec(SETUP, {})
    return asked


def test_setup_takes_what_is_near_before_the_address(tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    monkeypatch.chdir(tmp_path / "book")
    assert install(monkeypatch, 0) == [f"git+{REPOSITORY}"]
    (tmp_path / "rankbook").mkdir()
    (tmp_path / "rankbook" / "archive.py").touch()
    assert install(monkeypatch, 0) == [".."]
    (tmp_path / "book" / "rankbook-0.1.0-py3-none-any.whl").touch()
    assert install(monkeypatch, 0) == ["rankbook-0.1.0-py3-none-any.whl"]


def test_setup_says_the_way_out_if_the_address_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=rf"could not install git\+{REPOSITORY}; .* Way out: put a wheel"):
        install(monkeypatch, 1)
