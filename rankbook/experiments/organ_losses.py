"""Losses of organ matching: ``loss(predicted[m, n], History)``, in deviations of the outcome. Each says what its model is made of.

The adaptive weights are a reconstruction after the abstract of AWTR (arXiv 2107.10971), whose formulas we have not seen.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from rankbook.checks import check_number
from rankbook.experiments.parts import Contender
from rankbook.losses import RankNetLoss
from rankbook.ranks import exact_ranks


class History(NamedTuple):
    """What is known of past organs.

    seen: the patients with an outcome ``[m, k]``
    outcome: their outcomes ``[m, k]``
    score: the old score of all pairs ``[m, n]``
    generator: for losses that draw
    """

    seen: Tensor
    outcome: Tensor
    score: Tensor
    generator: torch.Generator | None = None


def top_weights(scores: Tensor, n: float) -> Tensor:
    r"""Of each item ``[..., items]`` :math:`e^{-(r - 1) / N}`, where r is its rank in its list: 1 for the first.

    Args:
        scores: larger is better; no gradient passes.
        n: N, above 0. Larger fades later; infinity: all weigh 1.

    Raises:
        ValueError: N is not above 0, or a score is not finite.

    >>> from rankbook.experiments.organ_losses import top_weights
    >>> top_weights(torch.tensor([0.1, 0.3, 0.2]), n=1)
    tensor([0.1353, 1.0000, 0.3679])
    """
    return torch.exp(-(exact_ranks(scores.detach()) - 1) / check_number("n", n, above=0, finite=False))


class SquaredError(nn.Module):
    """The mean squared error of the known outcomes.

    Args:
        decay: of the model's coefficients; see `rankbook.experiments.tasks.organs.Matcher`.
        covariates, factors: what the model has.
    """

    def __init__(self, decay: float, *, covariates: bool = True, factors: bool = True):
        super().__init__()
        self.decay, self.covariates, self.factors = decay, covariates, factors

    def forward(self, predicted: Tensor, history: History) -> Tensor:
        return (predicted.gather(1, history.seen) - history.outcome).square().mean()


class RankNetPairs(SquaredError):
    """RankNet on the known outcomes of each organ."""

    def __init__(self, decay: float):
        super().__init__(decay)
        self.pairs = RankNetLoss()

    def forward(self, predicted: Tensor, history: History) -> Tensor:
        return self.pairs(predicted.gather(1, history.seen), history.outcome - history.outcome.min())


class BPR(SquaredError):
    """Bayesian personalized ranking: a patient whose outcome is above the organ's mean stands before one drawn from all (1205.2618)."""

    def forward(self, predicted: Tensor, history: History) -> Tensor:
        liked = history.outcome > history.outcome.mean(1, keepdim=True)
        drawn = torch.randint(predicted.shape[1], history.seen.shape, generator=history.generator)
        return softplus(predicted.gather(1, drawn) - predicted.gather(1, history.seen))[liked].mean()


class TopWeighted(SquaredError):
    r"""Squared errors and pairs that count more where the patient stands near the top of the organ's list.

    .. math::
        \frac{\sum_{ij} (1 + \kappa\, w_{ij}) (y_{ij} - \hat y_{ij})^2}{\sum_{ij} (1 + \kappa\, w_{ij})}
        + \frac{\sum_{i,\, y_{ij} > y_{il}} w_{ij} \log\big(1 + e^{-(\hat y_{ij} - \hat y_{il})}\big)}{\sum_{i,\, y_{ij} > y_{il}} w_{ij}},
        \qquad w_{ij} = e^{-(r_{ij} - 1) / N}

    Args:
        kappa: weight of the first, beside 1; 0 leaves the squared errors alone. Larger gives up more of the bulk.
        adaptive: r is the rank by what the model predicts now, of all patients; else by the old score.
        n: N; infinity: all count alike, and what is left is the squared error beside pairs without a weight.
        decay, factors: as of `SquaredError`.
    """

    def __init__(self, decay: float, kappa: float, *, adaptive: bool, n: float = 10, factors: bool = True):
        super().__init__(decay, factors=factors)
        self.kappa, self.adaptive, self.n = kappa, adaptive, n

    def forward(self, predicted: Tensor, history: History) -> Tensor:
        top = top_weights(predicted if self.adaptive else history.score, self.n).gather(1, history.seen)
        found, known = predicted.gather(1, history.seen), history.outcome
        weights = 1 + self.kappa * top
        squares = (weights * (known - found).square()).sum() / weights.sum()
        pairs = (known[:, :, None] > known[:, None, :]) * top[:, :, None]
        return squares + (pairs * softplus(found[:, None, :] - found[:, :, None])).sum() / pairs.sum()


_DECAY = {"decay": (0.3, 1.0, 3.0, 6.0, 12.0, 30.0)}
_PAIRS = {"decay": (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)}
_WEIGHTED = {"decay": (1.0, 3.0, 10.0), "kappa": (1.0, 4.0)}
_WEIGHTED_STIFF = {"decay": (1.0, 3.0, 10.0), "kappa": (4.0, 16.0)}

#: The arms of the study; each has six settings of its own.
CONTENDERS = {
    "factors": Contender(partial(SquaredError, covariates=False), _DECAY),
    "covariates": Contender(partial(SquaredError, factors=False), _DECAY),
    "covariates, adaptive": Contender(partial(TopWeighted, adaptive=True, factors=False), _WEIGHTED_STIFF),
    "both": Contender(SquaredError, _DECAY),
    "both, RankNet": Contender(RankNetPairs, _PAIRS),
    "both, BPR": Contender(BPR, _PAIRS),
    "both, unweighted": Contender(partial(TopWeighted, kappa=0.0, adaptive=False, n=math.inf), _DECAY),
    "both, static": Contender(partial(TopWeighted, adaptive=False), _WEIGHTED),
    "both, adaptive": Contender(partial(TopWeighted, adaptive=True), _WEIGHTED),
}
