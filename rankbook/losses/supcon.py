"""The contrastive loss: a softmax of pairs, not of ranks; the baseline that a rank loss has to beat."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_positive
from rankbook.losses.batch_loss import BatchLoss
from rankbook.retrieval.batch import Batch, warn_no_positive


class SupConLoss(BatchLoss):
    r"""Supervised contrastive loss: each positive must stand out of the whole gallery, in a softmax.

    .. math:: \mathcal{L} = -\frac{1}{|Q|} \sum_{q \in Q} \frac{1}{|P_q|} \sum_{k \in P_q}
        \log \frac{e^{s_k / T}}{\sum_{j \ne q} e^{s_j / T}}

    Args:
        temperature: :math:`T` in units of the similarity. Smaller looks at the hardest negatives only.
        include_query: leave the query in its own gallery.

    Call with ``(embeddings[b, d], labels[b], ref_embeddings=None, ref_labels=None)``; normalize the embeddings first. With
    one positive a query this is InfoNCE. The loss does not reach 0 when a query has several positives: they share the softmax.

    Cost: :math:`O(B M)` time and memory.

    Source: Supervised Contrastive Learning (NeurIPS 2020, 2004.11362), the form with the sum outside of the logarithm.

    >>> embeddings = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0]]), dim=1)
    >>> rb.SupConLoss(temperature=0.1)(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.0022)
    """

    def __init__(self, temperature: float = 0.1, *, include_query: bool = False):
        super().__init__()
        self.temperature = check_positive("temperature", temperature)
        self.include_query = include_query

    def of_batch(self, batch: Batch) -> Tensor:
        logits = batch.scores() / self.temperature
        positive = batch.labels == batch.ref_labels.T
        where = batch.where(self.include_query)
        if where is not None:
            logits = logits.masked_fill(~where, torch.finfo(logits.dtype).min)  # finite: a lone item must not give NaN
            positive = positive & where
        surprise = torch.where(positive, logits.logsumexp(1, keepdim=True) - logits, 0.0)
        count = positive.sum(1)
        defined = count > 0
        if not defined.any():
            warn_no_positive()
        return (surprise.sum(1) / count.clamp(min=1)).sum() / defined.sum().clamp(min=1)
