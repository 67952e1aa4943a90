"""Losses of many views: the matching gap of whole triples, against InfoNCE of their pairs, of each view and the others' mean, and SupCon.

The views are the designs of an emoji: 521 training emoji that all six designers drew, 369 of the test. A batch holds 64 emoji, each in
three designs of its six, drawn anew.

A first pass had learning rates up to 0.1 and epsilon up to 0.1; the best rate stood at the lower edge, so both grids moved down. All
losses chose the same settings in both, so the test lines are those of the first.
"""

from rankbook.experiments.parts import Contender
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.many_views import ManyViews
from rankbook.experiments.view_losses import MeanInfoNCE, PairwiseInfoNCE, PooledSupCon
from rankbook.losses import MultiMarginalMatchingGap

_TEMPERATURES = (0.05, 0.1, 0.2, 0.4)


def contenders(epsilon: tuple[float, ...], temperature: tuple[float, ...] = _TEMPERATURES) -> dict[str, Contender]:
    """The four losses, each with as many values of its knob."""
    return {
        "InfoNCE, pairs": Contender(PairwiseInfoNCE, {"temperature": temperature}),
        "InfoNCE, mean": Contender(MeanInfoNCE, {"temperature": temperature}),
        "SupCon": Contender(PooledSupCon, {"temperature": temperature}),
        "M3G": Contender(MultiMarginalMatchingGap, {"epsilon": epsilon}),
    }


STUDY = Study(
    name="many_views",
    question="Does a loss of whole tuples of views lead to better views than losses of their pairs?",
    task=ManyViews(),
    contenders=contenders(epsilon=(0.02, 0.03, 0.045, 0.07)),
    grid={"lr": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)},
    steps=200,
    choose_by="AP",
    reference="InfoNCE, pairs",
    tuning_seeds=(100,),
    test_seeds=tuple(range(8)),
    chapter="many_views",
)
