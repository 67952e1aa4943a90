"""The metrics under test: a new one joins all suites of this folder with one entry."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch

import oracles
import rankbook as rb


class Case(NamedTuple):
    name: str
    metric: Callable
    oracle: Callable  # (scores, relevance, step, weights=None) -> float, see tests/oracles.py
    best: Callable[[list], float] = lambda relevance: 1.0  # the value of the perfect order
    bound: Callable[[list], float] = lambda relevance: 1.0  # the value that no ranks exceed

    def bounds(self, relevance):
        """The bound of each list ``[..., n]``."""
        flat = relevance.reshape(-1, relevance.shape[-1]).tolist()
        return torch.tensor([self.bound(one) for one in flat], dtype=torch.float64).view(relevance.shape[:-1])

    def __repr__(self):
        return self.name


def _share(k):
    """The most that recall@k can reach with P positives."""
    return lambda relevance: min(k, sum(r > 0 for r in relevance)) / sum(r > 0 for r in relevance)


def squares(relevance):
    """A gain of somebody else."""
    return relevance**2


#: The gains of a perfect order, which no ranks exceed.
GAINED = partial(oracles.ideal_dcg, k=3)

METRICS = [
    Case("average_precision", rb.average_precision, oracles.average_precision),
    Case("average_precision@2", partial(rb.average_precision, k=2), partial(oracles.average_precision, k=2)),
    Case("hierarchical_ap", rb.hierarchical_ap, oracles.hierarchical_ap),
    Case("asi", rb.asi, oracles.asi),
    Case("map_at_r", rb.map_at_r, oracles.map_at_r),
    Case("reciprocal_rank", rb.reciprocal_rank, oracles.reciprocal_rank),
    Case("reciprocal_rank@2", partial(rb.reciprocal_rank, k=2), partial(oracles.reciprocal_rank, k=2)),
    Case("r_precision", rb.r_precision, oracles.r_precision),
    Case("dcg@3", partial(rb.dcg, k=3), partial(oracles.dcg, k=3), GAINED, GAINED),
    Case("ndcg", rb.ndcg, oracles.ndcg),
    Case("ndcg linear", partial(rb.ndcg, gain="linear"), partial(oracles.ndcg, gain=float)),
    Case("ndcg of squares", partial(rb.ndcg, gain=squares), partial(oracles.ndcg, gain=squares)),
    Case("ndcg@2", partial(rb.ndcg, k=2), partial(oracles.ndcg, k=2)),
    Case("recall@3", partial(rb.recall_at_k, k=3), partial(oracles.recall_at_k, k=3), _share(3)),
    Case("capped_recall@1,4", partial(rb.capped_recall, k=(1, 4)), partial(oracles.capped_recall, k=(1, 4))),
    Case("hit@2", partial(rb.hit_at_k, k=2), partial(oracles.hit_at_k, k=2)),
    Case(
        "precision@3",
        partial(rb.precision_at_k, k=3),
        partial(oracles.precision_at_k, k=3),
        lambda relevance: min(3, sum(r > 0 for r in relevance)) / 3,
    ),
]
#: The same with a soft cut: between 0 and 1, but no longer 1 for the perfect order.
SOFT_CUTS = [
    Case(f"{case.name} tau_rank", partial(case.metric, tau_rank=0.7), partial(case.oracle, tau_rank=0.7), bound=case.bound)
    for case in METRICS
    if "@" in case.name or case.name in ("map_at_r", "r_precision")
]
CORRELATIONS = {"spearman": rb.spearman, "kendall": rb.kendall}


def lists(batch=4, n=9, *, grid=None, dtype=torch.float64):
    """Random scores and graded relevance 0..3 with a positive in each list; scores on a coarse ``grid`` have ties."""
    scores = torch.randn(batch, n, dtype=dtype)
    if grid is not None:
        scores = (scores * grid).round() / grid
    relevance = torch.randint(0, 4, (batch, n)) * (torch.rand(batch, n) < 0.6)
    relevance[:, 1] = 1
    return scores, relevance


def remembering(rank_fn):
    """The ranker, asked once for each mask and relevance: all metrics of a scene look at the same ranks."""
    said = {}

    def ranks(scores, relevance=None, *, where=None):
        key = (id(scores), *(None if x is None else (x.dtype, x.shape, tuple(x.flatten().tolist())) for x in (relevance, where)))
        if key not in said:
            said[key] = scores, rank_fn(scores, relevance, where=where)  # the scores too: while they live, no other has their id
        return said[key][1]

    return ranks
