"""ROADMAP: SupAP, and a calibration that makes batches agree with the whole."""

from __future__ import annotations

from rankbook.checks import check_number
from rankbook.losses.batch_loss import BatchLoss
from rankbook.losses.calibration import CalibrationLoss
from rankbook.losses.sup_ap import SupAPLoss
from rankbook.retrieval.gradients import Losses, Reduction, Scale
from rankbook.retrieval.positives import Positives


class ROADMAPLoss(BatchLoss):
    r"""ROADMAP: an upper bound of 1 - AP, and a calibration that closes the gap between batches and the whole gallery.

    .. math:: \mathcal{L} = (1 - \lambda)\, \mathcal{L}_\text{SupAP} + \lambda\, \mathcal{L}_\text{calibration}

    Args:
        calibration_weight: :math:`\lambda` between 0 and 1.
        tau, rho, delta: as `SupAPLoss`.
        pos_margin, neg_margin, violations_only: as `CalibrationLoss`.
        include_query: leave each query in its own gallery.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Cost: as `SupAPLoss`, and :math:`O(B M)` memory for the calibration.

    Source: ROADMAP (NeurIPS 2021). Its code weighs both by 1 (:math:`\lambda` = 1/2 up to a factor of 2), the later SupRank
    code by .9 and .1. The :math:`\lambda` of the paper was not found.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.ROADMAPLoss()(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.)
    """

    def __init__(
        self,
        calibration_weight: float = 0.5,
        *,
        tau: float = 0.01,
        rho: float = 100.0,
        delta: float = 0.05,
        pos_margin: float = 0.9,
        neg_margin: float = 0.6,
        violations_only: bool = False,
        include_query: bool = False,
        reduction: Reduction = "mean",
    ):
        super().__init__(include_query=include_query, reduction=reduction)
        self.calibration_weight = check_number("calibration_weight", calibration_weight, at_least=0, at_most=1)
        who = {"include_query": self.include_query, "reduction": self.reduction}
        self.rank_loss = SupAPLoss(tau, rho, delta, **who)
        self.calibration = CalibrationLoss(pos_margin, neg_margin, violations_only=violations_only, **who)

    def compute(self, positives: Positives, scale: Scale, wanted: bool) -> Losses:
        """The mixture of two losses of the same positives, which are looked for once."""
        share = self.calibration_weight
        parts = ((1 - share, self.rank_loss), (share, self.calibration))
        results = [(weight, loss.compute(positives, weight * scale, wanted)) for weight, loss in parts]
        losses = sum(weight * losses for weight, (losses, *_) in results)
        (_, (_, *gradients)), (_, (_, *more)) = results
        return losses, *(None if one is None else one.add_(other) for one, other in zip(gradients, more, strict=True))
