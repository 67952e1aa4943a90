"""The retrieval metrics of a whole set as a metric of torchmetrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from rankbook.checks import check_tensor
from rankbook.evaluation import evaluate_retrieval

try:
    from torchmetrics import Metric
    from torchmetrics.utilities import dim_zero_cat
except ImportError as error:
    raise ImportError("RetrievalMetrics needs torchmetrics, which cannot be imported; try `pip install torchmetrics`") from error


class RetrievalMetrics(Metric):
    """Gather embeddings and labels batch by batch, of all processes; then `rankbook.evaluate_retrieval` of the whole set, once.

    Means over batches would be another, easier task: a small gallery holds few negatives. Call ``update`` in a validation step, and
    ``compute`` at its end; to call the metric itself evaluates the batch too.

    Args:
        metrics: name -> metric, as for `rankbook.evaluate_retrieval`; None: R@1, R@10, mAP@R, AP.

    ``compute()`` returns name -> scalar tensor.

    Cost: memory for all embeddings, in their dtype, on their device; then as `rankbook.evaluate_retrieval`.

    A sampler that repeats items so that all processes have equally many makes copies, which find each other: leave it out, or
    evaluate in one process.

    Raises:
        ImportError: torchmetrics is not installed.
        TypeError: labels that are no tensor: texts would be numbered anew in each batch.
        ValueError: what `rankbook.evaluate_retrieval` refuses.

    >>> metric = rb.integrations.RetrievalMetrics({"R@1": partial(rb.hit_at_k, k=1)})
    >>> metric.update(torch.eye(3)[[0, 1]], torch.tensor([0, 1]))
    >>> metric.update(torch.eye(3)[[0, 2]], torch.tensor([0, 1]))
    >>> metric.compute()
    {'R@1': tensor(0.5000)}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self, metrics: Mapping[str, Callable[..., Tensor]] | None = None):
        super().__init__()
        self.metrics = metrics
        self.add_state("embeddings", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, embeddings: Tensor, labels: Tensor) -> None:
        """Keep a batch: ``[b, d]`` and ``[b]`` or ``[b, levels]``."""
        check_tensor("embeddings", embeddings)
        check_tensor("labels", labels)
        if len(embeddings) != len(labels):
            raise ValueError(f"labels must have one entry for each of the {len(embeddings)} embeddings, got {len(labels)}")
        self.embeddings.append(embeddings.detach())
        self.labels.append(labels.detach().to(embeddings.device))

    def compute(self) -> dict[str, Tensor]:
        """The metrics of all that was kept since the last ``reset``."""
        if not len(self.embeddings):
            raise ValueError("embeddings: none were given since the last reset; call update in each step")
        found = evaluate_retrieval(dim_zero_cat(self.embeddings), dim_zero_cat(self.labels), metrics=self.metrics)
        return {name: torch.tensor(value, dtype=torch.float32, device=self.device) for name, value in found.items()}
