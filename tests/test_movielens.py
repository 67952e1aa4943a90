"""The reader of MovieLens 100k: tiny folders in both layouts, with the damage that real copies show."""

import pytest
import torch

import rankbook as rb

RATINGS = ["196\t242\t3\t881250949", "186\t302\t5\t891717742", "196\t302\t1\t881250900"]
FLAGS = {"242": "0|0|0|0|0|1" + "|0" * 13, "302": "0|1" + "|0" * 14 + "|1|0|0"}
FILMS = [f"242|Kolya (1996)|24-Jan-1997||http://a|{FLAGS['242']}", f"302|Caf\xe9 (1997)|01-Jan-1997||http://b|{FLAGS['302']}"]
PEOPLE = ["186|39|F|executive|00000", "196|49|M|writer|55105"]


def write_theirs(root, ratings=RATINGS, films=FILMS, people=PEOPLE, end="\n"):
    """As its authors give it: no heads, films in Latin-1."""
    for name, lines, encoding in (("u.data", ratings, "utf-8"), ("u.item", films, "latin-1"), ("u.user", people, "utf-8")):
        (root / name).write_bytes((end.join(lines) + end).encode(encoding))
    return root


def write_recbole(root, end="\n"):
    items = ["item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"]
    items += ["242\tKolya\t1997\tComedy", "302\tCafé\tunknown\tAction Thriller"]
    people = ["user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token", *(line.replace("|", "\t") for line in PEOPLE)]
    ratings = ["user_id:token\titem_id:token\trating:float\ttimestamp:float", *RATINGS]
    for name, lines in (("inter", ratings), ("item", items), ("user", people)):
        (root / f"ml-100k.{name}").write_bytes((end.join(lines) + end).encode())
    return root


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("write", [write_theirs, write_recbole])
def test_both_layouts_say_the_same(tmp_path, write, end):
    data = rb.datasets.movielens(write(tmp_path, end=end))
    assert data.inputs.tolist() == [[1, 0], [0, 1], [1, 1]] and data.inputs.dtype == torch.int64
    assert data.targets.tolist() == [3.0, 5.0, 1.0]
    table = data.table
    assert table["user"].tolist() == ["196", "186", "196"] and table["film"].tolist() == ["242", "302", "302"]
    assert table["time"].tolist() == [881250949, 891717742, 881250900] and table["age"].tolist() == [49, 39, 49]
    assert table["gender"].tolist() == ["M", "F", "M"] and table["occupation"][0] == "writer"
    assert table["genres"].tolist() == ["Comedy", "Action|Thriller", "Action|Thriller"]
    assert table["title"][1].startswith("Café") and table["year"][0] == 1997
    assert table["year"][1] == (1997 if write is write_theirs else 0)


def test_a_title_loses_its_year_and_a_film_without_a_date_has_none(tmp_path):
    films = [FILMS[0].replace("24-Jan-1997", "24-Jan-1996"), f"302|unknown||||{FLAGS['302']}"]
    table = rb.datasets.movielens(write_theirs(tmp_path, films=films)).table
    assert table["title"].tolist() == ["Kolya", "unknown", "unknown"] and table["year"].tolist() == [1996, 0, 0]


def test_the_same_line_twice_counts_once(tmp_path):
    assert len(rb.datasets.movielens(write_theirs(tmp_path, ratings=[*RATINGS, RATINGS[0]]))) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratings": [*RATINGS, "186\t242\t6\t881250949"]}, "a rating must be a whole number from 1 to 5, got '6' in line 4"),
        ({"ratings": ["186\t242\t3.5\t881250949"]}, "a rating must be a whole number from 1 to 5, got '3.5' in line 1"),
        ({"ratings": [*RATINGS, "196\t242\t4\t881250949"]}, r"says two things of 196 242, in lines 1 and 4"),
        ({"ratings": ["186\t242\t3"]}, "line 1 of .*u.data must have 4 cells"),
        ({"ratings": ["186\t\t3\t881250949"]}, "line 1 of .*u.data must have 4 cells"),
        ({"ratings": ["186\t242\t3\tyesterday"]}, "a time must be whole seconds since 1970, got 'yesterday'"),
        ({"ratings": ["187\t242\t3\t881250949"]}, "every user must have a line of its own, but user 187 of line 1"),
        ({"ratings": ["186\t243\t3\t881250949"]}, "every film must have a line of its own, but film 243 of line 1"),
        ({"ratings": []}, "u.data must have at least one line, got none"),
        ({"people": ["186|old|F|executive|00000", PEOPLE[1]]}, "an age must be a whole number, got 'old'"),
        ({"people": [*PEOPLE, "186|40|F|executive|00000"]}, "u.user says two things of 186, in lines 1 and 3"),
        ({"films": [FILMS[0][:-2], FILMS[1]]}, "line 1 of .*u.item must have 24 cells"),
    ],
)
def test_damage_is_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        rb.datasets.movielens(write_theirs(tmp_path, **change))


def test_a_missing_folder_or_file_says_where_to_get_it(tmp_path):
    with pytest.raises(NotADirectoryError, match=r"root must be a folder.*grouplens"):
        rb.datasets.movielens(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"root must hold u.data.*grouplens.*RecBole"):
        rb.datasets.movielens(tmp_path)
    for write, name in ((write_theirs, "u.user"), (write_recbole, "ml-100k.item")):
        folder = tmp_path / name
        folder.mkdir()
        (write(folder) / name).unlink()
        with pytest.raises(FileNotFoundError, match=f"root must hold {name}"):
            rb.datasets.movielens(folder)
