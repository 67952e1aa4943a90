"""Codes of bits: how far each item is from the query, and AP over the orders that ties leave open, at every length of the code."""

from __future__ import annotations

from typing import Any

import torch
import traitlets
from torch import Tensor

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import as_many, labels, whole
from rankbook.metrics.tied import counts_by_level, tied_average_precision

LONGEST = 48  # bits
ITEMS = 60


def drawn_codes(seed: int = 0) -> tuple[list[int], list[int]]:
    """Bits that differ from the query's code and labels of 60 items: of its own class each bit with a chance of 0.2, else 0.42.

    >>> from rankbook.live.tied_codes import drawn_codes
    >>> codes, relevance = drawn_codes()
    >>> len(codes), sum(relevance)
    (60, 6)
    """
    draw = torch.Generator().manual_seed(seed)
    relevance = (torch.arange(ITEMS) < 6).long()
    chance = torch.where(relevance > 0, 20, 42)  # in hundredths: whole draws are the same on every machine
    bits = torch.randint(100, (ITEMS, LONGEST), generator=draw) < chance[:, None]
    return [int("".join(map(str, row)), 2) for row in bits.long().tolist()], relevance.tolist()


CODES, RELEVANCE = drawn_codes()


class TiedCodes(LiveFigure, module="tied_codes"):
    """Drag the number of bits: the Hamming distances of all items, and AP of the worst, the best and the mean order of their ties.

    Traits:
        codes: of up to 60 items, the bits that differ from the query's code, as a whole number of 48 bits; the highest is the first.
        relevance: as many, 1 (of the query's class) or 0.
        bits: of the code that count, the first 1 to 48.
    """

    codes = labels(CODES, ITEMS, 2**LONGEST - 1)
    relevance = labels(RELEVANCE, ITEMS)
    bits = whole(24, 1, LONGEST)

    @traitlets.validate("codes", "relevance")
    def _check(self, proposal: Any) -> Any:
        return as_many(proposal, "codes", "relevance")

    def distances(self) -> Tensor:
        """``[49, items]``: row K counts the first K bits."""
        differ = torch.tensor([[int(bit) for bit in f"{code:0{LONGEST}b}"] for code in self.codes]).view(-1, LONGEST)
        return torch.cat([differ.new_zeros(len(differ), 1), differ.cumsum(1)], 1).T

    def readout(self) -> dict[str, Any]:
        distances, relevance = self.distances(), torch.tensor(self.relevance, dtype=torch.long)
        hits, items = counts_by_level(distances, relevance.expand_as(distances), LONGEST + 1)
        here = self.figure_state() | {
            "items": items[self.bits, : self.bits + 1].tolist(),
            "hits": hits[self.bits, : self.bits + 1].tolist(),
            "tied": int((items[self.bits] > 1).mul(items[self.bits]).sum()),
        }
        if not relevance.any():
            return {**here, **dict.fromkeys(("worst", "mean", "best", "worsts", "means", "bests"))}
        curves = tied_average_precision(hits[1:], items[1:])
        now = {name: values[self.bits - 1].item() for name, values in curves._asdict().items()}
        return here | now | {f"{name}s": values.tolist() for name, values in curves._asdict().items()}

    def describe(self) -> str:
        now = self.readout()
        text = f"By the first {self.bits} bits {now['tied']} of {len(self.codes)} items share their distance with another"
        if now["worst"] is None:
            return f"{text}. None is of the query's class: AP is undefined."
        worst, mean, best = (f"{now[name]:.3f}" for name in ("worst", "mean", "best"))
        return f"{text}: AP is {worst} in the worst order of ties, {best} in the best, {mean} in the mean of all."
