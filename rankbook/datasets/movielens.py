"""MovieLens 100k: what people thought of films, and when, in the layout of its authors and in that of RecBole."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from rankbook.datasets.layout import check_file, check_folder, once, rows
from rankbook.datasets.samples import Samples

_SOURCE = (
    "MovieLens 100k is ml-100k.zip of grouplens.org/datasets/movielens: unpack it, and name the folder with u.data; RecBole ships it too, "
    "as ml-100k.inter in its folder dataset_example/ml-100k"
)
#: In the order of the 19 flags of a line of u.item; as in u.genre.
_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


def movielens(root: str | os.PathLike[str]) -> Samples:
    """MovieLens 100k: 100,000 ratings from 1 to 5 that 943 people gave to 1,682 films in 1997 and 1998.

    Args:
        root: the folder with ``u.data``, ``u.item`` and ``u.user``, as its authors give it; or with ``ml-100k.inter``, ``.item`` and
            ``.user``, as RecBole ships it.

    Returns: `Samples`, a rating each, in the order of the file. Inputs int64 ``[n, 2]``: the person and the film, each numbered from 0
    in the order of the numbers in the files. Targets float32 ``[n]``: the rating. The table has ``user``, ``film`` (as in the files),
    ``time`` (seconds since 1970), ``age``, ``gender``, ``occupation``, ``title``, ``year`` (0: unknown) and ``genres``, joined by
    ``|``. A line that comes twice counts once.

    Raises:
        NotADirectoryError, FileNotFoundError: the folder or a file is missing; the message says where to get it.
        ValueError: a line of another form, a rating that is no whole number from 1 to 5, two different ratings of a film by one person,
            a person or a film that the other files do not know.

    Cost: a second.

    Source: Harper and Konstan, "The MovieLens datasets: history and context" (TiiS 2015). Its license forbids to pass it on.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     _ = pathlib.Path(root, "u.data").write_text("7\\t2\\t4\\t881250949\\n9\\t2\\t1\\t881250950\\n")
    ...     _ = pathlib.Path(root, "u.user").write_text("7|24|M|technician|85711\\n9|53|F|other|94043\\n")
    ...     _ = pathlib.Path(root, "u.item").write_text("2|GoldenEye (1995)|01-Jan-1995|||0|1|1" + "|0" * 13 + "|1|0|0\\n")
    ...     data = rb.datasets.movielens(root)
    >>> data.inputs.tolist(), data.targets.tolist(), data.table["genres"][0]
    ([[0, 0], [1, 0]], [4.0, 1.0], 'Action|Adventure|Thriller')
    """
    import pandas as pd

    root = check_folder(root, "ml-100k", _SOURCE)
    theirs = (root / "u.data").is_file() or not (root / "ml-100k.inter").is_file()
    ratings = _read(root, "u.data" if theirs else "ml-100k.inter", 4, "\t", skip=not theirs, key=2)
    people = _read(root, "u.user" if theirs else "ml-100k.user", 5, "|" if theirs else "\t", skip=not theirs)
    films = _read(root, "u.item", 24, "|", encoding="latin-1") if theirs else _read(root, "ml-100k.item", 4, "\t", skip=True)
    found = []
    for number, (user, film, rating, time) in ratings.values():
        where = f"line {number} of {root / ('u.data' if theirs else 'ml-100k.inter')}"
        if rating not in {"1", "2", "3", "4", "5"}:
            raise ValueError(f"a rating must be a whole number from 1 to 5, got {rating!r} in {where}")
        if not time.isdigit():
            raise ValueError(f"a time must be whole seconds since 1970, got {time!r} in {where}")
        for what, one, known in (("user", user, people), ("film", film, films)):
            if one not in known:
                raise ValueError(f"every {what} must have a line of its own, but {what} {one} of {where} has none; {_SOURCE}")
        title, year, genres = _film(films[film][1], theirs)
        found.append((user, film, int(rating), int(time), *people[user][1][1:4], title, year, genres))
    columns = ["user", "film", "rating", "time", "age", "gender", "occupation", "title", "year", "genres"]
    table = pd.DataFrame(found, columns=columns)
    numbers = [_numbered("user", table["user"], root), _numbered("film", table["film"], root)]
    table["age"] = [_whole("an age", one, root) for one in table["age"]]
    targets = torch.tensor(table.pop("rating").to_numpy(), dtype=torch.float32)
    return Samples(torch.stack(numbers, 1), table=table, targets=targets)


def _read(
    root: Path, name: str, cells: int, between: str, *, skip: bool = False, key: int = 1, encoding: str = "utf-8-sig"
) -> dict[str, tuple[int, tuple[str, ...]]]:
    """The lines of a file by their first cells: (number, cells)."""
    path = check_file(root, name, _SOURCE)
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    for number, line in rows(path, encoding)[skip:]:
        parts = tuple(one.strip() for one in line.rstrip("\r").split(between))
        if len(parts) != cells or not all(parts[:key]):
            raise ValueError(f"line {number} of {path} must have {cells} cells, got {line!r:.80}; {_SOURCE}")
        once(found, " ".join(parts[:key]), number, parts, path)
    if not found:
        raise ValueError(f"{path} must have at least one line, got none; {_SOURCE}")
    return found


def _film(cells: tuple[str, ...], theirs: bool) -> tuple[str, int, str]:
    """Title, year (0: unknown) and genres."""
    if not theirs:
        _, title, year, genres = cells
        return title, int(year) if year.isdigit() else 0, genres.replace(" ", "|")
    title, date = cells[1], cells[2]
    year = date[-4:]
    name = title[: -len(f" ({year})")] if year and title.endswith(f" ({year})") else title
    flags = "|".join(genre for genre, flag in zip(_GENRES, cells[5:], strict=True) if flag == "1")
    return name, int(year) if year.isdigit() else 0, flags


def _numbered(what: str, column, root: Path) -> torch.Tensor:
    """Numbers from 0, in the order of those in the file."""
    values = torch.tensor([_whole(f"a {what}", one, root) for one in column])
    return values.unique(return_inverse=True)[1]


def _whole(what: str, text: str, root: Path) -> int:
    if not text.isdigit():
        raise ValueError(f"{what} must be a whole number, got {text!r} in {root}; {_SOURCE}")
    return int(text)
