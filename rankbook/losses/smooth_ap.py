"""Smooth-AP: average precision with a sigmoid in the place of each step."""

from __future__ import annotations

from torch import Tensor

from rankbook.losses.batch_loss import BatchRankLoss
from rankbook.metrics import average_precision
from rankbook.ranks.crossed import count_steps, pull_together
from rankbook.ranks.smooth import SigmoidStep
from rankbook.retrieval.gradients import Reduction
from rankbook.retrieval.positives import Group


class SmoothAPLoss(BatchRankLoss):
    r"""Smooth-AP: 1 - average precision with sigmoid ranks, over all queries of the batch.

    .. math:: \mathcal{L} = 1 - \frac{1}{|Q|} \sum_{q \in Q} \frac{1}{|P_q|} \sum_{k \in P_q}
        \frac{1 + \sum_{j \in P_q \setminus k} \sigma_\tau(s_j - s_k)}{1 + \sum_{j \ne k} \sigma_\tau(s_j - s_k)}

    Equal to ``as_loss(average_precision, partial(sigmoid_ranks, tau=tau))`` on the batch's score matrix.

    Args:
        tau: temperature in units of the similarity; larger reaches farther (see `sigmoid_ranks`).
        include_query: leave each query in its own gallery, as a positive that always wins (as in the paper's code).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Cost: :math:`O(B R M)` steps for :math:`R` positives a query and :math:`M` gallery items, and three matrix products;
    extra memory :math:`O(256\,M)`, never :math:`B^3`. The gradient is computed in the forward pass. On a GPU, kernels in Triton,
    which torch brings along there, keep the pairs in registers; the environment variable ``RANKBOOK_FUSED=0`` turns them off.

    Raises:
        ValueError: NaN or inf, shapes that do not match, one of ref_embeddings and ref_labels without the other.

    Source: Smooth-AP (ECCV 2020, 2007.12163); tau = 0.01 from its code.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SmoothAPLoss(tau=0.01)(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.)
    """

    def __init__(self, tau: float = 0.01, *, include_query: bool = False, reduction: Reduction = "mean"):
        step = SigmoidStep(tau)
        super().__init__(average_precision, step, head=SmoothAPHead(step), include_query=include_query, reduction=reduction)
        self.tau = tau


class SmoothAPHead:
    """1 - AP from sigmoid ranks, with its gradient: the ratio rank+ / rank, by the quotient rule."""

    def __init__(self, step: SigmoidStep):
        self.step = step

    def __call__(self, scores: Tensor, group: Group, negatives_above: Tensor, wanted: bool) -> tuple[Tensor, Tensor, Tensor]:
        among_positives = 0.5 + count_steps(scores, scores, self.step)  # the item itself is in the sum with 1/2
        rank = among_positives + negatives_above
        precision = among_positives / rank
        share = group.shares(scores.dtype)
        losses = 1 - (share * precision).sum(1)
        if not wanted:
            return losses, scores, rank
        share = share / rank
        to_above = share * precision
        to_scores = pull_together(scores, to_above - share, self.step).mul_(self.step.scale)
        return losses, to_scores, to_above
