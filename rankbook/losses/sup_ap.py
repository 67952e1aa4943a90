"""SupAP: an upper bound of 1 - average precision."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.losses.batch_loss import BatchRankLoss
from rankbook.metrics import average_precision
from rankbook.ranks.pairs import count_exactly
from rankbook.ranks.suprank import SupStep
from rankbook.retrieval.gradients import Reduction
from rankbook.retrieval.positives import Group


class SupAPLoss(BatchRankLoss):
    r"""SupAP: an upper bound of 1 - AP whose gradient does not vanish, by SupRank.

    .. math:: \mathcal{L} = 1 - \frac{1}{|Q|} \sum_{q \in Q} \frac{1}{|P_q|} \sum_{k \in P_q}
        \frac{\mathrm{rank}^+(k)}{\mathrm{rank}^+(k) + \sum_{j \in N_q} H^-(s_j - s_k)} \;\ge\; 1 - \mathrm{AP}

    The positives keep their exact ranks, so no gradient flows between them; each negative counts by :math:`H^-`, which is at
    least 1 wherever the negative is not behind, and rises with slope ``rho`` beyond ``delta`` (see `sup_ranks`).
    Equal to ``as_loss(average_precision, partial(sup_ranks, tau=tau, rho=rho, delta=delta))`` on the score matrix.

    Args:
        tau: temperature of the sigmoid, in units of the similarity.
        rho: slope for badly ranked negatives, in ranks for one unit of similarity.
        delta: lead of a negative beyond which the line takes over, in units of the similarity.
        include_query: leave each query in its own gallery, as a positive that always wins (as in the paper's code).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Cost, errors: as `SmoothAPLoss`.

    Source: ROADMAP (NeurIPS 2021, eq. 5) and SupRank (TPAMI). Two points differ from their code: the bound holds at ties, and
    the knee is continuous.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [0.1, 1.0], [1.0, 0.2], [0.2, 1.0]]), dim=1)
    >>> loss = rb.SupAPLoss()(embeddings, torch.tensor([0, 0, 1, 1]))
    >>> loss > 1 - rb.average_precision(embeddings @ embeddings.T, rb.same_label(torch.tensor([0, 0, 1, 1])), where=rb.leave_query_out(4))
    tensor(True)
    """

    def __init__(
        self, tau: float = 0.01, rho: float = 100.0, delta: float = 0.05, *, include_query: bool = False, reduction: Reduction = "mean"
    ):
        super().__init__(average_precision, SupStep(tau, rho, delta), head=SupAPHead(), include_query=include_query, reduction=reduction)
        self.tau, self.rho, self.delta = tau, rho, delta


class SupAPHead:
    """1 - AP from exact ranks of the positives and soft counts of the negatives above them."""

    def __call__(self, scores: Tensor, group: Group, negatives_above: Tensor, wanted: bool) -> tuple[Tensor, Tensor, Tensor]:
        among_positives = count_exactly(scores, scores)
        share = group.shares(scores.dtype)
        precision = among_positives / (among_positives + negatives_above)
        to_above = share * precision / (among_positives + negatives_above)
        return 1 - (share * precision).sum(1), torch.zeros_like(scores), to_above
