"""How well do networks sort, and are their gradients any good?

    python -m rankbook.experiments.sorters            # trains what is missing (about two hours), then measures everything
    python -m rankbook.experiments.sorters train kernel lstm
    python -m rankbook.experiments.sorters measure

Training writes ``data/sorters/NAME`` (weights and card) and the history in ``data/results/sorters_training.csv``; a killed run
goes on where it was. Measuring writes the other tables ``data/results/sorters_*.csv``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from rankbook.archive import REPOSITORY
from rankbook.experiments.protocol import RESULTS, interval, one_thread, write_csv
from rankbook.ranks import sigmoid_ranks
from rankbook.sorters import (
    BiGRUSorter,
    BiLSTMSorter,
    ConvSorter,
    KernelSorter,
    KnotSorter,
    MLPSorter,
    SetTransformerSorter,
    Sorter,
    gradient_cosine,
    list_sorters,
    load_sorter,
    rank_descent,
    rank_error,
    save_sorter,
    sorter_card,
    synthetic_scores,
    train_sorter,
)
from rankbook.sorters.checkpoints import write_checksums
from rankbook.sorters.sorter import standardize
from rankbook.sorters.synthetic import KINDS, synthetic_kinds
from rankbook.types import RankFn

Step = Callable[[Tensor], Tensor]

COMMAND = "python -m rankbook.experiments.sorters"
SHIPPED = REPOSITORY / "data" / "sorters"
RESUME = REPOSITORY / "_build" / "sorters"
N = 100
SEED = 0
TEST_SEED = 2026  # of the test lists and of the goals of the descent: no training sees it
TEST_LISTS = 10_000  # as in the paper's table 1
DESCENT_SEEDS = 5
PAPER_LSTM = 0.0033  # rank error of the paper's LSTM, table 1


class Recipe(NamedTuple):
    """How a shipped sorter is made."""

    architecture: type[Sorter]
    arguments: dict[str, Any]
    training: dict[str, Any]

    def build(self) -> Sorter:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return self.architecture(**self.arguments)


ANY = (4, N)  # lengths of lists for those that shall sort any number of items
RECIPES = {
    "kernel": Recipe(KernelSorter, {"hidden": 16}, {"steps": 3000, "batch": 32, "lr": 0.01, "guidance": 0.015}),
    "knots": Recipe(KnotSorter, {"knots": 80}, {"steps": 6000, "lr": 0.01}),
    "knots-320": Recipe(KnotSorter, {"knots": 320}, {"steps": 2000, "lr": 0.01}),
    "set-transformer": Recipe(SetTransformerSorter, {"hidden": 64}, {"steps": 8000, "lr": 0.002}),
    "set-transformer-small": Recipe(SetTransformerSorter, {"hidden": 32, "inducing": 8}, {"steps": 12_000, "lr": 0.004, "n": ANY}),
    "lstm": Recipe(BiLSTMSorter, {"n": N, "hidden": 64}, {"steps": 6000, "lr": 0.003}),
    "gru": Recipe(BiGRUSorter, {"hidden": 32, "layers": 2}, {"steps": 7000, "lr": 0.004, "n": ANY}),
    "cnn": Recipe(ConvSorter, {"n": N}, {"steps": 3000, "batch": 32, "lr": 0.002}),
    "mlp": Recipe(MLPSorter, {"n": N, "hidden": 512}, {"steps": 30_000, "lr": 0.001}),
}


def train_shipped(name: str) -> None:
    """Train one recipe, keep its weights, its card and its history."""
    recipe = RECIPES[name]
    sorter = recipe.build()
    every = max(1, recipe.training["steps"] // 16)
    history = train_sorter(sorter, **recipe.training, seed=SEED, every=every, checkpoint=RESUME / f"{name}.pt")
    save_sorter(sorter, SHIPPED / name, recipe.arguments)  # rounds the weights that are measured now
    error = error_by_kind(sorter)
    save_sorter(
        sorter,
        SHIPPED / name,
        recipe.arguments,
        n=sorter.length or "any",
        training={"n": N, "batch": 64, "guidance": 0.0, "mixture": "code", "seed": SEED} | recipe.training,
        cpu_seconds=round(history["cpu_seconds"].iloc[-1]),
        error=round(error.pop("all"), 6),
        error_by_kind={kind: round(value, 6) for kind, value in error.items()},
        descent=round(rank_descent(sorter, n=N, seed=TEST_SEED), 4),
        torch=torch.__version__.partition("+")[0],
        command=f"{COMMAND} train {name}",
    )
    write_checksums()
    path = RESULTS / "sorters_training.csv"
    others = pd.read_csv(path).query("sorter != @name") if path.exists() else pd.DataFrame()
    write_csv(pd.concat([others, history.assign(sorter=name)]).sort_values(["sorter", "step"]), path)


def error_by_kind(ranker: RankFn) -> dict[str, float]:
    """`rank_error` on the test lists: the mean under "all", then for each kind of list."""
    scores, kinds = synthetic_kinds(N, TEST_LISTS, generator=torch.Generator().manual_seed(TEST_SEED))
    table = pd.DataFrame({"kind": [KINDS[kind] for kind in kinds], "error": rank_error(ranker, scores).double().numpy()})
    by_kind = table.groupby("kind")["error"].mean()
    return {"all": table["error"].mean()} | {kind: by_kind[kind] for kind in dict.fromkeys(KINDS)}


def counting(scores: Tensor, *, step: Step, tau: float, through_spread: bool = False) -> Tensor:
    """SoDeep's handcrafted sorter with the scores in units of their own deviation; any step function.

    ``through_spread``: let the gradient go through the deviation, as autograd does if nobody stops it.
    """
    z = scores / scores.std(-1, keepdim=True, correction=0) if through_spread else standardize(scores, None)
    return 0.5 + step((z.unsqueeze(-2) - z.unsqueeze(-1)) / tau).sum(-1)


STEPS: dict[str, Step] = {
    "logistic": torch.sigmoid,
    "Student": lambda u: 0.5 + u / (2 * (1 + u * u).sqrt()),
    "Cauchy": lambda u: 0.5 + torch.atan(u) / torch.pi,
}
TAUS = {
    "logistic": (0.1, 0.05, 0.03, 0.02, 0.01),
    "Student": (0.1, 0.05, 0.03, 0.02, 0.01),
    "Cauchy": (0.05, 0.03, 0.01, 0.005),
}


def contenders() -> dict[tuple[str, str, float], RankFn]:
    """(family, name, knob) -> ranker: everything that stands in the front, learned or not."""
    found: dict[tuple[str, str, float], RankFn] = {
        ("paper's handcrafted", "logistic", 0.1): partial(sigmoid_ranks, tau=0.1),
    }
    for name, taus in TAUS.items():
        for tau in taus:
            found["scaled", name, tau] = partial(counting, step=STEPS[name], tau=tau)
            found["scaled, gradient through the scale", name, tau] = partial(counting, step=STEPS[name], tau=tau, through_spread=True)
    found |= {("own widths", "untrained", width): KernelSorter(width=width) for width in (0.25, 0.5, 1.0, 2.0, 4.0)}
    return found | {("learned", name, math.nan): load_sorter(name) for name in RECIPES}


def measure_front(folder: Path) -> pd.DataFrame:
    """Rank error on the test lists against descent, the mean of some seeds with its interval."""
    rows = []
    for (family, name, knob), ranker in tqdm(contenders().items(), desc="front", unit="ranker"):
        descents = [rank_descent(ranker, n=N, seed=TEST_SEED + seed) for seed in range(DESCENT_SEEDS)]
        # the single seeds too: rankers share the goals, so differences are paired
        spread = {f"descent_{key}": value for key, value in (interval(descents) | dict(enumerate(descents))).items()}
        rows.append({"family": family, "name": name, "knob": knob, "error": error_by_kind(ranker)["all"]} | spread)
    return _store(rows, folder / "sorters_front.csv")


def compared() -> dict[str, RankFn]:
    """The shipped sorters, and two counts that nobody trained."""
    untrained = {"handcrafted, scaled": partial(counting, step=torch.sigmoid, tau=0.02), "own widths": KernelSorter()}
    return untrained | {name: load_sorter(name) for name in RECIPES}


def measure_kinds(folder: Path) -> pd.DataFrame:
    """Rank error for each kind of list of the mixture: table 1, taken apart."""
    rankers = {"handcrafted, slope 10": partial(sigmoid_ranks, tau=0.1)} | compared()
    return _store([{"sorter": name} | error_by_kind(ranker) for name, ranker in rankers.items()], folder / "sorters_kinds.csv")


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


def measure_generalization(folder: Path) -> pd.DataFrame:
    """Rank error where the training did not go; and how far the ranks move when the input comes in another order."""
    rows = []
    for name, ranker in tqdm(compared().items(), desc="generalization", unit="ranker"):
        for condition, scores in conditions().items():
            if getattr(ranker, "length", None) in (None, scores.shape[-1]):
                rows.append({"sorter": name, "condition": condition, "error": rank_error(ranker, scores, chunk_size=50).mean().item()})
        rows.append({"sorter": name, "condition": "order of the input", "error": order_effect(ranker)})
    return _store(rows, folder / "sorters_generalization.csv")


def order_effect(ranker: RankFn) -> float:
    """Mean distance of the ranks of the same scores in two orders, as a share of n; on lists of the training's mixture."""
    generator = torch.Generator().manual_seed(TEST_SEED)
    scores = synthetic_scores(N, 500, generator=generator)
    order = torch.rand(scores.shape, generator=generator).argsort(-1)
    with torch.no_grad():
        return ((ranker(scores.gather(-1, order)) - ranker(scores).gather(-1, order)).abs().mean() / N).item()


