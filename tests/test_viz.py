"""The pictures show what the arrays say: marks, colors, frames and labels are read back from the figures."""

import ast
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import nbclient
import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from rankbook import viz

SCORES, RELEVANCE = np.array([0.2, 0.9, 0.5]), np.array([1, 0, 2])


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        viz.use_style()
        yield


def texts(ax):
    return [text.get_text() for text in ax.texts]


def intervals():
    means = pd.DataFrame({"loss": list("abab"), "metric": ["AP", "AP", "R@1", "R@1"], "mean": [0.5, 0.6, 0.3, 0.3]})
    means = means.assign(low=means["mean"] - 0.02, high=means["mean"] + 0.02)
    differences = pd.DataFrame(
        {"loss": ["b", "b"], "minus": ["a", "a"], "metric": ["AP", "R@1"], "mean": [0.1, 0.0], "low": [0.05, -0.1], "high": [0.15, 0.1]}
    )
    return means, differences


def figures():
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 20)
    return {
        "ranking": lambda: viz.plot_ranking(SCORES, RELEVANCE, names="ABC"),
        "staircase": lambda: viz.plot_staircase(x, np.round(5 * (1 - x)) + 1, {"smooth": 5 * (1 - x) + 1}),
        "curves": lambda: viz.plot_curves(x + 0.1, {"one": x, "two": x**2}, xlabel="x", ylabel="y", xscale="log"),
        "intervals": lambda: viz.plot_intervals(*intervals()),
        "neighbors": lambda: viz.plot_neighbors(rng.integers(0, 255, (2, 4, 3, 8, 8), dtype=np.uint8), rng.random((2, 3)) > 0.5),
        "jacobian": lambda: viz.plot_jacobian(rng.normal(size=(4, 4)), names="ABCD"),
    }


@pytest.mark.parametrize("name", figures())
def test_a_figure_is_returned_drawn_and_not_registered(name, tmp_path):
    """A figure that pyplot knew would be shown twice by a notebook; warnings, which are errors here, would mean a bad layout."""
    before = plt.get_fignums()
    figure = figures()[name]()
    assert isinstance(figure, Figure)
    assert plt.get_fignums() == before
    assert figure.get_size_inches()[0] <= 7
    figure.savefig(tmp_path / "figure.png")
    assert 2_000 < (tmp_path / "figure.png").stat().st_size < 150_000


def test_a_notebook_shows_a_figure_once():
    """As the last value of a cell, without a magic line."""
    code = nbformat.v4.new_code_cell
    notebook = nbformat.v4.new_notebook(
        cells=[code("from rankbook import viz\nviz.use_style()"), code("viz.plot_ranking([0.2, 0.9], [1, 0])")]
    )
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    assert [sorted(output.get("data", {})) for output in notebook.cells[1].outputs] == [["image/png", "text/plain"]]


@pytest.mark.parametrize("name", ["ranking", "staircase", "curves", "intervals", "jacobian"])
def test_type_is_legible_on_a_phone(name):
    """390 px for 6 inches: 10 pt are 9 px. No text below that."""
    figure = figures()[name]()
    figure.draw_without_rendering()
    assert min(text.get_fontsize() for text in figure.findobj(plt.Text) if text.get_text()) >= 10


def test_no_text_leaves_the_page():
    for make in figures().values():
        figure = make()
        figure.draw_without_rendering()
        drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(drawn.x0, drawn.y0) >= -0.01
        assert drawn.x1 <= width + 0.01
        assert drawn.y1 <= height + 0.01


def test_ranking_fills_the_relevant_items_and_orders_by_score():
    (ax,) = viz.plot_ranking(SCORES, RELEVANCE, names="ABC").axes
    assert texts(ax)[:9] == ["B", "1", "0.90", "C", "2", "0.50", "A", "3", "0.20"]
    marks = [(line.get_color(), line.get_markerfacecolor()) for line in ax.lines]
    hit, miss = (viz.RELEVANT, viz.RELEVANT), (viz.IRRELEVANT, "white")
    assert marks == [miss, hit, hit]


def test_ranking_takes_tensors():
    assert viz.plot_ranking(torch.tensor(SCORES), torch.tensor(RELEVANCE)).axes


def test_curves_are_named_at_their_ends_without_overlap():
    x = np.linspace(0, 1, 5)
    figure = viz.plot_curves(x, {"one": x, "two": x * 0.999, "three": x * 0.998}, xlabel="x", ylabel="y", colors={"two": viz.RELEVANT})
    (ax,) = figure.axes
    figure.draw_without_rendering()
    assert texts(ax) == ["one", "two", "three"]
    assert [text.get_color() for text in ax.texts] == [line.get_color() for line in ax.lines]
    assert ax.lines[1].get_color() == viz.RELEVANT
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))


def test_staircase_has_rank_one_on_top():
    (ax,) = viz.plot_staircase([0, 1, 2], [3, 2, 1], {"smooth": [2.5, 2, 1.5]}).axes
    assert ax.yaxis_inverted()
    assert list(ax.lines[-1].get_ydata()) == [3, 2, 1]
    assert ax.lines[-1].get_drawstyle() == "steps-mid"


def test_intervals_fill_the_dots_of_differences_that_exclude_zero():
    axes = np.array(viz.plot_intervals(*intervals()).axes).reshape(2, 2)
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["AP", "R@1"]
    assert axes[0, 1].get_title() == "minus a"
    for ax, filled in zip(axes[:, 1], (True, False), strict=True):
        (dot,) = [line for line in ax.lines if line.get_marker() == "o"]
        assert (dot.get_markerfacecolor() == viz.INK) is filled
    bar = axes[0, 0].lines[0]
    assert bar.get_xdata() == pytest.approx([0.48, 0.52])


def test_neighbors_are_framed_by_relevance():
    figure = viz.plot_neighbors(np.zeros((1, 3, 3, 8, 8)), [[1, 0]], titles=["before"])
    query, hit, miss = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["query", "1", "2"]
    assert query.get_ylabel() == "before"
    for ax, color, line, face in ((hit, viz.RELEVANT, "-", viz.RELEVANT), (miss, viz.IRRELEVANT, "--", "white")):
        assert to_hex(ax.spines["top"].get_edgecolor(), keep_alpha=False).upper() == color
        assert ax.spines["top"].get_linestyle() == line
        assert ax.lines[0].get_markerfacecolor() == face
    assert not query.lines


def test_jacobian_is_centered_on_zero():
    (ax, _) = viz.plot_jacobian([[-1.0, 3.0], [0.0, 1.0]]).axes
    assert ax.images[0].get_clim() == (-3, 3)
    assert texts(ax) == ["-1.0", "3.0", "0.0", "1.0"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.plot_ranking([1, 2], [1]), "scores and relevance must be one list each"),
        (lambda: viz.plot_neighbors(np.zeros((1, 3, 3, 8, 8)), [[1]]), r"relevance \[rows, k\]"),
        (lambda: viz.plot_jacobian([1.0]), r"matrix must be \[ranks, scores\]"),
        (lambda: viz.plot_curves([0], {}, xlabel="", ylabel=""), "curves must be from 1 to 4"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_pictures_compute_nothing():
    tree = ast.parse(Path(viz.__file__).read_text("utf-8"))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    assert not [name for name in imported if name.startswith(("rankbook", "torch"))]
