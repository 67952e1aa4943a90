"""Polygons from boxes, predicted: a network that learned from other pictures and their boxes, which term teaches it?

All start from the ellipse that fills the box, with tau 0.15 and sigma 0.05, which `rankbook.experiments.studies.polygons` chose. The
grids and the learning rate were placed on seed 100. A network wants other weights than a fit: where each corner is fitted by itself,
Adam evens out the terms, while here the box term hides what is much weaker. With an earlier network of this size local weights of 0.3
and region weights of 10 left the ellipse, and local weights of 10, or region weights of 100, tore the polygons apart. At a learning
rate of 0.01 even masks taught it nothing. So the grids are short, and the best weights lie at ends of them: those of the neighbors and of
the regions at the upper one, regions beside the neighbors and tau of the masks at the lower.
"""

from rankbook.experiments.parts import Contender
from rankbook.experiments.polygon_losses import BoxTerms, MaskOverlap
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.polygon_network import PredictedOutlines


def box_terms(local: float = 0.0, region: float = 0.0, start: float = 1.0) -> BoxTerms:
    return BoxTerms(local=local, region=region, start=start, tau=0.15, sigma=0.05)


def masks(tau: float) -> MaskOverlap:
    return MaskOverlap(tau=tau, start=1.0)


STUDY = Study(
    name="polygon_network",
    question="Which terms teach a network outlines that it then predicts on new pictures?",
    task=PredictedOutlines(),
    contenders={
        "u": Contender(box_terms, {"start": (0.8, 0.9, 1.0)}),
        "u + lp": Contender(box_terms, {"local": (1.0, 2.0, 4.0)}),
        "u + gp": Contender(box_terms, {"region": (15.0, 30.0, 60.0)}),
        "u + lp + gp": Contender(box_terms, {"local": (3.0,), "region": (15.0, 30.0, 60.0)}),
        "masks": Contender(masks, {"tau": (0.15, 0.5, 1.5)}),
    },
    grid={},
    steps=250,
    choose_by="IoU",
    reference="u",
    tuning_seeds=(101,),
    test_seeds=tuple(range(5)),
    chapter="polygons",
)
