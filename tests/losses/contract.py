"""The batch losses under contract. A new loss joins `test_contract.py` with one entry in CASES.

A case says how to make the loss, which metric of which ranker it equals, and which promises it does not make, with the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import exp, log

import pytest
import torch
from torch import Tensor, nn

import rankbook as rb
from rankbook.losses.hap import level_ap


def same_class(labels: Tensor, ref_labels: Tensor, where: Tensor) -> Tensor:
    return rb.same_label(labels, ref_labels)


def levels(labels: Tensor, ref_labels: Tensor, where: Tensor) -> Tensor:
    return rb.shared_levels(labels, ref_labels)


def tree(labels: Tensor, ref_labels: Tensor, where: Tensor) -> Tensor:
    return rb.hierarchical_relevance(rb.shared_levels(labels, ref_labels), where=where, dtype=torch.float64)


def no_floor(positives: list[float], negatives: list[float]) -> float:
    """The perfect order costs nothing."""
    return 0.0


@dataclass(frozen=True)
class Case:
    name: str
    #: ``make(include_query=...)`` returns the module. Choose knobs that leave the gradients alive for cosines.
    make: Callable[..., nn.Module]
    #: ``(scores[b, m], relevance[b, m], where=mask) -> loss``, such as ``rb.as_loss(metric, ranker)``; None: there is none.
    composition: Callable[..., Tensor] | None = None
    #: ``(labels, ref_labels, where) -> relevance[b, m]`` that the composition reads: `same_class`, `levels` or `tree`.
    relevance: Callable[[Tensor, Tensor, Tensor], Tensor] = same_class
    #: the same loss with knobs so sharp that a lead of 0.01 is a step, for the perfect order; None: `make`.
    make_sharp: Callable[..., nn.Module] | None = None
    #: what `make_sharp` costs a query in perfect order: positives at 1, 0.99, ... and negatives at 0, -0.01, ...
    floor: Callable[[list[float], list[float]], float] = no_floor
    #: under include_query=True the query is in its gallery, but no positive
    distractor: bool = False
    #: promise -> why the loss does not make it.
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return self.name


def softmax_floor(positives: list[float], negatives: list[float], *, temperature: float) -> float:
    """Several positives share one softmax."""
    total = sum(exp(s / temperature) for s in positives + negatives)
    return -sum(s / temperature - log(total) for s in positives) / len(positives)


def recall_floor(positives: list[float], negatives: list[float], *, ks: tuple[int, ...]) -> float:
    """With a sharp soft cut the positive at rank k itself counts one half."""
    found = [min(k, min(k, len(positives)) - (k <= len(positives)) / 2) / min(k, len(positives)) for k in ks]
    return 1 - sum(found) / len(ks)


def blackbox_ap(
    scores: Tensor, relevance: Tensor, where: Tensor, query_weights: Tensor | None = None, item_weights: Tensor | None = None
) -> Tensor:
    """AP after a margin of 0.02 (half of it off the positives, half of it on top of the others), with black-box ranks divided by
    the length of the list in the denominator, and exact ranks among the positives in the numerator. Mean over the queries."""
    positive = (relevance > 0) & where
    weights = positive * (torch.ones_like(scores[0]) if item_weights is None else item_weights)
    by_query = (weights > 0).any(-1) * (torch.ones_like(scores[:, 0]) if query_weights is None else query_weights)
    shifted = scores + torch.where(positive, -0.01, 0.01)
    n = where.sum(-1, keepdim=True)
    losses = [0 * scores.sum()]
    for q in by_query.nonzero().squeeze(1).tolist():
        row, there, found = _Weighed.apply(shifted[q], by_query[q]), where[q], positive[q]
        # the gradient of a rank that is divided by n is n times larger, and so is what comes back: strength * n on the ranks
        ranks = rb.blackbox_ranks(row, where=there, strength=BLACKBOX_STRENGTH * int(n[q]))
        precision = rb.exact_ranks(row, where=found) / ranks
        loss = (1 - torch.where(found, precision, 0.0) @ weights[q] / weights[q].sum()) / by_query.sum()
        losses.append(loss + (by_query[q] - 1) * loss.detach())
    return torch.stack(losses).sum()


class _Weighed(torch.autograd.Function):
    """The scores of a query, whose gradient is weighed: the finite difference is that of the mean, in which all weigh alike."""

    @staticmethod
    def forward(ctx, scores: Tensor, weight: Tensor) -> Tensor:
        ctx.weight = weight
        return scores.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.weight * grad, None


BLACKBOX_STRENGTH = 4.0
SUP = {"tau": 0.1, "rho": 3.0, "delta": 0.2}
HALF_AT_K = {"two items": "the soft cut is one half at rank k, so a perfect list costs something"}
PAIRS = {
    "loop": "the mean is over the pairs of the batch, not over its queries",
    "no positives": "negatives alone still push each other below their margin",
    "memory of blocks": "its averages over pairs are known when all scores are",
}
BINS = {"raise": "a score that leaves a bin center unties the items of the bin, and AP may fall (see test_binned.py)"}
CASES = [
    Case(
        "SmoothAPLoss",
        partial(rb.SmoothAPLoss, tau=0.1),
        composition=rb.as_loss(rb.average_precision, partial(rb.sigmoid_ranks, tau=0.1)),
        make_sharp=partial(rb.SmoothAPLoss, tau=1e-4),
    ),
    Case(
        "RecallAtKLoss",
        partial(rb.RecallAtKLoss, k=(1, 2, 4), tau_rank=0.8, tau_score=0.1),
        composition=rb.as_loss(rb.capped_recall, partial(rb.sigmoid_ranks, tau=0.1), k=(1, 2, 4), tau_rank=0.8),
        make_sharp=partial(rb.RecallAtKLoss, k=(1, 2, 4), tau_rank=1e-3, tau_score=1e-4),
        floor=partial(recall_floor, ks=(1, 2, 4)),
        distractor=True,
        exceptions=HALF_AT_K | {"query as positive": "as in its paper's code, the query in its own gallery is in the way"},
    ),
    Case(
        "SupAPLoss",
        partial(rb.SupAPLoss, **SUP),
        composition=rb.as_loss(rb.average_precision, partial(rb.sup_ranks, **SUP)),
        make_sharp=partial(rb.SupAPLoss, tau=1e-4),
    ),
    Case(
        "SupRecallLoss",
        partial(rb.SupRecallLoss, k=(1, 2, 4), tau_rank=0.8, **SUP),
        composition=rb.as_loss(rb.capped_recall, partial(rb.sup_ranks, **SUP), k=(1, 2, 4), tau_rank=0.8),
        make_sharp=partial(rb.SupRecallLoss, k=(1, 2, 4), tau_rank=1e-3, tau=1e-4),
        floor=partial(recall_floor, ks=(1, 2, 4)),
        exceptions=HALF_AT_K,
    ),
    Case(
        "SmoothNDCGLoss",
        partial(rb.SmoothNDCGLoss, tau=0.1),
        composition=rb.as_loss(rb.ndcg, partial(rb.sigmoid_ranks, tau=0.1)),
        relevance=levels,
        make_sharp=partial(rb.SmoothNDCGLoss, tau=1e-4),
    ),
    Case(
        "SupNDCGLoss",
        partial(rb.SupNDCGLoss, **SUP),
        composition=rb.as_loss(rb.ndcg, partial(rb.sup_ranks, **SUP)),
        relevance=levels,
        make_sharp=partial(rb.SupNDCGLoss, tau=1e-4),
    ),
    Case(
        "SupHAPLoss",
        partial(rb.SupHAPLoss, **SUP),
        composition=rb.as_loss(rb.hierarchical_ap, partial(rb.sup_ranks, **SUP)),
        relevance=tree,
        make_sharp=partial(rb.SupHAPLoss, tau=1e-4),
    ),
    Case(
        "SupHAPLoss by levels",
        partial(rb.SupHAPLoss, order="levels", **SUP),
        composition=rb.as_loss(level_ap, partial(rb.sup_ranks, **SUP), order="levels"),
        relevance=levels,
        make_sharp=partial(rb.SupHAPLoss, tau=1e-4, order="levels"),
        exceptions={"relevance": "it orders by the levels that labels share; a relevance has none"},
    ),
    Case(
        "BlackBoxAPLoss",
        partial(rb.BlackBoxAPLoss, strength=BLACKBOX_STRENGTH, margin=0.02),
        composition=blackbox_ap,
        exceptions={
            "gradcheck": "the value is piecewise constant, the gradient a finite difference over `strength`",
            "descent": "a step shorter than the gap to the next score changes no rank",
            "loop": "the step of the finite difference is the gradient of the mean over all queries, not of one alone",
        },
    ),
    Case("ROADMAPLoss", partial(rb.ROADMAPLoss, **SUP), make_sharp=partial(rb.ROADMAPLoss, tau=1e-4), exceptions=PAIRS),
    Case("FastAPLoss", partial(rb.FastAPLoss, bins=10), exceptions=BINS),
    Case("SoftBinAPLoss", partial(rb.SoftBinAPLoss, bins=20), exceptions=BINS),
    Case("CalibrationLoss", rb.CalibrationLoss, exceptions=PAIRS),
    Case("SupConLoss", partial(rb.SupConLoss, temperature=0.2), floor=partial(softmax_floor, temperature=0.2)),
]

#: What a case may except itself from.
PROMISES = frozenset(
    {
        "compile",
        "composition",
        "constant",
        "descent",
        "device",
        "dtype",
        "dtypes of labels",
        "finest level",
        "gradcheck",
        "graph",
        "half",
        "linear",
        "loop",
        "memory",
        "memory of blocks",
        "labels of any form",
        "modes",
        "module",
        "names",
        "no positives",
        "one query",
        "perfect",
        "pure",
        "query as positive",
        "raise",
        "reference",
        "relevance",
        "scale",
        "second order",
        "shuffle",
        "singletons",
        "strides",
        "two items",
    }
)


#: Public losses that are no batch losses of this contract, and where they are tested instead.
ELSEWHERE = {
    "BatchRankLoss": "test_counts.py, over metrics and steps",
    "ClusterLoss": "test_cluster.py: it has no reference set, and labels below its number of classes",
    "HardNegativeRankLoss": "test_hard_negatives.py",
    **dict.fromkeys(
        ("LambdaLoss", "ListMLELoss", "ListNetLoss", "MeanRankLoss", "MultiLabelRankingLoss", "RankNetLoss", "SpearmanLoss"),
        "score_contract.py",
    ),
    "MultiMarginalMatchingGap": "test_matching_gap.py: views of items, without labels",
    "PairwiseHashLoss": "test_hashing.py: pairs of codes, no gallery",
    "RankLoss": "test_composition.py",
    **dict.fromkeys(("cross_entropy_bound", "pairwise_cross_entropy"), "test_cross_entropy.py: functions of a batch and its classes"),
    "SelfBoostedLoss": "test_self_boosted.py: logged lists beside the samples",
    "SimilarityMixup": "test_mixup.py: a wrapper of the others",
}


def promise(name: str, *, of: list[Case] = CASES) -> pytest.MarkDecorator:
    """Run the test for each loss of ``of`` that does not except itself from the promise."""
    assert name in PROMISES, name
    return pytest.mark.parametrize("case", [case for case in of if name not in case.exceptions], ids=repr)
