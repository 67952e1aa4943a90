"""Polygons from boxes: which of the three terms finds the outline, on emoji over photographs and on blobs over a texture.

The grids were placed on seed 100: local weights of 4 and more, and region weights of 150, shrink or fray the polygons; a tau of 2 and
more blurs them. The smallest tau was chosen often: beyond it, on emoji, 0.02 was no better for u + lp and u + gp, nor were a sigma of
0.4, local weights of 0.1 and, beside the neighbors, region weights of 30. Only the proportion of the weights matters to Adam, so that
lp + gp keeps one of them at 1.
"""

from rankbook.experiments.parts import SIMULATED, Contender
from rankbook.experiments.polygon_losses import BoxTerms
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.outlines import Outlines
from rankbook.experiments.tasks.scenes import textured_blobs

TAUS = (0.05, 0.15, 0.5)


def without_unary(local: float, tau: float) -> BoxTerms:
    return BoxTerms(unary=0.0, local=local, region=1.0, sigma=0.05, tau=tau)


def all_three(local: float, region: float, tau: float) -> BoxTerms:
    return BoxTerms(local=local, region=region, sigma=0.05, tau=tau)


STUDY = Study(
    name="polygons",
    question="Which terms pull a polygon from its box onto the outline?",
    task=Outlines(),
    contenders={
        "u": Contender(BoxTerms, {"start": tuple(round(0.45 + 0.05 * step, 2) for step in range(12))}),
        "u + lp": Contender(BoxTerms, {"local": (0.3, 1.0), "sigma": (0.05, 0.15), "tau": TAUS}),
        "u + gp": Contender(BoxTerms, {"region": (1.0, 3.0, 10.0, 30.0), "tau": TAUS}),
        "u + lp + gp": Contender(all_three, {"local": (0.3, 1.0), "region": (3.0, 10.0), "tau": TAUS}),
        "lp + gp": Contender(without_unary, {"local": (0.03, 0.1, 0.3, 1.0), "tau": TAUS}),
    },
    grid={},
    steps=100,
    choose_by="IoU",
    reference="u",
    tuning_seeds=(100, 101),
    test_seeds=tuple(range(8)),
    sets={SIMULATED: Outlines(load=textured_blobs)},
    chapter="polygons",
)
