"""SoDeep's handcrafted sorter with any step function: the counts that nobody trained, next to the learned sorters."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rankbook.sorters.sorter import standardize

Step = Callable[[Tensor], Tensor]


def counting(scores: Tensor, *, step: Step, tau: float, through_spread: bool = False) -> Tensor:
    """SoDeep's handcrafted sorter with the scores in units of their own deviation; any step function.

    ``through_spread``: let the gradient go through the deviation, as autograd does if nobody stops it.
    """
    z = scores / scores.std(-1, keepdim=True, correction=0) if through_spread else standardize(scores, None)
    return 0.5 + step((z.unsqueeze(-2) - z.unsqueeze(-1)) / tau).sum(-1)


STEPS: dict[str, Step] = {
    "logistic": torch.sigmoid,
    "Student": lambda u: 0.5 + u / (2 * (1 + u * u).sqrt()),
    "Cauchy": lambda u: 0.5 + torch.atan(u) / torch.pi,
}
TAUS = {
    "logistic": (0.1, 0.05, 0.03, 0.02, 0.01),
    "Student": (0.1, 0.05, 0.03, 0.02, 0.01),
    "Cauchy": (0.05, 0.03, 0.01, 0.005),
}
