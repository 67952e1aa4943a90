"""A memory of the embeddings of the last batches, as a larger gallery for the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from rankbook.checks import check_callable, check_count, check_device, check_floating, check_not_negative, check_tensor


class CrossBatchMemory(nn.Module):
    """The last ``size`` embeddings, detached, join the gallery of each batch: many negatives and positives for the price of few.

    Args:
        size: items that are kept; the oldest leave first. As large as the weights move little while it fills: in the paper's
            experiments up to the whole training set.
        dim: of the embeddings.
        levels: None: labels are ``[b]``; else ``[b, levels]``, fine to coarse.

    Call with ``memory(loss, embeddings, labels, ids=None)``: the ``loss`` of the batch, each item a query, whose gallery is the rest of
    the batch and what is in the memory. Then, in training mode, the batch enters the memory; in evaluation mode it does not.

    - ``loss``: any batch loss, ``loss(embeddings, labels, ref_embeddings, ref_labels, self_index=..., where=...)``.
    - ``embeddings``: ``[b, dim]``, which get the gradient as queries and as gallery; the memory is a constant.
    - ``labels``: integers, as a tensor, an array or a list. They must mean the same in every batch.
    - ``ids``: ``[b]``, integers of at least 0, which tell the items of the data set apart. The older embedding of an item is then not in
      the item's own gallery, where it would be a positive that is all too easy to find. Views of an item *within* a batch stay
      positives of each other.

    It starts empty: only what has been put in counts, and the first loss is that of the batch alone. At the start of a training the
    weights move fast, and old embeddings mislead: train some epochs without the memory, or call ``reset()`` after them.

    State dictionaries hold the entries and how many there are, so a training that resumes goes on with the same gallery. Each process
    of a distributed training has its own memory; with `DistributedLoss`, which joins all of them, leave ``ids`` out.

    Under ``torch.compile`` compile the encoder, not the call of the memory: how many entries there are is a number of Python, for
    which a graph would be made anew at each step.

    Cost: that of the loss for ``b`` queries and a gallery of ``b + size``; memory for ``size * dim`` float32.

    Raises:
        ValueError: labels, ids or dimensions that do not fit; ids below 0; what the loss refuses. The memory is then as it was.
        TypeError: labels that are no integers: texts would be numbered anew in each batch.

    Source: Cross-Batch Memory for Embedding Learning (CVPR 2020, 1912.06798).

    >>> memory = rb.CrossBatchMemory(size=100, dim=4)
    >>> loss = rb.SmoothAPLoss(tau=0.1)
    >>> memory(loss, torch.eye(4), torch.tensor([0, 0, 1, 1]))
    tensor(0.5000)
    >>> memory  # doctest: +ELLIPSIS
    CrossBatchMemory(size=100, dim=4, filled=4)
    """

    embeddings: Tensor
    labels: Tensor
    ids: Tensor

    def __init__(self, size: int, dim: int, *, levels: int | None = None):
        super().__init__()
        self.size, self.dim = check_count("size", size), check_count("dim", dim)
        self.levels = None if levels is None else check_count("levels", levels)
        shape = (self.size,) if self.levels is None else (self.size, self.levels)
        self.register_buffer("embeddings", torch.zeros(self.size, self.dim, dtype=torch.float32))
        self.register_buffer("labels", torch.zeros(shape, dtype=torch.int64))
        self.register_buffer("ids", torch.full((self.size,), -1, dtype=torch.int64))
        self.seen = 0  # items that have ever come in; a number of Python, so that no step waits for a GPU

    @property
    def filled(self) -> int:
        """How many entries there are."""
        return min(self.seen, self.size)

    def reset(self) -> None:
        """Forget all entries."""
        self.seen = 0

    def forward(
        self,
        loss: Callable[..., Tensor],
        embeddings: Tensor,
        labels: Tensor | np.ndarray | list,
        ids: Tensor | np.ndarray | list | None = None,
    ) -> Tensor:
        check_callable("loss", loss)
        embeddings, labels, ids = self._check(embeddings, labels, ids)
        rows, old = len(embeddings), self.filled
        gallery = torch.cat([embeddings, self.embeddings[:old].to(embeddings.dtype)])
        everyone = torch.cat([labels, self.labels[:old]])
        where = None
        if ids is not None:
            where = torch.cat([ids.new_ones(rows, rows, dtype=torch.bool), ids[:, None] != self.ids[:old]], dim=1)
        places = torch.arange(rows, device=embeddings.device)
        result = loss(embeddings, labels, gallery, everyone, self_index=places, where=where)
        if self.training:
            self._put(embeddings.detach(), labels, ids)
        return result

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.seen)

    def set_extra_state(self, state: Tensor) -> None:
        self.seen = int(state)

    def extra_repr(self) -> str:
        levels = "" if self.levels is None else f", levels={self.levels}"
        return f"size={self.size}, dim={self.dim}{levels}, filled={self.filled}"

    @torch.no_grad()
    def _put(self, embeddings: Tensor, labels: Tensor, ids: Tensor | None) -> None:
        """The last ``size`` of the batch take the places of the oldest entries."""
        rows = len(embeddings)
        first = max(rows - self.size, 0)
        places = torch.arange(self.seen + first, self.seen + rows, device=embeddings.device) % self.size
        self.embeddings[places] = embeddings[first:].to(self.embeddings.dtype)
        self.labels[places] = labels[first:]
        self.ids[places] = -1 if ids is None else ids[first:]
        self.seen += rows

    def _check(self, embeddings: Tensor, labels: object, ids: object) -> tuple[Tensor, Tensor, Tensor | None]:
        embeddings = check_floating("embeddings", embeddings)
        if embeddings.dim() != 2 or embeddings.shape[1] != self.dim or len(embeddings) == 0:
            raise ValueError(f"embeddings must have shape [b, {self.dim}] with at least one item, got {tuple(embeddings.shape)}")
        check_device("embeddings", embeddings, "memory", self.embeddings)
        shape = (len(embeddings),) if self.levels is None else (len(embeddings), self.levels)
        labels = self._integers("labels", labels, shape)
        if ids is not None:
            ids = self._integers("ids", ids, shape[:1])
            check_not_negative("ids", ids, "-1 is the mark of an entry without one; number the items: pandas.factorize(ids)[0]")
        return embeddings, labels, ids

    def _integers(self, name: str, value: object, shape: tuple[int, ...]) -> Tensor:
        if not isinstance(value, Tensor):
            array = np.asarray(value)
            if array.dtype.kind not in "iub":
                raise TypeError(
                    f"{name} must be integers that mean the same in every batch, got {array.dtype}; number the texts of the whole "
                    f"data set once: pandas.factorize({name})[0]"
                )
            value = torch.from_numpy(array.astype(np.int64))
        value = check_tensor(name, value)
        if value.is_floating_point() or tuple(value.shape) != shape:
            more = "; for [b, levels] make the memory with levels=" if name == "labels" and value.dim() != len(shape) else ""
            raise ValueError(f"{name} must be integers of shape {shape}, got {value.dtype} {tuple(value.shape)}{more}")
        return value.to(self.labels.device, torch.int64, non_blocking=True)
