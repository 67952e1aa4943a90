"""What a step function is: how much an item that leads by x counts. The rankers and the batch losses count with the same ones."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Step(Protocol):
    r"""A smooth or bounding version of the step :math:`H(x) = \mathbb{1}[x \ge 0]`, computed in place, a block of leads at a time.

    `SigmoidStep` of smooth.py, `SupStep` of suprank.py, `LaplaceStep` and `BoxStep` of kernels.py are the ones of this package;
    `count_exactly` of pairs.py is H itself.
    """

    scale: float
    """What the leads s_j - s_k are multiplied by before they come: the scores of a block are scaled once, not pair by pair."""

    def sums(self, leads: Tensor) -> Tensor:
        """Sum of H over the last axis of the scaled ``leads`` ``[..., m]``, which may be overwritten.

        A lead of minus infinity marks an item that is not there: value and slope are 0, or vanish beside any other number.
        """

    def slopes_(self, leads: Tensor) -> Tensor:
        """Overwrite the scaled ``leads`` by the slope of H there."""

    def ranks(self, scores: Tensor, relevance: Tensor | None = None, *, where: Tensor | None = None) -> Tensor:
        """The ranker that counts with this step."""
