"""Codes of bits: pairs of one class come together, others are pushed apart by a margin, and every number toward a bit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankbook.checks import check_choice, check_flag, check_number, reads_values, warn
from rankbook.described import arguments
from rankbook.precision import full_precision, products
from rankbook.relevance import Labels
from rankbook.retrieval.batch import check_batch


class PairwiseHashLoss(nn.Module):
    r"""A contrastive loss of real codes that will be cut to bits by their sign.

    .. math::
        \begin{aligned}
        \mathcal{L} &= \frac{1}{|\mathcal{P}|} \sum_{(i, j) \in \mathcal{P}} \tfrac12\, [y_i = y_j]\, d_{ij}
        + \tfrac12\, [y_i \ne y_j] \max(m - d_{ij}, 0) + \frac{\alpha}{b K} \sum_{i, t} \bigl\lvert \lvert h_{it} \rvert - 1 \bigr\rvert \\
        d_{ij} &= \frac1K \lVert h_i - h_j \rVert^2
        \end{aligned}

    P are all pairs of the batch. For codes of -1 and 1, d is four times the share of bits that differ.

    Args:
        margin: :math:`m`, in units of d, above 0: pairs of two classes farther apart than this are left alone. The default of 2 is half
            of the bits, the margin of DSH. The released code of ASH has half the number of bits, such as 8 for 16 bits, while d
            cannot exceed 4 for codes of -1 and 1: its pairs push for ever.
        quantization: :math:`\alpha`, at least 0. Larger: numbers nearer to -1 and 1, less is lost by the sign, and less is learned.
        balanced: weigh the pairs of one class as much as the others together; else each pair counts once, and in batches of many
            classes nearly all pairs are of two. Then less pushes apart, and a collapse is nearer, see below.
        reduction: ``"mean"`` over the pairs and the numbers, or ``"sum"`` over both.

    Call with ``(embeddings[b, K], labels[b])``: the codes, and labels in any form that the batch losses take. A batch of one item has
    no pair: the pairs give 0, and a warning says so.

    Beware of a collapse: pairs that are close push apart hardly at all, for the gradient of d vanishes with it. At a small learning
    rate the pull of ``quantization`` settles the signs first, and all items get one code or a few. So count the different codes. A
    larger learning rate or a smaller ``quantization`` helps; with ``balanced`` it takes more of it.

    Cost: :math:`O(b^2 K)` time and :math:`O(b^2)` memory.

    Raises:
        ValueError: codes that are not finite, labels that do not fit, knobs out of range.

    Source: ASH (BIBM 2020, 2012.03466) as in its code; DSH (Liu et al., CVPR 2016) for the margin of 2K on the sum of squares.

    >>> codes = torch.tensor([[0.9, -1.0], [1.0, -0.8], [-1.0, -1.0]])
    >>> rb.PairwiseHashLoss()(codes, torch.tensor([0, 0, 1]))
    tensor(0.0372)
    >>> rb.PairwiseHashLoss(margin=4.0)(codes, torch.tensor([0, 0, 1]))
    tensor(0.7005)
    """

    def __init__(self, margin: float = 2.0, *, quantization: float = 0.01, balanced: bool = False, reduction: str = "mean"):
        super().__init__()
        self.margin = check_number("margin", margin, above=0)
        self.quantization = check_number("quantization", quantization, at_least=0)
        self.balanced = check_flag("balanced", balanced)
        self.reduction = check_choice("reduction", reduction, ("mean", "sum"))

    @full_precision
    def forward(self, embeddings: Tensor, labels: Labels) -> Tensor:
        batch = check_batch(embeddings, labels).finest()
        codes, y = batch.queries, batch.labels[:, 0].to(embeddings.device)
        first, second = torch.triu_indices(len(codes), len(codes), 1, device=codes.device)
        squares = codes.square().mean(1)
        alike = products(codes, codes)[first, second] / codes.shape[1]
        distances = (squares[first] + squares[second] - 2 * alike).clamp(min=0)
        same = y[first] == y[second]
        losses = torch.where(same, distances, (self.margin - distances).relu()) / 2
        if reads_values(losses) and not len(losses):
            warn("a batch of one item has no pair: there is nothing to learn but the size of its numbers")
        off = (codes.abs() - 1).abs()
        if self.balanced:
            shares = same.to(codes.dtype) / same.sum().clamp(min=1) + (~same).to(codes.dtype) / (~same).sum().clamp(min=1)
            losses = losses * shares * len(losses) / 2
        if self.reduction == "sum":
            return losses.sum() + self.quantization * off.sum()
        return losses.sum() / max(len(losses), 1) + self.quantization * off.mean()

    extra_repr = arguments
