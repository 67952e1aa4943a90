"""Whoever changes a number in the book is noticed: thirty places a day, drawn at random over everything that a reader reads.

Each change is made to a copy in memory and shown to the check that has to notice it; nothing is executed. Chapters that carry no seals
yet are sealed first.
"""

import base64
import copy
import io
import json
import re
from functools import cache, partial
from types import SimpleNamespace

import nbformat
from nbval.plugin import IPyNbCell, find_comment_markers, find_metadata_tags, get_sanitize_patterns
from PIL import Image

from book_seals import broken, seal
from book_words import GATE, LIVE
from daily import dice
from pages_of_book import ROOT, notebooks
from rankbook.archive import asset
from rankbook.experiments.tables import read_lines
from test_numbers import PAGES, unsourced

DRAWS, NOTICED = 30, 29
SHOWN = ("text/html", "text/plain")  # what nbval compares; text/plain of a picture or a live figure stands on no page
NBVAL = SimpleNamespace(
    parent=SimpleNamespace(
        skip_compare=("metadata", "traceback", "prompt_number", "output_type", "name", "execution_count", "image/png", "image/jpeg"),
        sanitize_patterns=dict(get_sanitize_patterns((ROOT / "tests" / "nbval_sanitize.cfg").read_text("utf-8"))),
    ),
    colors=SimpleNamespace(**dict.fromkeys(("FAIL", "ENDC", "OKBLUE", "OKGREEN", "WARNING", "HEADER"), "")),
    format_output_compare=lambda *_: None,
    comparison_traceback=[],
)
NBVAL.sanitize = partial(IPyNbCell.sanitize, NBVAL)


@cache
def chapter(document):
    """The cells as they are stored, sealed."""
    cells = json.loads((ROOT / f"{document}.ipynb").read_text("utf-8"))["cells"]
    for cell in cells:
        cell["source"] = "".join(cell["source"])
    if not any("rankbook" in cell["metadata"] for cell in cells):
        seal(cells, pictures=True)
    return cells


def other_digit(text, place, rng):
    return text[:place] + rng.choice([digit for digit in "0123456789" if digit != text[place]]) + text[place + 1 :]


def digits(text):
    return [found.start() for found in re.finditer(r"\d", text)]


# ---------------------------------------------------------------- places: (where, change that returns whether it was noticed)


def word_places(part):
    """Digits of the prose, of captions or of alt texts; markup counts as words, since it is sealed with them."""
    for document in notebooks():
        for position, cell in enumerate(chapter(document)):
            if part == "prose":
                text = cell["source"] if cell["cell_type"] == "markdown" else ""
            else:
                text = cell["metadata"].get("mystnb", {}).get({"caption": "figure", "alt": "image"}[part], {}).get(part, "")
            for place in digits(text):
                yield (
                    f"{document}: {cell['id']}: {part}: {text[max(0, place - 20) : place + 20]!r}",
                    partial(words, document, position, part, place),
                )


def words(document, position, part, place, rng):
    cells = copy.deepcopy(chapter(document))
    cell = cells[position]
    if part == "prose":
        cell["source"] = other_digit(cell["source"], place, rng)
    else:
        holder = cell["metadata"]["mystnb"][{"caption": "figure", "alt": "image"}[part]]
        holder[part] = other_digit(holder[part], place, rng)
    return bool(broken(cells))


def page_places():
    for document in PAGES:
        text = (ROOT / f"{document}.md").read_text("utf-8")
        for found in LIVE.finditer(text):
            for place in digits(found[2]):
                yield f"{document}: state of {found[1]}", partial(page, document, text, found.start(2) + place)


def page(document, text, place, rng):
    try:
        return bool(unsourced(document, other_digit(text, place, rng)))
    except ValueError:  # no such state
        return True


def picture_places():
    for document in notebooks():
        for position, cell in enumerate(chapter(document)):
            for output, one in enumerate(cell.get("outputs", [])):
                if "image/png" in one.get("data", {}):
                    yield f"{document}: {cell['id']}: picture", partial(pixel, document, position, output)


