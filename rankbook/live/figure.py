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

import html
import json
from typing import Any

import anywidget

from rankbook.live.modules import CSS, widget_module

#: A gradient below this counts as dead: in float32, next to gradients of order 1, it leaves no trace.
DEAD = 1e-6
#: An item feels a push that is at least this share of the hardest one.
FELT = 0.05


class LiveFigure(anywidget.AnyWidget):
    """A figure that computes in the reader's browser: a widget in a notebook, and the same figure in a static page.

    A subclass names its module, declares its synced traits, and says in Python what the figure starts with::

        class Staircase(LiveFigure, module="staircase"): ...

    Displayed, it offers the widget to notebooks, and to all others ``text/html`` with the state of its traits, which
    the book's scripts turn into the living figure. Both texts are deterministic, so a stored notebook does not change.
    """

    _css = CSS

    def __init_subclass__(cls, *, module: str | None = None, **kwargs: Any) -> None:
        if module is not None:  # traitlets derives a class of its own from each figure, without keywords
            cls._module = module
            cls._esm = widget_module(module)
        super().__init_subclass__(**kwargs)

    def readout(self) -> dict[str, Any]:
        """The numbers that the figure shows for its present traits, computed by rankbook; None where one is undefined."""
        raise NotImplementedError

    def describe(self) -> str:
        """The message of the figure and its numbers in a sentence or two, for readers without JavaScript."""
        raise NotImplementedError

    def figure_state(self) -> dict[str, Any]:
        """The synced traits that make the figure."""
        own = set(self.traits(sync=True)) - set(anywidget.AnyWidget.class_traits())
        return {name: getattr(self, name) for name in sorted(own) if not name.startswith("_")}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        text = self.describe()
        state = html.escape(json.dumps(self.figure_state(), sort_keys=True, separators=(",", ":")))
        data["text/plain"] = f"{type(self).__name__}: {text}"
        data["text/html"] = (
            f'<div class="rb-live" data-module="{self._module}" data-state="{state}"><p class="rb-fallback">{html.escape(text)}</p></div>'
        )
        return data, metadata
