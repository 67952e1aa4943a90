"""What lives in a notebook and in the static page alike: one JavaScript module, its state, and a text for readers without JavaScript."""

from __future__ import annotations

import html
import json
from typing import Any

import anywidget

from rankbook.live.modules import CSS, widget_module


class LiveElement(anywidget.AnyWidget):
    """A widget in a notebook, and the same thing in a static page, without a kernel.

    Displayed, it offers the widget to notebooks, and to all others ``text/html`` with the state of its synced traits, which the
    book's scripts bring to life. Both texts are deterministic, so a stored notebook does not change.
    """

    _css = CSS

    def __init_subclass__(cls, *, module: str | None = None, **kwargs: Any) -> None:
        if module is not None:  # traitlets derives a class of its own from each figure, without keywords
            cls._module = module
            cls._esm = widget_module(module)
        super().__init_subclass__(**kwargs)

    def describe(self) -> str:
        """Its message and its numbers in a sentence or two, as plain text."""
        raise NotImplementedError

    def fallback(self) -> str:
        """What a page shows in its place without JavaScript, as HTML."""
        return f'<p class="rb-fallback">{html.escape(self.describe())}</p>'

    def figure_state(self) -> dict[str, Any]:
        """The synced traits that make it."""
        own = set(self.traits(sync=True)) - set(anywidget.AnyWidget.class_traits())
        return {name: getattr(self, name) for name in sorted(own) if not name.startswith("_")}

    def _attributes(self) -> dict[str, str]:
        """More attributes of its place in the page."""
        return {}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        state = json.dumps(self.figure_state(), sort_keys=True, separators=(",", ":"))
        attributes = {"class": "rb-live", "data-module": self._module, **self._attributes(), "data-state": state}
        opening = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
        data["text/plain"] = f"{type(self).__name__}: {self.describe()}"
        data["text/html"] = f"<div {opening}>{self.fallback()}</div>"
        return data, metadata
