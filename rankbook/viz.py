"""Arrays in, Figure out: the pictures of the book. Nothing is computed here that a reader would want to check.

Relevant is blue and filled, irrelevant is vermillion and hollow, everywhere. A Figure that is the last value of a notebook
cell is shown once; nothing is registered with pyplot, nothing has to be closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

__all__ = [
    "plot_curves",
    "plot_intervals",
    "plot_jacobian",
    "plot_neighbors",
    "plot_ranking",
    "plot_staircase",
    "use_style",
]

RELEVANT, IRRELEVANT = "#0072B2", "#D55E00"
INK, MUTED, GRID = "#1F2933", "#5F6B76", "#D8DEE4"
BOTH = "#76808A"  # text on a transparent ground, legible on white and in the dark
#: For things that are neither relevant nor irrelevant; colorblind-safe (Okabe and Ito), each with a line style of its own.
CURVES = ((INK, "-"), ("#009E73", "--"), ("#A6568A", "-."), ("#8C6D1F", ":"))
WIDTH = 6.0  # inches: with 12 pt type still legible when a phone shows it 390 px wide


def use_style() -> None:
    """Set matplotlib's defaults: clear type, light lines, white, 150 dpi. A notebook needs this call to show a Figure."""
    plt.switch_backend(plt.get_backend())  # loads it, and with it the notebook's way of showing a Figure that pyplot does not know
    plt.rcParams.update(
        {
            "figure.dpi": 150,
            "figure.figsize": (WIDTH, 3.4),
            "figure.facecolor": "white",
            "font.size": 12,
            "axes.titlesize": 12,
            "axes.labelcolor": INK,
            "axes.edgecolor": MUTED,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "grid.color": GRID,
            "lines.linewidth": 2,
            "text.color": INK,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "legend.frameon": False,
        }
    )


def plot_ranking(scores: ArrayLike, relevance: ArrayLike, *, names: Sequence[str] | None = None) -> Figure:
    """The items from the highest score to the lowest: rank above, score below. Tied items keep their order."""
    scores, relevance = np.asarray(scores, dtype=float), np.asarray(relevance)
    if scores.ndim != 1 or scores.shape != relevance.shape:
        raise ValueError(f"scores and relevance must be one list each, of the same length, got {scores.shape} and {relevance.shape}")
    order = np.argsort(-scores, kind="stable")
    fig, ax = _figure(WIDTH, 1.5)
    ax.axis("off")
    for place, item in enumerate(order):
        _dot(ax, place, 0, relevance[item] > 0, size=24)
        if names is not None:
            color = "white" if relevance[item] > 0 else INK
            ax.annotate(names[item], (place, 0), ha="center", va="center", color=color, fontweight="bold")
        ax.annotate(f"{place + 1}", (place, 0), (0, 20), textcoords="offset points", ha="center", color=INK)
        ax.annotate(f"{scores[item]:.2f}", (place, 0), (0, -30), textcoords="offset points", ha="center", color=MUTED)
    for text, offset in (("rank", 20), ("score", -30)):
        ax.annotate(text, (-0.6, 0), (0, offset), textcoords="offset points", ha="right", color=MUTED)
    ax.set_xlim(-1.5, len(scores) - 0.5)
    return fig


def plot_staircase(
    x: ArrayLike, exact: ArrayLike, smooth: Mapping[str, ArrayLike], *, xlabel: str = "score", ylabel: str = "rank"
) -> Figure:
    """The exact rank as a gray staircase behind its smooth versions, 1 at the top."""
    fig = plot_curves(x, smooth, xlabel=xlabel, ylabel=ylabel)
    ax = fig.axes[0]
    ax.plot(x, exact, color=MUTED, alpha=0.6, linewidth=1.5, drawstyle="steps-mid", zorder=1, label="exact")
    top = np.argmin(np.asarray(exact))
    ax.annotate("exact", (np.asarray(x)[top], np.min(exact)), (0, 4), textcoords="offset points", ha="center", color=MUTED)
    ax.invert_yaxis()
    return fig


