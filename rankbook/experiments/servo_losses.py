"""Ways to use few pairs of a simulated and a real picture of one pose: which pictures have labels, and a term that draws pairs together."""

from __future__ import annotations

from torch import Tensor, nn


class ServoLoss(nn.Module):
    r"""Squared error of the labeled pictures, and a weight times the squared distance of the features of pairs:

    .. math:: L = \frac1n \sum_i \lVert \hat y_i - y_i \rVert^2 + \lambda \frac1p \sum_j \lVert \phi(x_j^s) - \phi(x_j^r) \rVert^2

    A reconstruction: of the paper (Viereck, Saenko and Platt, "Adapting control policies from simulation to reality using a pairwise
    loss", 2018) we know the abstract. The second term by itself is least, 0, where all features are equal; beside the first it may be
    paid in small change, by features that shrink and a readout that grows.

    Args:
        lr: of the training.
        real: the share of labeled pictures that are real; None: their share in all that there are.
        weight: :math:`\lambda`; a larger one draws the pairs nearer. 0: pairs are not drawn at all.
    """

    def __init__(self, lr: float, real: float | None = 0.0, weight: float = 0.0):
        super().__init__()
        self.lr, self.real, self.weight = lr, real, weight

    def forward(self, predicted: Tensor, offsets: Tensor, twins: Tensor) -> Tensor:
        """The loss for offsets ``[n, 2]`` and features of pairs ``[2, p, d]``, of the simulated pictures first."""
        error = squared_distance(predicted, offsets)
        return error + self.weight * squared_distance(*twins) if self.weight else error


def squared_distance(one: Tensor, other: Tensor) -> Tensor:
    """The mean over the rows.

    >>> import torch
    >>> from rankbook.experiments.servo_losses import squared_distance
    >>> squared_distance(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[3.0, 4.0], [1.0, 1.0]]))
    tensor(12.5000)
    """
    return (one - other).square().sum(1).mean()


def natural(lr: float) -> ServoLoss:
    """Simulated and real pictures in one heap."""
    return ServoLoss(lr, real=None)


def real_alone(lr: float) -> ServoLoss:
    return ServoLoss(lr, real=1.0)


def balanced_pairs(lr: float, weight: float) -> ServoLoss:
    """Half of the labeled pictures are real, and pairs are drawn together."""
    return ServoLoss(lr, real=0.5, weight=weight)


def spread(features: Tensor) -> float:
    """The mean squared distance of two of the rows ``[n, d]``, drawn at random, with replacement."""
    return 2 * squared_distance(features, features.mean(0, keepdim=True)).item()


def apart(twins: Tensor) -> float:
    """How far a pair is apart, ``[2, p, d]``, over the `spread` of the simulated pictures. No change of scale moves it.

    >>> import torch
    >>> from rankbook.experiments.servo_losses import apart
    >>> here = torch.tensor([[0.0], [2.0]])
    >>> apart(torch.stack([here, here + 1]))  # two rows are 0 or 4 apart
    0.5
    """
    between = spread(twins[0])
    return squared_distance(*twins).item() / between if between else float("nan")