def pixel(document, position, output, rng):
    """One pixel, one step of one channel."""
    cells = copy.deepcopy(chapter(document))
    data = cells[position]["outputs"][output]["data"]
    picture = Image.open(io.BytesIO(base64.b64decode("".join(data["image/png"])))).convert("RGBA")
    at = rng.randrange(picture.width), rng.randrange(picture.height)
    red, *others = picture.getpixel(at)
    picture.putpixel(at, (red ^ 1, *others))
    file = io.BytesIO()
    picture.save(file, "PNG")
    data["image/png"] = base64.b64encode(file.getvalue()).decode()
    return bool(broken(cells))


def output_places(kind):
    """Digits of printed lines and tables; of states of live figures; of gates."""
    for document in notebooks():
        for position, cell in enumerate(chapter(document)):
            for output, one in enumerate(cell.get("outputs", [])):
                holder = one if one["output_type"] == "stream" else one.get("data", {})
                name = "text" if one["output_type"] == "stream" else next((name for name in SHOWN if name in holder), None)
                text = "".join(holder.get(name, ""))
                live = LIVE.search(text)
                if "image/png" in holder or kind != ("output" if not live else "gate" if live[1] == GATE else "live"):
                    continue
                for place in digits(text):
                    if not re.match(r"\d*;", text[place:]) or "&#" not in text[max(0, place - 8) : place]:  # &#x27; is no number
                        yield (
                            f"{document}: {cell['id']}: {text[max(0, place - 20) : place + 20]!r}",
                            partial(shown, document, position, output, name, place),
                        )


def shown(document, position, output, name, place, rng):
    """The comparison is nbval's own, between what is stored and what the change would be compared with: what the cell makes."""
    cell = chapter(document)[position]
    made = nbformat.from_dict(copy.deepcopy(cell["outputs"]))
    for one in made:
        for holder in (one, one.get("data", {})):
            for key, value in holder.items():
                holder[key] = "".join(value) if isinstance(value, list) else value
    changed = copy.deepcopy(made)
    holder = changed[output] if name == "text" else changed[output]["data"]
    holder[name] = other_digit(holder[name], place, rng)
    options = {**dict(find_comment_markers(cell["source"])), **dict(find_metadata_tags(cell["metadata"]))}
    return options.get("check", True) and not options.get("skip") and not IPyNbCell.compare_outputs(NBVAL, made, changed)


def table_places(folder):
    for path in sorted(asset("results").glob("*.csv")):
        for line, text in enumerate(path.read_text("utf-8").splitlines()[1:], start=1):
            yield f"{path.name}: line {line + 1}", partial(table, folder, path, line, text)


def table(folder, path, line, text, rng):
    """A value of a line, one percent more."""
    lines = path.read_text("utf-8").splitlines(keepends=True)
    found = rng.choice([*re.finditer(r"(?<![\w.\"])\d+\.?\d*(?![\w.])", text.rpartition(",")[0])])
    lines[line] = text[: found.start()] + f"{float(found[0]) * 1.01 or 0.01:.6g}" + text[found.end() :] + "\n"
    changed = folder / path.name
    changed.write_text("".join(lines), "utf-8")
    try:
        read_lines(changed)
    except ValueError:
        return True
    return False


def places(folder):
    return {
        **{part: [*word_places(part)] for part in ("prose", "caption", "alt")},
        **{kind: [*output_places(kind)] for kind in ("output", "live", "gate")},
        "picture": [*picture_places()],
        "table": [*table_places(folder)],
        "page": [*page_places()],
    }


def test_whoever_changes_a_number_is_noticed(tmp_path):
    rng = dice("tampering")
    kinds = places(tmp_path)
    assert all(kinds.values()), f"no place of {[kind for kind in kinds if not kinds[kind]]}"
    missed = []
    for kind in rng.choices([*kinds], k=DRAWS):
        where, change = rng.choice(kinds[kind])
        if not change(rng):
            missed.append(f"{kind}: {where}")
    assert DRAWS - len(missed) >= NOTICED, "\n".join(missed)
