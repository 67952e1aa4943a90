"""What the losses of a batch of embeddings share: their call, their check, how they print; and `BatchRankLoss`, any metric with any step.

Every batch loss is a module called ``(embeddings[b, d], labels=None, ref_embeddings=None, ref_labels=None, *, self_index=None,
where=None, relevance=None, query_weights=None, item_weights=None)``. Each item is a query; its gallery is the rest of the batch, or
the reference set ``[m, d]``. Normalize the embeddings first: the similarity is the dot product.

What is positive for whom, one of:

- ``labels``, ``ref_labels``: ``[b]`` and ``[m]``, in any order, classes in any size; integers, or strings in a list, an array or a
  column of a table. Labels ``[b, levels]`` are read at their finest level (column 0), unless the loss is graded.
- ``relevance``: ``[b, m]``, at least 0, ``[b, b]`` if the batch is its own gallery. Above 0 is positive, so an item may be positive
  for several queries and a query have several positives each way. Graded losses read the grades as their metric does.

Who is in whose gallery:

- ``self_index``: ``[b]``, where each query stands in the reference set, -1 for a query that is not there. It is left out of its own
  gallery there, whatever its label. Without a reference set each query stands in its own place.
- ``where``: boolean, ``[m]`` or ``[b, m]``: the items that count. An item that does not is in nobody's way, no positive, and gets no
  gradient; in a batch that is its own gallery it stays a query.

What counts how much (only ratios matter to a mean):

- ``query_weights``: ``[b]``, at least 0: the mean becomes the weighted mean over the queries that have a positive.
- ``item_weights``: ``[m]``, at least 0: a positive's share in the metric. For AP and recall the mean over the positives becomes a
  weighted mean, for NDCG gains are multiplied by the weights. Ranks count items, whatever they weigh. A query whose positives all
  weigh 0 has none.

``reduction`` of the constructor: ``"mean"`` over the queries that have a positive, ``"sum"``, or ``"none"`` for losses ``[b]``, which are
0 for queries without a positive and which ``query_weights`` leave alone. The gradient of losses ``[b]`` is computed in the backward pass,
block by block as ever: half as much time again, no more memory. If no query has a positive the loss is 0 with zero gradient and a warning.

``include_query=True`` leaves each query in its own gallery, as the positive that its label (or relevance) says it is, and that always
wins. Most of the papers' code does so; the loss is then lower for the same embeddings. Under `rankbook.RecallAtKLoss` the query
is no positive but in the way, as in its paper's code.

Whatever mode torch is in, values and gradients are those of float32 (or of float64 embeddings): under autocast, other default dtypes
and devices, in inference. Half precision is computed in float32; embeddings whose products leave float32 (lengths below 1e-9 or above
1e9) in float64, and the loss is then a float64 number. Losses are differentiable once; more is refused. Under ``torch.compile`` a loss
is one operator of the graph, ``fullgraph=True`` included; values are not checked there. Make it outside of the compiled function: a
graph ends before a loss that it makes itself, and another loss is compiled anew.

On a GPU a loss waits once for the device, for the sizes of the classes (and for each check of values: see ``rankbook.checks.off``).
It does not wait at all if the checks are off and what tells the positives, labels and ``self_index``, stays on the CPU.

Errors are ValueErrors, and TypeErrors for a wrong type or dtype, that name the argument: NaN, infinity or a negative weight or grade,
shapes that do not match, labels and relevance together or neither, a place that is not in the reference set.

>>> x = torch.tensor([[1.0, 0.1], [0.1, 1.0], [1.0, 0.2], [0.6, 0.8]])
>>> embeddings = torch.nn.functional.normalize(x, dim=1)
>>> loss = rb.SmoothAPLoss(tau=0.1, reduction="none")
>>> loss(embeddings, torch.tensor([0, 1, 0, 1]))
tensor([0.0385, 0.0049, 0.0713, 0.2815])
>>> several = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0]])
>>> not_the_last = torch.tensor([True, True, True, False])  # which two queries want
>>> loss(embeddings, relevance=several, where=not_the_last)
tensor([0.0003, 0.0000, 0.0009, 0.2212])
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankbook.checks import check_choice, check_flag
from rankbook.described import arguments
from rankbook.ranks.steps import Step
from rankbook.relevance import Labels
from rankbook.retrieval.batch import Batch, check_batch
from rankbook.retrieval.blocks import in_blocks
from rankbook.retrieval.counts import Head, MetricHead, RankLoss
from rankbook.retrieval.gradients import Losses, Reduction, Scale, with_gradients
from rankbook.retrieval.positives import Positives, QueryRole
from rankbook.types import MetricFn


class BatchLoss(nn.Module):
    """Called with the arguments above; a subclass says how to `compute` the losses of the queries."""

    graded = False  # True: all levels of the labels, and relevance is the number of levels shared
    included_as: QueryRole = "positive"  # what the query is in its own gallery under include_query=True

    def __init__(self, *, include_query: bool = False, reduction: Reduction = "mean"):
        super().__init__()
        self.include_query = check_flag("include_query", include_query)
        self.reduction = check_choice("reduction", reduction, ("mean", "sum", "none"))

    @property
    def query(self) -> QueryRole:
        return self.included_as if self.include_query else "absent"

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
        batch = check_batch(
            embeddings,
            labels,
            ref_embeddings,
            ref_labels,
            self_index=self_index,
            where=where,
            relevance=relevance,
            query_weights=query_weights,
            item_weights=item_weights,
        )
        batch = batch if self.graded else batch.finest()
        if torch.compiler.is_compiling():
            from rankbook.losses.compiled import in_graph  # it imports the compiler, whose import takes as long as that of torch

            return in_graph(self, batch)
        return self.of_batch(batch)

    def of_batch(self, batch: Batch) -> Tensor:
        """The loss of a checked batch."""
        return with_gradients(batch, self.compute, self.query, self.reduction)

    def compute(self, positives: Positives, scale: Scale, wanted: bool) -> Losses:
        """The losses of the queries; and, if wanted, the gradients of their sum, each times its scale."""
        raise NotImplementedError

    extra_repr = arguments  # which a subclass keeps under their names


class BatchRankLoss(BatchLoss):
    """1 - any metric with any step function, over all queries of the batch, without the memory of the score matrix.

    Equal to ``as_loss(metric, step.ranks)`` on the batch's scores.

    Args:
        metric: any metric of ranks, its knobs bound by ``functools.partial``.
        step: how much an item that leads counts: ``SigmoidStep`` of ``rankbook.ranks.smooth``, ``SupStep`` of
            ``rankbook.ranks.suprank``, or yours (see ``rankbook.ranks.steps``).
        head: what stands on the ranks, with its gradient; None: the metric of ``step.ranks``, by autograd.
        include_query, reduction: as every batch loss (``rankbook.losses.batch_loss``).

    Cost, errors: as `SmoothAPLoss`.

    >>> from rankbook.ranks.smooth import SigmoidStep
    >>> loss = rb.BatchRankLoss(rb.reciprocal_rank, SigmoidStep(0.1))
    >>> loss(torch.eye(2)[[0, 1, 0, 1]], torch.tensor([0, 0, 1, 1]))
    tensor(0.6000)
    """

    def __init__(
        self, metric: MetricFn, step: Step, *, head: Head | None = None, include_query: bool = False, reduction: Reduction = "mean"
    ):
        super().__init__(include_query=include_query, reduction=reduction)
        self.metric, self.step, self.head = metric, step, head or MetricHead(metric, step.ranks)

    def compute(self, positives: Positives, scale: Scale, wanted: bool) -> Losses:
        return in_blocks(RankLoss(self.step, self.head), positives, scale, wanted)
