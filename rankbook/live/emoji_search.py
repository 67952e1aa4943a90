"""A search box in the page: words find drawings, by two trained models side by side."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets
from torch import Tensor

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import BadTrait, Checked, number

LIMIT = 60  # characters of a query
SHOWN = 5  # results of each model
_CODES = 127  # int8
_WORD = re.compile(r"[a-z0-9]+")

_WORDS = ("cat", "face", "dog", "heart", "red", "tears")
_ITEMS = (
    "\U0001f408 cat",
    "\U0001f431 cat face",
    "\U0001f436 dog face",
    "\u2764 red heart",
    "\U0001f602 face with tears",
    "\U0001f5a4 heart",
)


def _query(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > LIMIT:
        raise ValueError(f"{name} must be a text of at most {LIMIT} characters, got {value!r:.80}")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text with a line for each, got {value!r:.40}")
    return value


class EmojiSearch(LiveFigure, module="emoji_search"):
    """Type words: two models embed them, and each shows the items nearest to them; a handle weighs the last word against the others.

    The embedding of a text is the sum of the vectors of its words; the score of an item is its cosine. All vectors are whole numbers
    from -127 to 127, so that the page stays small.

    Args:
        words: the vocabulary, lower case; a word that is not in it counts for nothing.
        items: a picture as a character, a space, a name.
        models: two, name -> (vectors of the words ``[words, d]``, embeddings of the items ``[items, d]``). They are rounded.

    Traits:
        query: at most 60 characters.
        weight: of the last word, from 0 to 1; 0.5: all words count alike.
        vocabulary, catalog, models: words, items and names, a line each.
        vectors: base64 of int8, of each model the words, then the items.
    """

    query = Checked("cat face", _query)
    weight = number(0.5, 0, 1)
    vocabulary = Checked("", _text)
    catalog = Checked("", _text)
    models = Checked("", _text)
    vectors = Checked("", _text)

    def __init__(
        self,
        words: Sequence[str] = _WORDS,
        items: Sequence[str] = _ITEMS,
        models: Mapping[str, tuple[Tensor, Tensor]] | str | None = None,
        **traits: Any,
    ):
        if isinstance(models, str) and "vectors" in traits:  # packed before
            super().__init__(**traits, models=models)
            return
        models = _example() if models is None else models
        if not isinstance(models, Mapping):
            raise TypeError(f"models must be a mapping from names to vectors of words and of items, got {type(models).__name__}")
        if packed := {"vocabulary", "catalog", "vectors"} & set(traits):
            raise ValueError(f"{', '.join(sorted(packed))} must come with models that are packed too: the state of another figure")
        codes = []
        for pair in models.values():
            for part, rows in zip(pair, (words, items), strict=True):
                values = np.asarray(part, dtype=np.float64)
                if values.ndim != 2 or len(values) != len(rows):
                    raise ValueError(f"models must have one row for each of the {len(rows)} words or items, got {values.shape}")
                codes.append(np.rint(values / np.abs(values).max() * _CODES).astype(np.int8).tobytes())
        super().__init__(
            vocabulary="\n".join(words),
            catalog="\n".join(items),
            models="\n".join(models),
            vectors=base64.b64encode(b"".join(codes)).decode(),
            **traits,
        )

    @traitlets.validate("vocabulary", "catalog", "models", "vectors")
    def _check(self, proposal: Any) -> str:
        now = {name: getattr(self, name) for name in ("vocabulary", "catalog", "models", "vectors")}
        now[proposal["trait"].name] = proposal["value"]
        if all(now.values()):
            try:
                _unpacked(now)
            except (ValueError, binascii.Error) as error:
                name = proposal["trait"].name
                raise BadTrait(
                    f"{name} must fit: vectors, base64 of int8, two models of one length for each word and item; {error}"
                ) from None
        return proposal["value"]

    def known(self) -> list[int]:
        """The words of the query that are in the vocabulary, by their numbers there, each once."""
        place = {word: i for i, word in enumerate(self.vocabulary.split("\n"))}
        return list(dict.fromkeys(place[word] for word in _WORD.findall(self.query.lower()) if word in place))

    def readout(self) -> dict[str, Any]:
        known, sides = self.known(), _unpacked({name: getattr(self, name) for name in ("vocabulary", "catalog", "models", "vectors")})
        found: dict[str, Any] = {}
        for side, (words, items) in zip(("first", "second"), sides, strict=True):
            weights = np.full(len(known), 1 - self.weight)
            weights[-1:] = self.weight if len(known) > 1 else 1.0
            vector = weights @ words[known] if known else np.zeros(words.shape[1])
            length = np.sqrt((vector**2).sum())
            scores = items @ vector / (np.sqrt((items**2).sum(1)) * length) if length else np.zeros(len(items))
            order = np.argsort(-np.round(scores, 9), kind="stable")[:SHOWN] if length else np.zeros(0, int)
            found |= {side: order.tolist(), f"{side}_scores": scores[order].tolist()}
        return self.figure_state() | {"known": known, "shared": len({*found["first"]} & {*found["second"]})} | found

    def describe(self) -> str:
        now, names = self.readout(), self.catalog.split("\n")
        text = f"A search box: two models show what is nearest to the words {self.query!r}."
        lists = [
            f"{model}: {', '.join(names[i] for i in now[side])}"
            for model, side in zip(self.models.split("\n"), ("first", "second"), strict=True)
        ]
        return f"{text} {'; '.join(lists)}." if now["known"] else f"{text} None of them is known."


def _unpacked(state: Mapping[str, str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The vectors of words and items of both models."""
    words, items = (len(state[name].split("\n")) for name in ("vocabulary", "catalog"))
    codes = np.frombuffer(base64.b64decode(state["vectors"], validate=True), np.int8).astype(np.float64)
    dims, rest = divmod(len(codes), 2 * (words + items))
    if rest or not dims or len(state["models"].split("\n")) != 2:
        raise ValueError(f"{len(codes)} numbers for {words} words, {items} items and the models {state['models']!r:.60}")
    return [(model[:words], model[words:]) for model in codes.reshape(2, words + items, dims)]


def _example() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A model that counts words, and one that confuses neighbors in the vocabulary."""
    words = np.eye(len(_WORDS))
    items = np.array([[word in _WORD.findall(item.lower()) for word in _WORDS] for item in _ITEMS], float)
    return {"counts words": (words, items), "confuses": (words + 0.9 * np.roll(words, 1, axis=1), items)}
