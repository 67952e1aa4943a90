"""Every file that the package ships is found, or refused with its name and the way out, whatever happened to it."""

import re
from pathlib import Path

import pytest

import rankbook
from rankbook import archive
from rankbook.archive import Archive, asset

PACKAGE = Path(rankbook.__file__).parent
# A new registry joins by its name: NAME_sha256.txt for data/NAME.
REGISTRIES = {path.name.removesuffix("_sha256.txt"): path for path in PACKAGE.rglob("*_sha256.txt")}
FILES = [(name, file) for name, path in REGISTRIES.items() for file in Archive(name, path, rebuild="").registry]
REBUILD = "python make_it_again.py"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"\0")


def empty(path):
    path.write_bytes(b"")


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    truncate: (ValueError, "is damaged"),
    flip: (ValueError, "is damaged"),
    lengthen: (ValueError, "is damaged"),
    empty: (ValueError, "is damaged"),
    Path.unlink: (FileNotFoundError, "is missing"),
    replace_by_folder: (OSError, "cannot be read"),
}


def copy(name, file, to):
    """One shipped file in a folder of its own."""
    path = to / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((asset(name) / file).read_bytes())
    return path


def test_registries_are_found():
    assert {"emoji", "sorters"} <= set(REGISTRIES) and len(FILES) > 20


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize(("name", "file"), FILES, ids=lambda part: part)
def test_every_damage_of_every_file_is_refused(tmp_path, name, file, damage):
    ours = Archive(name, REGISTRIES[name], rebuild=REBUILD)
    theirs = Archive(name, REGISTRIES[name], rebuild=REBUILD, folder=tmp_path)
    path = copy(name, file, tmp_path)
    assert theirs.read(file) == ours.read(file)
    damage(path)
    kind, said = DAMAGES[damage]
    with pytest.raises(kind, match=re.escape(str(path))) as error:
        theirs.read(file)
    for part in (said, ours.registry[file], REBUILD, "eave out folder="):
        assert part in str(error.value)


@pytest.mark.parametrize(("name", "path"), REGISTRIES.items(), ids=lambda part: part if isinstance(part, str) else "")
def test_a_registry_has_every_file_of_its_folder(name, path):
    kinds = {".csv", ".json", ".safetensors", ".webp"}
    there = {file.relative_to(asset(name)).as_posix() for file in asset(name).rglob("*") if file.suffix in kinds}
    assert there == set(Archive(name, path, rebuild="").registry)


@pytest.mark.parametrize(("installed", "way_out"), [(False, "git checkout -- data/sorters/"), (True, "pip install --force-reinstall")])
def test_the_way_out_fits_where_the_package_is(tmp_path, monkeypatch, installed, way_out):
    monkeypatch.setattr(archive, "REPOSITORY", tmp_path)
    monkeypatch.setattr(archive, "PACKAGE", tmp_path / "rankbook")
    (tmp_path / ("rankbook/data" if installed else "data") / "sorters").mkdir(parents=True)
    with pytest.raises(FileNotFoundError) as error:
        Archive("sorters", REGISTRIES["sorters"], rebuild=REBUILD).read("kernel/card.json")
    assert way_out in str(error.value).replace("Restore", "restore") and REBUILD in str(error.value)
    with pytest.raises(FileNotFoundError) as error:
        asset("sorters/kernel")
    assert way_out in str(error.value)


def test_an_installed_package_never_looks_beside_itself(tmp_path, monkeypatch):
    """site-packages/data would be somebody else's."""
    monkeypatch.setattr(archive, "REPOSITORY", tmp_path)
    monkeypatch.setattr(archive, "PACKAGE", tmp_path / "rankbook")
    for folder in ("data", "rankbook/data"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "table.csv").write_text(folder)
    assert asset("table.csv").read_text() == "rankbook/data"


def test_a_missing_asset_says_what_is_there():
    with pytest.raises(FileNotFoundError, match=r"benhc\.csv is missing \(beside it: .*bench\.csv"):
        asset("results/benhc.csv")
    with pytest.raises(FileNotFoundError, match=r"is missing \(beside it: no such folder\)"):
        asset("nothing/at/all")


@pytest.mark.parametrize("folder", [3, ["emoji"], True])
def test_a_folder_that_is_no_path_is_refused(folder):
    with pytest.raises(TypeError, match=f"folder must be a path, such as .*, got {type(folder).__name__}"):
        Archive("emoji", REGISTRIES["emoji"], rebuild="", folder=folder)
