"""ROADMAP on the emoji, one knob at a time, around the setting that the study `retrieval` chose there with its weight of 0.1.

Each change tunes the learning rate on the validation classes with one seed; five other seeds judge it on the test classes. A weight of 0
is SupAP.
"""

from __future__ import annotations

from functools import partial

from rankbook.experiments.parts import Contender
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.retrieval import Retrieval
from rankbook.losses import ROADMAPLoss

BASE = "as chosen"
_BASE = {"calibration_weight": 0.1, "tau": 0.1, "rho": 10.0, "delta": 0.5, "pos_margin": 0.9, "neg_margin": 0.6, "violations_only": True}
#: Name -> what it changes.
CHANGES: dict[str, dict[str, float | bool]] = {
    BASE: {},
    **{f"weight {weight:g}": {"calibration_weight": weight} for weight in (0.0, 0.3, 0.5, 0.9)},
    "margins 0.6, 0.3": {"pos_margin": 0.6, "neg_margin": 0.3},
}

STUDY = Study(
    name="roadmap_knobs",
    question="Which knob of ROADMAP matters on the emoji?",
    task=Retrieval(),
    contenders={name: Contender(partial(ROADMAPLoss, **(_BASE | changed)), {}) for name, changed in CHANGES.items()},
    grid={"lr": (3e-4, 1e-3, 3e-3)},
    steps=400,
    choose_by="mAP@R",
    reference=BASE,
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    chapter="image_retrieval",
)
