"""SupCon, the supervised contrastive loss: a softmax of pairs, not of ranks; the baseline that a rank loss has to beat."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.checks import check_positive
from rankbook.losses.batch_loss import BatchLoss
from rankbook.retrieval.blocks import in_blocks
from rankbook.retrieval.gradients import Losses, Reduction, Scale
from rankbook.retrieval.positives import Group, Positives


class SupConLoss(BatchLoss):
    r"""Supervised contrastive loss: each positive must stand out of the whole gallery, in a softmax.

    .. math:: \mathcal{L} = -\frac{1}{|Q|} \sum_{q \in Q} \frac{1}{|P_q|} \sum_{k \in P_q}
        \log \frac{e^{s_k / T}}{\sum_{j \ne q} e^{s_j / T}}

    Args:
        temperature: :math:`T` in units of the similarity. Smaller looks at the hardest negatives only.
        include_query: leave each query in its own gallery.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Called as every batch loss (``rankbook.losses.batch_loss``); normalize the embeddings first. With
    one positive a query this is InfoNCE. The loss does not reach 0 when a query has several positives: they share the softmax.

    Cost: :math:`O(B M)` time and :math:`O(256\,M)` memory.

    Source: Supervised Contrastive Learning (NeurIPS 2020, 2004.11362), the form with the sum outside of the logarithm.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SupConLoss(temperature=0.1)(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.0022)
    """

    def __init__(self, temperature: float = 0.1, *, include_query: bool = False, reduction: Reduction = "mean"):
        super().__init__(include_query=include_query, reduction=reduction)
        self.temperature = check_positive("temperature", temperature)

    def compute(self, positives: Positives, scale: Scale, wanted: bool) -> Losses:
        return in_blocks(_SoftmaxLoss(self.temperature), positives, scale, wanted)


class _SoftmaxLoss(NamedTuple):
    """The losses of a block of queries: see `rankbook.retrieval.blocks.BlockLoss`."""

    temperature: float

    def __call__(self, scores: Tensor, group: Group, total: int | Tensor, wanted: bool) -> Tensor:
        logits = group.leave_out(scores.div_(self.temperature), -torch.inf)
        whole, share = logits.logsumexp(1, keepdim=True), group.shares(scores.dtype)
        losses = (share * (whole - logits.gather(1, group.places))).sum(1)
        if wanted:
            share = -share if isinstance(share, Tensor) else scores.new_full((), -share).expand(group.places.shape)
            logits.sub_(whole).exp_().scatter_add_(1, group.places, share).div_(self.temperature)
        return losses
