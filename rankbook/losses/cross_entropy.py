r"""Cross-entropy of class vectors as a loss of pairs: what the paper derives, and a bound that always holds.

Cross-entropy with weight decay, of embeddings :math:`z_i` and class vectors :math:`\theta_k`, the rows of :math:`\Theta`:

.. math:: \mathcal{L}_\mathrm{CE} + \tfrac{\lambda}{2} \lVert\Theta\rVert^2 = -\frac1n \sum_i \theta_{y_i}^\top z_i
    + \frac1n \sum_i \log \sum_k e^{\theta_k^\top z_i} + \frac{\lambda}{2} \sum_k \lVert\theta_k\rVert^2

Both functions write it without the class vectors where they can: the best ones are sums of embeddings, so their products are pairs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rankbook.checks import check_count, check_device, check_finite, check_floating, check_positive, reads_values
from rankbook.precision import full_precision
from rankbook.relevance import Labels
from rankbook.retrieval.batch import check_batch


@full_precision
def cross_entropy_bound(embeddings: Tensor, labels: Labels, *, classes: int, weight_decay: float = 1.0) -> Tensor:
    r"""A loss of pairs below cross-entropy with weight decay, whatever the class vectors.

    .. math::
        \begin{aligned}
        \mathcal{L}_\mathrm{CE} + \tfrac{\lambda}{2} \lVert\Theta\rVert^2 \;\ge\;
        \log K - \frac{1}{2 \lambda n^2} \Big[ & \sum_{i, j:\, y_i = y_j} z_i^\top z_j \\
        & - \frac{1}{K} \sum_{i, j} z_i^\top z_j \Big]
        \end{aligned}

    The first sum pulls the pairs of a class together, the second pushes all pairs apart. Its gradient at :math:`z_i` is
    :math:`-(m_{y_i} - \bar m) / (\lambda n)`, with :math:`m_k` the sum of the embeddings of class k over n, :math:`\bar m` their mean.

    Args:
        embeddings: :math:`z`, [n, d].
        labels: [n], whole numbers below ``classes``, in any order; of labels [n, levels] the finest level counts.
        classes: :math:`K`; classes without an item count too.
        weight_decay: :math:`\lambda`; larger is tighter: the distance to the minimum over :math:`\Theta` falls as
            :math:`\lambda^{-2}`. Where :math:`\lambda` is small the bound is far below 0, and says nothing of the value.

    Returns: a scalar, differentiable any number of times.

    Cost: :math:`O((n + K)\, d)`: no pair is formed.

    Raises:
        ValueError: embeddings that are not finite or not [n, d], labels outside of 0..K-1 or not as many, a decay that is not positive.

    Source: of the kind of Proposition 1 of Boudiaf et al. (ECCV 2020, 2003.08983), but ours. Class vectors with mean 0 have the same
    cross-entropy as any shifted by one vector, and the smallest norm; for them the logarithm is at least log K (Jensen), and what
    remains is a parabola in :math:`\Theta` whose lowest point is :math:`\theta_k = (m_k - \bar m) / \lambda`. Equal if and only if
    :math:`\Theta = 0` and all :math:`m_k` are alike.

    >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.0]])
    >>> rb.cross_entropy_bound(embeddings, torch.tensor([0, 0, 1]), classes=2, weight_decay=1.0)
    tensor(0.4654)
    """
    classes, weight_decay = check_count("classes", classes), check_positive("weight_decay", weight_decay)
    z, target = _items(embeddings, labels, classes)
    sums = _class_sums(z, target, classes)
    return math.log(classes) - (sums - sums.mean(0)).square().sum() / (2 * weight_decay)


@full_precision
def pairwise_cross_entropy(embeddings: Tensor, labels: Labels, class_vectors: Tensor, *, weight_decay: float = 1.0) -> Tensor:
    r"""PCE, the pairwise loss that cross-entropy approximately bounds: a pull in each class, a push by predicted probabilities.

    .. math::
        \begin{aligned}
        \mathcal{L}_\mathrm{PCE} = & -\frac{1}{2 \lambda n^2} \sum_{i, j:\, y_i = y_j} z_i^\top z_j \\
        & + \frac1n \sum_i \log \sum_k e^{\frac{1}{\lambda n} \sum_j p_{jk}\, z_i^\top z_j}
        - \frac{1}{2 \lambda} \sum_k \lVert c_k \rVert^2, \\
        c_k = & \frac1n \sum_i p_{ik} z_i, \qquad p_{ik} = \frac{e^{\theta_k^\top z_i}}{\sum_l e^{\theta_l^\top z_i}}
        \end{aligned}

    The first term is the tightness part, the others the contrastive part. It stands below cross-entropy alone, without the decay, but
    not for all inputs: the derivation takes a stationary point for a minimum. With long class vectors and perfect classes
    cross-entropy is 0 and PCE is above. `cross_entropy_bound` holds always.

    Args:
        embeddings: :math:`z`, [n, d].
        labels: [n], whole numbers below the number of class vectors.
        class_vectors: :math:`\Theta`, [K, d]; they enter by the probabilities alone. Detach them to hold these constant.
        weight_decay: :math:`\lambda`; smaller counts each pair more.

    Returns: a scalar, differentiable any number of times.

    Cost: :math:`O(n K d)`: no pair is formed.

    Raises:
        ValueError: what is not finite, other shapes, devices that differ, labels outside of 0..K-1, a decay that is not positive.

    Source: A unifying mutual information view of metric learning (ECCV 2020, 2003.08983), rebuilt from the steps of its proof; the
    paper may group the constants in another way.

    >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.0]])
    >>> rb.pairwise_cross_entropy(embeddings, torch.tensor([0, 0, 1]), torch.eye(2), weight_decay=1.0)
    tensor(0.4498)
    """
    weight_decay = check_positive("weight_decay", weight_decay)
    vectors = check_floating("class_vectors", class_vectors)
    if vectors.dim() != 2 or 0 in vectors.shape:
        raise ValueError(f"class_vectors must have shape [classes, dimensions], one row a class, got {tuple(vectors.shape)}")
    check_finite("class_vectors", vectors)
    z, target = _items(embeddings, labels, len(vectors))
    check_device("class_vectors", vectors, "embeddings", z)
    if z.shape[1] != vectors.shape[1]:
        raise ValueError(f"class_vectors must have the {z.shape[1]} dimensions of embeddings, got {vectors.shape[1]}")
    predicted = (z @ vectors.to(z.dtype).T).softmax(1).T @ z / len(z)
    pull = _class_sums(z, target, len(vectors)).square().sum()
    push = (z @ predicted.T / weight_decay).logsumexp(1).mean()
    return push - (pull + predicted.square().sum()) / (2 * weight_decay)


def _items(embeddings: Tensor, labels: Labels, classes: int) -> tuple[Tensor, Tensor]:
    """Checked embeddings [n, d] and their labels [n], on one device."""
    batch = check_batch(embeddings, labels).finest()
    target = batch.labels[:, 0]
    if reads_values(target):
        lowest, highest = torch.stack(target.aminmax()).tolist()
        if lowest < 0 or highest >= classes:
            raise ValueError(f"labels must be in 0..{classes - 1}, one for each class, got {lowest}..{highest}")
    return batch.queries, target.to(batch.queries.device, non_blocking=True)


def _class_sums(z: Tensor, target: Tensor, classes: int) -> Tensor:
    """The sum of the embeddings of each class over the number of all: [K, d]; products of two are means over pairs."""
    return z.new_zeros(classes, z.shape[1]).index_add(0, target, z) / len(z)
