"""The icons that the pages show, cut from the theme's fonts into one small sheet.

The theme draws icons twice: with a script of 1.5 MB, which `_templates/layout.html` leaves out, and with fonts of 270 kB. The sheet
declares the same fonts again, for the characters in use only. The browser takes any other character from the theme's font.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx
from sphinx.util import logging

SHEETS = Path("_static", "styles")
ICON = re.compile(r"\bfa-[a-z0-9-]+")
RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
CHARACTER = re.compile(r"\\([ef][0-9a-f]{3})\b|([\ue000-\uf8ff])")  # the private use area, escaped or not
FACE = re.compile(r"@font-face\{([^{}]*)src:[^{}]*url\(([^()]+\.ttf)\)[^{}]*\}")
LICENSE = re.compile(r"/\*!\s*\* Font Awesome.*?\*/", re.S)
log = logging.getLogger(__name__)


def icons(html: Iterable[str]) -> set[str]:
    """The names of icons on pages, e.g. fa-github."""
    return set().union(*map(ICON.findall, html))


def characters(sheet: str, names: set[str]) -> set[int]:
    """The characters of the named icons, and those of every rule that is not of one icon: a page may ask for them without a name."""
    found = set()
    for selector, body in RULE.findall(sheet):
        named = set(ICON.findall(selector))
        if not named or named & names:
            found |= {int(escaped, 16) if escaped else ord(plain) for escaped, plain in CHARACTER.findall(body)}
    return found


def cut(file: Path, wanted: set[int]) -> tuple[bytes, list[int]]:
    """The wanted characters of a font as WOFF, and which of them it has. Of its names it keeps the copyright and the license."""
    font = TTFont(file, recalcTimestamp=False)
    has = sorted(wanted & set(font.getBestCmap()))
    subsetter = Subsetter(Options(name_IDs=[0, 13, 14], layout_features=[], hinting=False, notdef_outline=True))
    subsetter.populate(unicodes=has)
    subsetter.subset(font)
    font.flavor = "woff"
    font.save(buffer := BytesIO())
    return buffer.getvalue(), has


def faces(sheet: str, folder: Path, names: set[str]) -> list[str]:
    """Each font that a sheet declares, declared again for the characters in use. Its address is relative to the sheet's folder."""
    wanted, made = characters(sheet, names), []
    for style, address in FACE.findall(sheet):
        font, has = cut(folder / address, wanted)
        source = f"url(data:font/woff;base64,{b64encode(font).decode()})"
        made.append(f"@font-face{{{style}src:{source};unicode-range:{','.join(f'U+{character:X}' for character in has)}}}")
    return made


def silent(sheet: str, names: set[str]) -> list[str]:
    """The rules of the icons in use, each with an empty text beside its character, so that a screen reader does not read it."""
    rules = ((set(ICON.findall(selector)), body) for selector, body in RULE.findall(sheet) if CHARACTER.search(body))
    return [f'{",".join(f".{name}:before" for name in sorted(used))}{{{body}/""}}' for named, body in rules if (used := named & names)]


def write_sheet(app: Sphinx, error: Exception | None) -> None:
    """After the pages, all of them, also where only some were written again."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    sheet = "\n".join(file.read_text(encoding="utf-8") for file in sorted((out / SHEETS).glob("*.css")))
    names = icons(page.read_text(encoding="utf-8") for page in out.rglob("*.html"))
    made = faces(sheet, out / SHEETS, names)
    if not made:
        log.warning("icons: the theme declares no font with a .ttf; if its icons are gone, let _templates/layout.html keep their script")
    text = LICENSE.findall(sheet)[:1] + made + silent(sheet, names)
    (out / "_static" / "icons.css").write_text("\n".join(text) + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.connect("build-finished", write_sheet)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