def plot_curves(
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    colors: Mapping[str, str] | None = None,
    xscale: str = "linear",
) -> Figure:
    """Curves over x, each named at its right end. ``colors``: name -> color, for curves that are about (ir)relevant items."""
    if not 1 <= len(curves) <= len(CURVES):
        raise ValueError(f"curves must be from 1 to {len(CURVES)}, more cannot be told apart, got {len(curves)}")
    fig, ax = _figure(WIDTH, 3.4)
    x = np.asarray(x, dtype=float)
    for (name, y), (color, style) in zip(curves.items(), CURVES, strict=False):
        ax.plot(x, y, color=(colors or {}).get(name, color), linestyle=style, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale)
    ends = np.array([np.asarray(y, dtype=float)[-1] for y in curves.values()])
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    gap = 0.085 * (high - low)
    places = _apart(ends, gap)
    places += max(0.0, low + gap / 2 - places.min())  # no name beside the numbers of the axis below
    for line, y in zip(list(ax.lines), places, strict=True):
        ax.annotate(
            line.get_label(), (x[-1], y), (6, 0), textcoords="offset points", va="center", color=line.get_color(), annotation_clip=False
        )
    return fig


def plot_intervals(means: pd.DataFrame, differences: pd.DataFrame) -> Figure:
    """Means and paired differences with their intervals, a row of panels for each metric.

    Args:
        means: columns ``loss, metric, mean, low, high``.
        differences: the same and ``minus``, the reference. A filled dot marks an interval that excludes 0.
    """
    metrics, losses = list(means["metric"].unique()), list(means["loss"].unique())
    fig = _page(WIDTH, 0.5 + len(metrics) * (0.45 + 0.27 * len(losses)))
    axes = fig.subplots(len(metrics), 2, squeeze=False)
    for (left, right), metric in zip(axes, metrics, strict=True):
        _intervals(left, means[means["metric"] == metric], losses)
        _intervals(right, differences[differences["metric"] == metric], losses)
        right.axvline(0, color=MUTED, linewidth=1, zorder=0)
        right.set_yticks([])
        left.set_ylabel(metric, rotation=0, ha="right", va="center", fontweight="bold", color=INK)
    axes[0, 0].set_title("mean")
    axes[0, 1].set_title(f"minus {differences['minus'].iloc[0]}")
    return fig


def plot_neighbors(images: ArrayLike, relevance: ArrayLike, *, titles: Sequence[str] | None = None) -> Figure:
    """Each row a query and its nearest neighbors, nearest first.

    Args:
        images: ``[rows, 1 + k, 3, h, w]`` or ``[rows, 1 + k, h, w, 3]``, uint8 or from 0 to 1; the query comes first.
        relevance: ``[rows, k]``. Relevant: solid blue frame and filled dot; irrelevant: dashed vermillion frame, hollow dot.
        titles: one for each row, such as "before" and "after".
    """
    images, relevance = np.asarray(images), np.asarray(relevance)
    if images.ndim != 5 or relevance.shape != (images.shape[0], images.shape[1] - 1):
        raise ValueError(f"images must be [rows, 1 + k, 3, h, w] and relevance [rows, k], got {images.shape} and {relevance.shape}")
    if images.shape[2] == 3:
        images = np.moveaxis(images, 2, -1)
    rows, columns = images.shape[:2]
    size = (WIDTH - (0.9 if titles is not None else 0)) / columns
    fig = _page(WIDTH, rows * size * 1.22 + 0.3)
    fig.patch.set_alpha(0)  # pictures keep their colors in the dark (on a page: the class rb-picture), so their ground gives way
    axes = fig.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        for column, ax in enumerate(axes[row]):
            ax.imshow(images[row, column], interpolation="antialiased")
            ax.set(xticks=[], yticks=[])
            hit = None if column == 0 else bool(relevance[row, column - 1] > 0)
            _frame(ax, hit)
        if titles is not None:
            axes[row, 0].set_ylabel(titles[row], rotation=0, ha="right", va="center", color=BOTH)
    axes[0, 0].set_title("query", color=BOTH)
    for rank, ax in enumerate(axes[0, 1:], start=1):
        ax.set_title(f"{rank}", color=BOTH)
    return fig


