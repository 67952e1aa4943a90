"""How well do networks sort, and are their gradients any good? Four tables and two goals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from rankbook.experiments.sorters.counting import STEPS, TAUS, counting
from rankbook.experiments.sorters.recipes import TEST_SEED, N, error_by_kind
from rankbook.ranks import sigmoid_ranks
from rankbook.sorters import KernelSorter, gradient_cosine, rank_descent, rank_error, synthetic_scores
from rankbook.statistics import interval
from rankbook.types import RankFn

DESCENT_SEEDS = 5
PAPER_LSTM = 0.0033  # rank error of the paper's LSTM, table 1


def in_front(sorters: Mapping[str, RankFn]) -> dict[tuple[str, str, float], RankFn]:
    """(family, name, knob) -> ranker: everything that stands in the front, learned or not."""
    found: dict[tuple[str, str, float], RankFn] = {
        ("paper's handcrafted", "logistic", 0.1): partial(sigmoid_ranks, tau=0.1),
    }
    for name, taus in TAUS.items():
        for tau in taus:
            found["scaled", name, tau] = partial(counting, step=STEPS[name], tau=tau)
            found["scaled, gradient through the scale", name, tau] = partial(counting, step=STEPS[name], tau=tau, through_spread=True)
    found |= {("own widths", "untrained", width): KernelSorter(width=width) for width in (0.25, 0.5, 1.0, 2.0, 4.0)}
    return found | {("learned", name, math.nan): sorter for name, sorter in sorters.items()}


def front(sorters: Mapping[str, RankFn]) -> pd.DataFrame:
    """Rank error on the test lists against descent, the mean of some seeds with its interval."""
    rows = []
    for (family, name, knob), ranker in tqdm(in_front(sorters).items(), desc="front", unit="ranker"):
        descents = [rank_descent(ranker, n=N, seed=TEST_SEED + seed) for seed in range(DESCENT_SEEDS)]
        # the single seeds too: rankers share the goals, so differences are paired
        spread = {f"descent_{key}": value for key, value in (interval(descents) | dict(enumerate(descents))).items()}
        rows.append({"family": family, "name": name, "knob": knob, "error": error_by_kind(ranker)["all"]} | spread)
    return pd.DataFrame(rows)


def compared(sorters: Mapping[str, RankFn]) -> dict[str, RankFn]:
    """The sorters, and two counts that nobody trained."""
    untrained = {"handcrafted, scaled": partial(counting, step=torch.sigmoid, tau=0.02), "own widths": KernelSorter()}
    return untrained | dict(sorters)


def kinds(sorters: Mapping[str, RankFn]) -> pd.DataFrame:
    """Rank error for each kind of list of the mixture: table 1, taken apart."""
    rankers = {"handcrafted, slope 10": partial(sigmoid_ranks, tau=0.1)} | compared(sorters)
    return pd.DataFrame([{"sorter": name} | error_by_kind(ranker) for name, ranker in rankers.items()])


def conditions() -> dict[str, Tensor]:
    """Lists that the training did not show, 500 each."""
    draw = partial(torch.randn, generator=torch.Generator().manual_seed(TEST_SEED))
    normal = draw(500, N)
    return {
        "normal": normal,
        "n = 10": draw(500, 10),
        "n = 30": draw(500, 30),
        "n = 300": draw(500, 300),
        "n = 1000": draw(500, 1000),
        "spread x 0.001": 0.001 * normal,
        "spread x 1000": 1000 * normal,
        "shifted by 10": normal + 10,
        "heavy tails": normal / draw(3, 500, N).square().mean(0).sqrt(),  # Student's t with 3 degrees of freedom
        "two groups": normal * 0.1 + torch.where(torch.arange(N) % 3 == 0, 2.0, -2.0),
        "one outlier": torch.cat([normal[:, 1:], torch.full((500, 1), 100.0)], 1),
        "ties": normal.mul(5).round().div(5),
    }


def generalization(sorters: Mapping[str, RankFn]) -> pd.DataFrame:
    """Rank error where the training did not go; and how far the ranks move when the input comes in another order."""
    rows = []
    for name, ranker in tqdm(compared(sorters).items(), desc="generalization", unit="ranker"):
        for condition, scores in conditions().items():
            if getattr(ranker, "length", None) in (None, scores.shape[-1]):
                rows.append({"sorter": name, "condition": condition, "error": rank_error(ranker, scores, chunk_size=50).mean().item()})
        rows.append({"sorter": name, "condition": "order of the input", "error": order_effect(ranker)})
    return pd.DataFrame(rows)


def order_effect(ranker: RankFn) -> float:
    """Mean distance of the ranks of the same scores in two orders, as a share of n; on lists of the training's mixture."""
    generator = torch.Generator().manual_seed(TEST_SEED)
    scores = synthetic_scores(N, 500, generator=generator)
    order = torch.rand(scores.shape, generator=generator).argsort(-1)
    with torch.no_grad():
        return ((ranker(scores.gather(-1, order)) - ranker(scores).gather(-1, order)).abs().mean() / N).item()


def gradients(sorters: Mapping[str, RankFn]) -> pd.DataFrame:
    """Cosine of each sorter's gradient with that of a smooth rank, on lists from N(0, 1)."""
    scores = torch.randn(200, N, generator=torch.Generator().manual_seed(TEST_SEED))
    smooth = partial(sigmoid_ranks, tau=0.1)
    cosines = {name: gradient_cosine(ranker, smooth, scores).numpy() for name, ranker in compared(sorters).items()}
    return pd.DataFrame([{"sorter": name} | interval(cosine) for name, cosine in cosines.items()])


def goals(front: pd.DataFrame, cpu_seconds: Mapping[str, float]) -> pd.DataFrame:
    """The two goals, the best sorter for each, and whether it meets them; ``cpu_seconds`` of training, by name."""
    learned = front[front["family"] == "learned"].assign(cpu_seconds=lambda table: table["name"].map(cpu_seconds))
    good = learned[learned["descent_mean"] >= 0.95].sort_values("error")
    best, quick = good.head(1), good[good["cpu_seconds"] <= 180].head(1)
    rows = pd.concat([best.assign(goal="best shipped", limit=PAPER_LSTM), quick.assign(goal="within 180 CPU s", limit=0.01)])
    rows["met"] = rows["error"] <= rows["limit"]
    return rows[["goal", "limit", "name", "error", "descent_mean", "cpu_seconds", "met"]]


#: The tables, ``sorters_NAME.csv``: sorters by name -> lines.
TABLES = {"front": front, "kinds": kinds, "generalization": generalization, "gradients": gradients}
