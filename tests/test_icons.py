"""The icons cut from the theme's fonts: whatever a page may show, drawn as the theme draws it; and a theme that is not as expected."""

import base64
import re
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pydata_sphinx_theme
import pytest
from fontTools.pens.recordingPen import RecordingPen
from fontTools.ttLib import TTFont

import icons

SHEET = (
    '.fa-one:before{content:"\\f001"}.fa-two:before,.fa-pair:before{content:"\\f002"}'
    ':root{--icon-plain:"\uf003"}.fold:after{content:"\\f107"}.word:after{content:"four"}'
)
STATIC = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
SOLID = STATIC / "vendor" / "fontawesome" / "webfonts" / "fa-solid-900.ttf"
BARS, GITHUB = 0xF0C9, 0xF09B  # the second is a brand, and no character of the solid font


def outline(font: TTFont, character: int) -> list:
    pen = RecordingPen()
    font.getGlyphSet()[font.getBestCmap()[character]].draw(pen)
    return pen.value


def app(folder: Path) -> SimpleNamespace:
    return SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=folder)


def test_names_are_read_off_pages():
    assert icons.icons(['<i class="fab fa-github"></i>', '<i class="fa-solid fa-list fa-lg">', "far from fa"]) == {
        *("fa-github", "fa-solid", "fa-list", "fa-lg")
    }
    assert icons.icons([]) == set()


@pytest.mark.parametrize(("names", "of_pages"), [(set(), set()), ({"fa-one"}, {0xF001}), ({"fa-pair", "fa-none"}, {0xF002})])
def test_an_icon_is_kept_by_any_of_its_names_and_what_has_no_name_always(names, of_pages):
    assert icons.characters(SHEET, names) == of_pages | {0xF003, 0xF107}


def test_a_screen_reader_gets_no_character():
    assert icons.silent(SHEET, {"fa-pair", "fa-one"}) == ['.fa-one:before{content:"\\f001"/""}', '.fa-pair:before{content:"\\f002"/""}']
    assert icons.silent(SHEET, {"fa-none"}) == []


def test_a_cut_font_draws_what_the_whole_one_draws():
    cut, has = icons.cut(SOLID, {BARS, GITHUB})
    assert has == [BARS] and len(cut) < 3_000
    small, whole = TTFont(BytesIO(cut)), TTFont(SOLID)
    assert set(small.getBestCmap()) == {BARS} and outline(small, BARS) == outline(whole, BARS) != []
    assert small["hmtx"][small.getBestCmap()[BARS]] == whole["hmtx"][whole.getBestCmap()[BARS]]
    assert "Font Awesome" in small["name"].getDebugName(0)
    assert icons.cut(SOLID, {BARS, GITHUB})[0] == cut


def test_the_theme_is_as_expected():
    folder = STATIC / "styles"
    sheet = (folder / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    solid, *_, brands = icons.faces(sheet, folder, {"fa-bars", "fa-github"})
    assert "font-weight:900" in solid and "U+F0C9" in solid
    assert "Brands" in brands and "U+F09B" in brands and "U+F0C9" not in brands
    font = TTFont(BytesIO(base64.b64decode(re.search(r"base64,([^)]+)\)", solid)[1])))
    assert BARS in font.getBestCmap()


@pytest.mark.parametrize("sheet", ["", SHEET, '@font-face{font-family:Awesome;src:url(fa.woff2) format("woff2")}', "@font-face{"])
def test_a_theme_without_such_fonts_is_a_warning(tmp_path, caplog, sheet):
    (tmp_path / icons.SHEETS).mkdir(parents=True)
    (tmp_path / icons.SHEETS / "theme.css").write_text(sheet, encoding="utf-8")
    icons.write_sheet(app(tmp_path), None)
    assert "layout.html" in caplog.text and [record.levelname for record in caplog.records] == ["WARNING"]
    assert (tmp_path / "_static" / "icons.css").read_text(encoding="utf-8").strip() == ""


def test_a_failed_build_writes_nothing(tmp_path):
    icons.write_sheet(app(tmp_path), ValueError("no"))
    assert list(tmp_path.iterdir()) == []
