"""The joined script, the stored outputs, and the checks of the traits."""

import json
import re
from html import unescape

import pytest
import traitlets

from rankbook.live import RankStrip, Staircase, SupRankStep, TauGradient, modules
from rankbook.live.bundle import bundle, write_bundle


def test_the_bundle_is_one_small_classic_script():
    script = bundle()
    assert script == bundle()
    assert len(script.encode()) < 100_000
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)
    assert set(re.findall(r"https?://[^\"'\s]+", script)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert script.count("const math = ") == script.count("const ui = ") == 1


@pytest.mark.parametrize("path", sorted(modules.FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_no_string_goes_over_the_end_of_a_line(path):
    """The bundle drops what a line begins with: comments and indentation. Inside a string that would change the string."""
    source = path.read_text(encoding="utf-8")
    assert "/*" not in source
    for line in source.splitlines():
        assert line.count("`") % 2 == 0 and not line.endswith("\\"), line


def test_every_figure_class_has_a_module_in_the_bundle(figure):
    assert f'data-module="{figure._module}"' in figure._repr_mimebundle_()[0]["text/html"]
    assert figure._module in modules.figure_modules()
    assert len(re.findall(r"^export ", str(figure._esm), re.MULTILINE)) == 1


def test_the_bundle_is_rewritten_only_if_it_changed(tmp_path):
    path = write_bundle(tmp_path / "new")
    before = path.stat()
    assert write_bundle(tmp_path / "new").stat().st_mtime_ns == before.st_mtime_ns
    path.write_text("stale")
    assert write_bundle(tmp_path / "new").read_text() == bundle()
    assert [p.name for p in path.parent.iterdir()] == ["rankbook.js"]


def test_a_statement_that_cannot_be_joined_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "odd.js").write_text('import everything from "elsewhere";\n')
    monkeypatch.setattr(modules, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"odd\.js: cannot join 'import everything"):
        modules.join(["odd"])


def test_stored_output_is_deterministic_and_complete(figure):
    data, _ = figure._repr_mimebundle_()
    again, _ = type(figure)()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    for mime in ("text/plain", "text/html"):
        assert data[mime] == again[mime]
        assert figure.model_id not in data[mime]
    state = json.loads(unescape(re.search(r'data-state="([^"]*)"', data["text/html"]).group(1)))
    assert state == figure.figure_state()
    assert unescape(re.search(r'<p class="rb-fallback">(.*)</p>', data["text/html"]).group(1)) == figure.describe()


def test_fallback_numbers():
    # AP = (1/1 + 2/3 + 3/6) / 3; two of three positives in the top 3; DCG = 1 + 1/log2(4) + 1/log2(7).
    assert "AP = 0.722, R@3 = 0.667, NDCG = 0.871" in RankStrip().describe()
    assert "undefined" in RankStrip(scores=[0.5], relevance=[0], k=1).describe()
    assert "exact rank is 5 with gradient 0" in Staircase().describe()
    assert "it jumps here" in Staircase(x=0.25).describe()
    assert "dead (below" in TauGradient(gap=0.5, tau=0.01).describe()
    assert "the sigmoid 1.0000 with slope 1.5e-05, and SupRank's step 3.493 with slope 10 (line)" in SupRankStep().describe()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RankStrip(scores=[0.1, 1.5]), r"scores\[1\]: expected a number from 0 to 1, got 1.5"),
        (lambda: RankStrip(scores=[0.1, float("nan")]), r"scores\[1\]: expected a number"),
        (lambda: RankStrip(scores=[0.1], relevance=[1, 0], k=1), "one value for each of the 1 scores, got 2"),
        (lambda: RankStrip(relevance=[2] * 8), r"relevance\[0\]: expected 0 or 1, got 2"),
        (lambda: RankStrip(k=9), "k: expected 1 to 8"),
        (lambda: RankStrip(scores=[], relevance=[]), "scores: expected 1 to 26 scores, got 0"),
        (lambda: Staircase(x=-0.1), "x: expected a number from 0 to 1"),
        (lambda: Staircase(tau=0.0), "tau: expected a number from 0.003 to 0.3"),
        (lambda: TauGradient(gap=2.0), "gap: expected a number from -1 to 1"),
        (lambda: TauGradient(tau=2.0), "tau: expected a number from 0.003 to 1"),
        (lambda: SupRankStep(gap=0.6), "gap: expected a number from -0.2 to 0.5"),
        (lambda: SupRankStep(rho=0.0), "rho: expected a number from 1 to 300"),
    ],
)
def test_bad_traits_name_the_trait(make, message):
    with pytest.raises((ValueError, traitlets.TraitError), match=message):
        make()


def test_the_number_of_items_changes_in_one_step():
    strip = RankStrip()
    with strip.hold_trait_notifications():
        strip.scores, strip.relevance, strip.k = [0.2, 0.9], [1, 0], 1
    assert strip.readout()["average_precision"] == 0.5
