"""List-wise losses for the bi-encoders of sentence-transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from rankbook.checks import check_callable, check_instance


class SentenceLoss(nn.Module):
    """A batch loss as a loss of ``SentenceTransformerTrainer``: called ``(sentence_features, labels)``.

    What a row of the data set is, its number of columns says:

    - one text and its class: ``loss(embeddings, labels)``; batches need several texts of a class (``BatchSamplers.GROUP_BY_LABEL``);
    - two texts that belong together, (question, answer): the second texts of the batch are the gallery of the first, and the text
      of the same row is the positive. With a column of labels, all texts of the same label are positives;
    - more texts: the third and all further ones are negatives, of every query.

    Args:
        model: the ``SentenceTransformer`` that is trained, or any module that returns ``{"sentence_embedding": [b, d]}``. Its
            embeddings are scaled to length 1.
        loss: (embeddings, labels, ref_embeddings, ref_labels) -> loss, such as `rankbook.SmoothAPLoss`.

    A text that stands in two rows of a batch is its own negative: ``BatchSamplers.NO_DUPLICATES`` keeps it out.

    Raises:
        ValueError: one column without labels, or none.
        TypeError: a model that is no module, a loss that cannot be called.

    Source of the call: the losses of sentence-transformers 3 to 6.

    >>> class Model(torch.nn.Module):
    ...     def forward(self, features):
    ...         return {"sentence_embedding": features["x"]}
    >>> loss = rb.integrations.SentenceLoss(Model(), rb.SmoothAPLoss(tau=0.01))
    >>> loss([{"x": torch.eye(3)}, {"x": torch.eye(3)}], None)
    tensor(0.)
    """

    def __init__(self, model: nn.Module, loss: Callable[..., Tensor]):
        super().__init__()
        self.model = check_instance("model", model, nn.Module, "SentenceTransformer('all-MiniLM-L6-v2')")
        self.loss = check_callable("loss", loss)

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        columns = [nn.functional.normalize(self.model(features)["sentence_embedding"].float(), dim=1) for features in sentence_features]
        if not columns or (len(columns) == 1 and labels is None):
            raise ValueError(
                "labels must come with a single column of texts, or the texts with a second column: name the column of the data set "
                '"label", or add one of texts that belong to the first'
            )
        if len(columns) == 1:
            return self.loss(columns[0], labels)
        queries, positives, *negatives = columns
        if labels is None:
            labels = torch.arange(len(queries), device=queries.device)
        nobody = [torch.full_like(labels, int(labels.min()) - 1) for _ in negatives]
        return self.loss(queries, labels, torch.cat([positives, *negatives]), torch.cat([labels, *nobody]))

    def get_config_dict(self) -> dict[str, Any]:
        """What the model card says of the loss."""
        return {"loss": repr(self.loss)}
