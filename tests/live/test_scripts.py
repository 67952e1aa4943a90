"""The scripts of the static pages: small, classic, deterministic, and what a notebook stores of a figure."""

import json
import re
from html import unescape

import pytest

from rankbook.live import MetricBoard, RankStrip, Staircase, SupRankStep, TauGradient, TieOrders, modules
from rankbook.live.bundle import scripts, write_bundle

#: kB that a page with a figure loads at once, that a figure adds, and that a module shared by figures adds.
BUDGET = {"core": 21, "figures": 6, "shared": 9, "questions": 6, "pages": 5}


def test_the_scripts_are_small():
    written = scripts()
    assert sorted(written) == sorted(["core.js", *(f"{name}.js" for kind in modules.LOADED for name in modules.modules(kind))])
    too_large = {
        f"{name}.js": len(written[f"{name}.js"].encode())
        for kind in BUDGET
        for name in (["core"] if kind == "core" else modules.modules(kind))
        if len(written[f"{name}.js"].encode()) > 1000 * BUDGET[kind]
    }
    assert not too_large


def test_the_scripts_are_classic_and_ask_for_nothing_else():
    assert scripts() == scripts()
    for name, script in scripts().items():
        assert not re.search(r"^\s*(import|export)\b|\bfetch\(|\bXMLHttpRequest\b", script, re.MULTILINE), name
        assert set(re.findall(r"https?://[^\"'\s]+", script)) <= {"http://www.w3.org/2000/svg"}, name  # a name, not an address


def test_a_changed_script_makes_another_version(monkeypatch):
    def listed():
        return re.search(r'"([^"]*)"', scripts()["core.js"].rpartition("page.start(")[2])[1].split()

    def changed(name):
        needed, body = modules.module(name)
        return needed, f"void 0;\n{body}" if name == "forces" else body

    before = listed()
    monkeypatch.setattr("rankbook.live.bundle.module", changed)
    after = listed()
    assert before[0] != after[0] and before[1:] == after[1:]
    assert ["core.js", *(f"{name}.js" for name in after[1:])] == list(scripts())


def test_a_script_is_rewritten_only_if_it_changed(tmp_path):
    paths = write_bundle(tmp_path / "new")
    before = [path.stat().st_mtime_ns for path in paths]
    paths[3].write_text("stale")
    assert write_bundle(tmp_path / "new") == paths
    after = [path.stat().st_mtime_ns for path in paths]
    assert [i for i in range(len(paths)) if before[i] != after[i]] == [3]
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "new").iterdir()}
    assert ".rb-fig" in written.pop("live.css") and written == scripts()


def test_a_statement_that_cannot_be_joined_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "odd.js").write_text('import everything from "elsewhere";\n')
    monkeypatch.setattr(modules, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"odd\.js: cannot join 'import everything"):
        modules.join(["odd"])


def test_an_imported_name_that_no_file_exports_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "two.js").write_text("export const A = 1, B = 2;\n")
    (tmp_path / "odd.js").write_text('import { A, B } from "./two.js";\nexport const C = A + B;\n')
    monkeypatch.setattr(modules, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"odd\.js: two\.js exports no B; each `export const` names one thing"):
        modules.join(["odd"])


def test_a_notebook_gets_one_module(figure):
    assert f'data-module="{figure._module}"' in figure._repr_mimebundle_()[0]["text/html"]
    assert len(re.findall(r"^export ", str(figure._esm), re.MULTILINE)) == 1


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
    assert "AP = 0.722, recall@3 = 0.667, NDCG = 0.871" in RankStrip().describe()
    assert "undefined" in RankStrip(scores=[0.5], relevance=[0], k=1).describe()
    # Two relevant items and one irrelevant share three places: (1/2 + 2/3) / 2 at worst, 2/3 where all stand on the last place.
    ties = TieOrders(scores=[0.5, 0.5, 0.5, 0.1], relevance=[1, 1, 0, 0], step=0.0)
    assert "allow 3 lists. AP is 0.583 at worst and 1.000 at best; rankbook returns 0.667" in ties.describe()
    assert "undefined" in TieOrders(relevance=[0] * 8).describe()
    assert "precision at 4 0.500, recall at 4 0.667" in MetricBoard().describe()
    assert "undefined" in MetricBoard(relevance=[0] * 8).describe()
    assert "exact rank is 5 with gradient 0" in Staircase().describe()
    assert "it jumps here" in Staircase(x=0.25).describe()
    assert "dead (below" in TauGradient(gap=0.5, tau=0.01).describe()
    assert "the sigmoid 1.0000 with slope 1.5e-05, and SupRank's step 3.493 with slope 10 (line)" in SupRankStep().describe()
