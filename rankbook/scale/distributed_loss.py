"""A batch loss of the batch that all processes hold together."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from rankbook.losses.batch_loss import BatchLoss
from rankbook.relevance import Labels
from rankbook.retrieval.gradients import with_gradients
from rankbook.scale.gather import summed
from rankbook.scale.processes import eagerly, world
from rankbook.scale.shared_batch import SharedPositives, shared_batch


class DistributedLoss(nn.Module):
    r"""The loss of the whole batch, of which each process has some rows: its queries, against the gallery of all processes.

    .. math:: \mathcal{L} = \frac{1}{|Q|} \sum_{w} \sum_{q \in Q_w} \ell_q(X_0, \dots, X_{W-1})

    where :math:`Q` are the queries of all processes that have a positive anywhere. A loss of each process's own rows is another, easier
    one: its galleries are W times smaller.

    Args:
        loss: a batch loss of rankbook: `SmoothAPLoss`, `ROADMAPLoss`, ...

    Called as every batch loss (``rankbook.losses.batch_loss``), on every process with its own rows:

    - ``embeddings``, ``labels``, ``query_weights``: of the queries here. Each stands in its own place, and is left out there.
    - ``ref_embeddings``, ``ref_labels``, ``item_weights``, ``where`` ``[m]``: this process's part of the reference set; the parts
      are joined in the order of the ranks. ``self_index`` tells where each query stands in this process's part.
    - ``relevance`` and ``where`` ``[b, all items]``: the queries here, and the items of all processes. `gather_with_grad` brings what
      tells them, captions' ids for example, to every process.

    Labels must mean the same on all processes; texts do. The processes may have different numbers of rows, at least one.

    The value under ``"mean"`` and ``"sum"`` is the same on all processes, to the last bit, and equal to that of one process with all
    rows. The gradient that reaches the weights after the average of ``DistributedDataParallel`` is that of the loss, factor 1: each
    process's own is W times its part. Under ``"none"`` the losses are those of the queries here.
    Without a process group, and in one process, it is the loss itself.

    Cost: the time of one loss of all rows, shared by the processes; each holds the embeddings of all. Traffic as `gather_with_grad`, and
    some handshakes of at most 32 bytes, each a wait for the device. Under ``torch.compile`` the graph breaks here.

    Errors come on all processes; who has met one raises it, the others say on which rank.

    Raises:
        ValueError: what the loss refuses; other dtypes, dimensions, arguments or losses on some processes; a process without rows.
        RuntimeError: the processes are in different calls, or one of them has met an error. A process that never calls is waited for,
            until the ``timeout`` of the process group.
        TypeError: a loss that compares no items, such as `ClusterLoss`: under ``DistributedDataParallel`` it is right as it is.

    >>> loss = rb.DistributedLoss(rb.SmoothAPLoss(tau=0.1))
    >>> loss(torch.eye(2)[[0, 1, 0, 1]], torch.tensor([0, 0, 1, 1]))
    tensor(0.6000)
    """

    def __init__(self, loss: BatchLoss):
        super().__init__()
        if not isinstance(loss, BatchLoss):
            raise TypeError(
                "loss must be a batch loss of rankbook, such as rb.SmoothAPLoss(tau=0.01), whose queries can be shared among processes; "
                f"got {type(loss).__name__}. Of a loss of yours, of all rows: loss(rb.gather_with_grad(embeddings), "
                "rb.gather_with_grad(labels)). A loss that compares no items needs neither"
            )
        self.loss = loss

    def forward(
        self,
        embeddings: Tensor,
        labels: Labels | None = None,
        ref_embeddings: Tensor | None = None,
        ref_labels: Labels | None = None,
        *,
        self_index: Tensor | None = None,
        where: Tensor | None = None,
        relevance: Tensor | None = None,
        query_weights: Tensor | None = None,
        item_weights: Tensor | None = None,
    ) -> Tensor:
        who = {"self_index": self_index, "where": where, "relevance": relevance}
        weights = {"query_weights": query_weights, "item_weights": item_weights}
        if world() == 1:
            return self.loss(embeddings, labels, ref_embeddings, ref_labels, **who, **weights)
        items = {"embeddings": embeddings, "labels": labels, "ref_embeddings": ref_embeddings, "ref_labels": ref_labels}
        return self._shared(**items, **who, **weights)

    @eagerly
    def _shared(self, **arguments: Any) -> Tensor:
        batch, _ = shared_batch("DistributedLoss", {"loss": self.loss}, empty=False, **arguments)
        batch = batch if self.loss.graded else batch.finest()
        value = with_gradients(batch, self.loss.compute, self.loss.query, self.loss.reduction, SharedPositives)
        return value if self.loss.reduction == "none" else summed(value)
