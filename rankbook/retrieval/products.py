"""Scores whose bits do not depend on who else is in the product."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.retrieval.batch import Batch

#: A matrix product is computed in tiles of rows and columns, and what a division leaves over is rounded otherwise: equal embeddings
#: would differ there, and chunks of queries. In whole tiles nothing is left over; this is a multiple of the tiles in use.
_TILE = 48


class Products:
    """Dot products of queries with the gallery, at most ``most`` queries at a time: equal embeddings have equal scores."""

    def __init__(self, batch: Batch, most: int):
        self.queries, self.items, self.gallery = batch.queries, len(batch.gallery), _in_tiles(batch.gallery)
        most = min(most, len(batch.queries))
        self.buffer = batch.queries.new_empty(most + -most % _TILE, len(self.gallery))  # one for all: fresh memory costs time

    def __call__(self, rows: Tensor) -> Tensor:
        """The scores [rows, m], which the next call overwrites."""
        some = _in_tiles(self.queries.index_select(0, rows))
        return torch.mm(some, self.gallery.T, out=self.buffer[: len(some)])[: len(rows), : self.items]


def _in_tiles(embeddings: Tensor) -> Tensor:
    """The embeddings, and copies of the first one that fill the last tile."""
    spare = -len(embeddings) % _TILE
    return torch.cat([embeddings, embeddings[:1].expand(spare, -1)]) if spare else embeddings