def measure_gradients(folder: Path) -> pd.DataFrame:
    """Cosine of each sorter's gradient with that of a smooth rank, on lists from N(0, 1)."""
    scores = torch.randn(200, N, generator=torch.Generator().manual_seed(TEST_SEED))
    smooth = partial(sigmoid_ranks, tau=0.1)
    rows = [{"sorter": name} | interval(gradient_cosine(ranker, smooth, scores).numpy()) for name, ranker in compared().items()]
    return _store(rows, folder / "sorters_gradients.csv")


def bars(front: pd.DataFrame) -> pd.DataFrame:
    """The two goals, the best sorter for each, and whether it meets them."""
    learned = front[front["family"] == "learned"].assign(cpu_seconds=lambda t: [sorter_card(name)["cpu_seconds"] for name in t["name"]])
    good = learned[learned["descent_mean"] >= 0.95].sort_values("error")
    best, quick = good.head(1), good[good["cpu_seconds"] <= 180].head(1)
    rows = pd.concat([best.assign(goal="best shipped", limit=PAPER_LSTM), quick.assign(goal="within 180 CPU s", limit=0.01)])
    rows["met"] = rows["error"] <= rows["limit"]
    return rows[["goal", "limit", "name", "error", "descent_mean", "cpu_seconds", "met"]]


def _store(rows: list[dict[str, Any]], path: Path) -> pd.DataFrame:
    table = pd.DataFrame(rows).assign(torch=torch.__version__.partition("+")[0], command=f"{COMMAND} measure")
    write_csv(table, path)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("all", "train", "measure"), default="all")
    parser.add_argument("names", nargs="*", choices=[*RECIPES, []], help="sorters to train (default: those that are missing)")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where the tables go (default: %(default)s)")
    options = parser.parse_args()
    with one_thread():
        if options.what in ("all", "train"):
            for name in options.names or [name for name in RECIPES if not (SHIPPED / name / "card.json").exists()]:
                train_shipped(name)
        if options.what in ("all", "measure"):
            front = measure_front(options.folder)
            for measure in (measure_kinds, measure_generalization, measure_gradients):
                measure(options.folder)
            print(list_sorters().to_string())
            print(bars(front).to_string(index=False))


if __name__ == "__main__":
    main()