def plot_jacobian(matrix: ArrayLike, *, names: Sequence[str] | None = None) -> Figure:
    """How each rank (row) answers to each score (column): purple is negative (the item climbs), green positive."""
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim != 2:
        raise ValueError(f"matrix must be [ranks, scores], got shape {matrix.shape}")
    fig, ax = _figure(WIDTH, 4.6)
    limit = max(np.abs(matrix).max(), np.finfo(float).tiny)
    picture = ax.imshow(matrix, cmap="PRGn", vmin=-limit, vmax=limit)
    if max(matrix.shape) <= 10:
        for (i, j), value in np.ndenumerate(matrix):
            ax.annotate(f"{value:.1f}", (j, i), ha="center", va="center", fontsize=10, color="white" if abs(value) > 0.6 * limit else INK)
    for axis, count in ((ax.xaxis, matrix.shape[1]), (ax.yaxis, matrix.shape[0])):
        if names is not None:
            axis.set_ticks(range(count), labels=names)
    ax.set(xlabel="score of item $j$", ylabel="rank of item $i$")
    ax.spines[:].set_visible(False)
    fig.colorbar(picture, label=r"$\partial r_i\,/\,\partial s_j$", shrink=0.8).outline.set_visible(False)
    return fig


def _page(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    fig = _page(width, height)
    return fig, fig.subplots()


def _dot(ax: Axes, x: float, y: float, relevant: bool, *, size: float) -> None:
    color = RELEVANT if relevant else IRRELEVANT
    ax.plot([x], [y], "o", markersize=size, color=color, markerfacecolor=color if relevant else "white", markeredgewidth=2)


def _frame(ax: Axes, relevant: bool | None) -> None:
    """Of a picture: relevant, irrelevant, or None for the query."""
    color = MUTED if relevant is None else RELEVANT if relevant else IRRELEVANT
    for spine in ax.spines.values():
        spine.set(visible=True, color=color, linewidth=1 if relevant is None else 2.5, linestyle="--" if relevant is False else "-")
    if relevant is not None:
        face = color if relevant else "white"
        ax.plot([0.5], [-0.1], "o", transform=ax.transAxes, clip_on=False, color=color, markerfacecolor=face, markersize=7)


def _intervals(ax: Axes, table: pd.DataFrame, losses: Sequence[str]) -> None:
    for line in table.itertuples():
        y = -losses.index(line.loss)
        ax.plot([line.low, line.high], [y, y], color=INK, linewidth=2, solid_capstyle="butt")
        sure = not hasattr(line, "minus") or line.low > 0 or line.high < 0
        ax.plot([line.mean], [y], "o", color=INK, markerfacecolor=INK if sure else "white", markersize=7)
    ax.set_yticks([-i for i in range(len(losses))], labels=losses)
    ax.set_ylim(0.6 - len(losses), 0.6)
    ax.tick_params(axis="y", length=0)
    ax.locator_params(axis="x", nbins=2 if "minus" in table else 3)
    ax.xaxis.set_major_formatter(lambda value, _: f"{round(value, 6):g}".replace("-", "−"))
    ax.margins(x=0.15)


def _apart(positions: np.ndarray, gap: float) -> np.ndarray:
    """Positions moved as little as needed to stand a gap apart, in the same order."""
    order = np.argsort(positions)
    moved = positions[order].astype(float)
    for _ in range(100):
        overlap = gap - np.diff(moved)
        if (overlap <= 1e-9).all():
            break
        push = np.clip(overlap, 0, None) / 2
        moved[:-1] -= push
        moved[1:] += push
    result = np.empty_like(moved)
    result[order] = moved
    return result
