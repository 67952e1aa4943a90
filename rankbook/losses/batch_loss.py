"""What the losses of a batch of embeddings share: their call, their check, how they print; and `BatchRankLoss`, any metric with any step.

Every batch loss is a module called ``(embeddings[b, d], labels[b], ref_embeddings=None, ref_labels=None)``. Each item is a query;
its gallery is the rest of the batch, or the reference set. Normalize the embeddings first: the similarity is the dot product.
Labels come in any order, classes in any size; queries without a positive do not count, and if there is no other query the loss
is 0 with zero gradient and a warning. Labels ``[b, levels]`` are read at their finest level (column 0), unless the loss is graded.

``include_query=True`` leaves each query in its own gallery, as a positive that always wins. Most of the papers' code does so; the
loss is then lower for the same embeddings. Under `RecallAtKLoss` the query is no positive but in the way, as in its paper's code.

Whatever mode torch is in, values and gradients are those of float32 (or of float64 embeddings): under autocast, other default
dtypes and devices, in inference. Half precision is computed in float32; embeddings whose products leave float32 (lengths below
1e-9 or above 1e9) in float64, and the loss is then a float64 number. Losses are differentiable once; more is refused. Under
``torch.compile`` a loss is one operator of the graph, ``fullgraph=True`` included; values are not checked there.
"""

from __future__ import annotations

import inspect

import torch
from torch import Tensor, nn

from rankbook.checks import check_flag
from rankbook.losses.compiled import in_graph
from rankbook.ranks.steps import Step
from rankbook.relevance import Labels
from rankbook.retrieval.batch import Batch, check_batch
from rankbook.retrieval.blocks import mean_loss
from rankbook.retrieval.counts import Head, MetricHead, RankLoss
from rankbook.retrieval.positives import QueryRole
from rankbook.types import MetricFn


class BatchLoss(nn.Module):
    """Called ``(embeddings[b, d], labels[b], ref_embeddings=None, ref_labels=None)``; a subclass computes `of_batch`."""

    graded = False  # True: all levels of the labels, and relevance is the number of levels shared
    included_as: QueryRole = "positive"  # what the query is in its own gallery under include_query=True

    def __init__(self, *, include_query: bool = False):
        super().__init__()
        self.include_query = check_flag("include_query", include_query)

    @property
    def query(self) -> QueryRole:
        return self.included_as if self.include_query else "absent"

    def forward(self, embeddings: Tensor, labels: Labels, ref_embeddings: Tensor | None = None, ref_labels: Labels | None = None) -> Tensor:
        batch = check_batch(embeddings, labels, ref_embeddings, ref_labels)
        batch = batch if self.graded else batch.finest()
        return in_graph(self, batch) if torch.compiler.is_compiling() else self.of_batch(batch)

    def of_batch(self, batch: Batch) -> Tensor:
        """The loss of a checked batch."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """The arguments of the constructor, which a subclass keeps under their names."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in inspect.signature(type(self)).parameters if hasattr(self, name))


class BatchRankLoss(BatchLoss):
    """1 - any metric with any step function, over all queries of the batch, without the memory of the score matrix.

    Equal to ``as_loss(metric, step.ranks)`` on the batch's scores.

    Args:
        metric: any metric of ranks, its knobs bound by ``functools.partial``.
        step: how much an item that leads counts: ``SigmoidStep`` of ``rankbook.ranks.smooth``, ``SupStep`` of
            ``rankbook.ranks.suprank``, or yours (see ``rankbook.ranks.steps``).
        head: what stands on the ranks, with its gradient; None: the metric of ``step.ranks``, by autograd.
        include_query: leave each query in its own gallery.

    Cost, errors: as `SmoothAPLoss`.

    >>> from rankbook.ranks.smooth import SigmoidStep
    >>> loss = rb.BatchRankLoss(rb.reciprocal_rank, SigmoidStep(0.1))
    >>> loss(torch.eye(2)[[0, 1, 0, 1]], torch.tensor([0, 0, 1, 1]))
    tensor(0.6000)
    """

    def __init__(self, metric: MetricFn, step: Step, *, head: Head | None = None, include_query: bool = False):
        super().__init__(include_query=include_query)
        self.step, self.head = step, head or MetricHead(metric, step.ranks)

    def of_batch(self, batch: Batch) -> Tensor:
        return mean_loss(batch, RankLoss(self.step, self.head), query=self.query)
