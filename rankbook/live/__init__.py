"""Live figures: widgets in a notebook, and the same figures in the static page, offline, without a kernel.

>>> from rankbook.live import Staircase
>>> figure = Staircase(x=0.5, tau=0.05)
>>> figure.readout()["exact_rank"]
4.0

Everything that moves is computed by a JavaScript module of ``rankbook/live/js/figures``. In JupyterLab, Colab and VS Code,
anywidget runs it, and the traits follow both ways. In the built book ``core.js`` loads it when the figure comes near (see
`rankbook.live.bundle`).

A new figure is one JavaScript file, one class, and its name below:

1. ``js/figures/NAME.js``: ``export default figure({ label, traits, legend, hint, build })``. ``build({ root, get, set })``
   makes the elements once and returns ``draw(width, state)``, which draws the state for that many CSS pixels and returns
   the numbers on display and a spoken summary. Marks, axes, handles, sliders and tiles come from ``js/core``; what some
   figures share, their mathematics above all, from ``js/shared``.
2. ``NAME.py``: a `LiveFigure` with its traits, each within bounds (see `rankbook.live.traits`), ``readout()``, the same
   numbers computed by rankbook, and ``describe()``, the text for readers without JavaScript.

Every class of ``__all__`` joins the tests in ``tests/live``, which hold the two to each other: after every drag the page's
``data-values`` must equal ``readout()``. The API page lists ``__all__`` too.
"""

from rankbook.live.figure import LiveFigure
from rankbook.live.hierarchy_strip import HierarchyStrip
from rankbook.live.learned_sorters import LearnedSorters
from rankbook.live.metric_gradient import MetricGradient
from rankbook.live.rank_strip import RankStrip
from rankbook.live.ranker_gallery import RankerGallery
from rankbook.live.staircase import Staircase
from rankbook.live.sup_rank_step import SupRankStep
from rankbook.live.tau_gradient import TauGradient

__all__ = [
    "HierarchyStrip",
    "LearnedSorters",
    "LiveFigure",
    "MetricGradient",
    "RankStrip",
    "RankerGallery",
    "Staircase",
    "SupRankStep",
    "TauGradient",
]
