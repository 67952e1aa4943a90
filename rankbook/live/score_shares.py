"""Several processes, one batch: who scores which part of the matrix of queries and gallery, and what it takes."""

from __future__ import annotations

from typing import Any

import torch

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import choice, whole

#: How the batch is divided -> the words of `describe`, and whether the gradient is that of one process with the whole batch.
MODES: dict[str, tuple[str, bool]] = {
    "own": ("Each process ranks its own rows, and no others", False),
    "copies": ("Every process gathers all rows and ranks all of them", True),
    "queries": ("Every process gathers all rows and ranks its own queries in the gallery of all", True),
    "passes": ("One process embeds the batch in chunks, twice", True),
    "memory": ("One process ranks its rows among those and older embeddings, which are constants", False),
}


class ScoreShares(LiveFigure, module="score_shares"):
    """W processes of b rows: which pairs of the B x B matrix are scored, by whom, and what a process receives.

    Traits:
        mode: "own" batches; "copies", a gather, and all rank all; "queries", a gather, and each ranks its own; "passes"; "memory".
        processes: W, from 1 to 16.
        rows: b, from 2 to 1,000 on each process.
    """

    mode = choice("own", list(MODES))
    processes = whole(8, 1, 16)
    rows = whole(128, 2, 1000)

    def scored(self) -> torch.Tensor:
        """``[processes, W, W]``: whether a process scores the rows of block q against those of block g."""
        parts = torch.eye(self.processes, dtype=torch.bool)
        if self.mode == "own":
            return parts[:, :, None] & parts[:, None, :]
        if self.mode == "queries":
            return parts[:, :, None].expand(-1, -1, self.processes)
        if self.mode == "memory":
            return parts[:1, :, None].expand(-1, -1, self.processes)
        copies = self.processes if self.mode == "copies" else 1
        return torch.ones(copies, self.processes, self.processes, dtype=torch.bool)

    def readout(self) -> dict[str, Any]:
        scored, b, batch = self.scored(), self.rows, self.processes * self.rows
        by_anyone = scored.any(0)
        pairs = by_anyone.sum().item() * b * b - by_anyone.diagonal().sum().item() * b  # a query is no pair with itself
        gathers = self.mode in ("copies", "queries")
        return {
            **self.figure_state(),
            "batch": batch,
            "pairs": pairs / (batch * (batch - 1)),
            "scores": scored[0].sum().item() * b * b,
            "all_scores": scored.sum().item() * b * b,
            "received": batch - b if gathers else 0,
            "exact": self.processes == 1 or MODES[self.mode][1],
        }

    def describe(self) -> str:
        now = self.readout()
        one = "1 process" if self.processes == 1 else f"{self.processes} processes"
        held = one if self.mode in ("own", "copies", "queries") else f"{self.processes} parts"
        return (
            f"A batch of {now['batch']:,} items in {held} of {self.rows}. {MODES[self.mode][0]}: {100 * now['pairs']:.0f} % of the pairs "
            f"are ranked, a process computes {now['scores']:,} scores and receives {now['received']:,} embeddings; the gradient is "
            f"{'that' if now['exact'] else 'not that'} of the whole batch."
        )
