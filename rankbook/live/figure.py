"""The base class of all live figures.

Everything that moves is computed by a JavaScript module of ``rankbook/live/js/figures``. In a notebook anywidget runs it; in
the built book ``core.js`` loads it when the figure comes near (see bundle.py). A new figure is one JavaScript file, one class,
its name in ``rankbook.live.__all__``, and its scenes in the tests:

1. ``js/figures/NAME.js``: ``export default figure({ label, traits, legend, hint, build })``. ``build({ root, get, set })``
   makes the elements once and returns ``draw(width, state)``, which draws the state for that many CSS pixels and returns
   the numbers on display and a spoken summary. Marks, axes, handles, sliders and tiles come from ``js/core``; what some
   figures share, their mathematics above all, from ``js/shared``.
2. ``NAME.py``: a `LiveFigure` with its traits, each within bounds (see traits.py), ``readout()``, the same numbers computed
   by rankbook, and ``describe()``, the text for readers without JavaScript.
3. ``tests/live/scenes.py``: two or more states. Every class of ``__all__`` joins ``tests/live``, which holds Python and
   JavaScript to each other: after every drag the page's ``data-values`` must equal ``readout()``. The API page lists
   ``__all__`` too.
"""

from __future__ import annotations

import weakref
from typing import Any, ClassVar

import traitlets

from rankbook.checks import check_choice
from rankbook.live.element import LiveElement

#: A gradient below this counts as dead: in float32, next to gradients of order 1, it leaves no trace.
DEAD = 1e-6
#: An item feels a push that is at least this share of the hardest one.
FELT = 0.05


class LiveFigure(LiveElement):
    """A figure that computes in the reader's browser: a widget in a notebook, and the same figure in a static page.

    A subclass names its module, declares its synced traits, and says in Python what the figure starts with::

        class Staircase(LiveFigure, module="staircase"): ...

    Figures of a chapter that speak of the same thing share a ``link``: a trait that both have moves in all of them, in the page
    and in a notebook. Words in the prose join by the same name (see js/core/links.js):
    ``<span class="rb-drag" data-link="list" data-trait="tau" data-min="0.01" data-max="0.3">0.05</span>`` can be dragged,
    ``<span class="rb-value" data-link="list" data-value="average_precision" data-digits="3">0.722</span>`` follows.

    ``link_traits`` names the traits that a figure shares, where it is not all of them: two metrics of one list. Its numbers are then
    another view of the list, and reach no word.
    """

    link = traitlets.Unicode("", help="figures with the same name share the traits that they have in common")
    link_traits = traitlets.List(traitlets.Unicode(), help="the traits that it shares with its link, all that it has if there are none")
    _linked: ClassVar[dict[str, weakref.WeakSet[LiveFigure]]] = {}

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        if self.link:
            self._linked.setdefault(self.link, weakref.WeakSet()).add(self)
            self.observe(self._share, names=self._shared())

    @traitlets.validate("link_traits")
    def _check_link_traits(self, proposal: Any) -> list[str]:
        for i, name in enumerate(proposal["value"]):
            check_choice(f"link_traits[{i}]", name, list(self.figure_state()))
        return proposal["value"]

    def readout(self) -> dict[str, Any]:
        """The numbers that the figure shows for its present traits, computed by rankbook; None where one is undefined."""
        raise NotImplementedError

    def _attributes(self) -> dict[str, str]:
        chosen = {"data-link-traits": " ".join(self.link_traits)} if self.link_traits else {}
        return {"data-link": self.link, **chosen} if self.link else {}

    def _shared(self) -> list[str]:
        return list(self.link_traits or self.figure_state())

    def _share(self, change: Any) -> None:
        for other in list(self._linked[self.link]):
            if other is not self and change["name"] in other._shared() and getattr(other, change["name"]) != change["new"]:
                other.set_trait(change["name"], change["new"])
