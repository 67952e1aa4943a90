"""What would make the comparison of a study unfair or ambiguous is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rankbook.experiments.study import Study


def check_fair(study: Study) -> None:
    """Grids of one size, seeds that judge and did not choose, names that mean one thing, and equal terms for a study that stands beside.

    Raises:
        ValueError: the first that is not so.
    """
    others = {} if study.beside is None else study.beside.contenders
    sizes = {loss: math.prod(map(len, one.grid.values())) for loss, one in (*others.items(), *study.contenders.items())}
    if len(set(sizes.values())) != 1:
        raise ValueError(f"contenders must have grids of one size, got {sizes}")
    taken = {"loss", "task", "steps", "seed", "split", *study.grid}
    for loss, contender in study.contenders.items():
        if clash := taken & set(contender.grid):
            raise ValueError(f"the knobs of {loss!r} must have other names than {', '.join(sorted(taken))}, got {', '.join(sorted(clash))}")
    if shared := set(study.tuning_seeds) & set(study.test_seeds):
        raise ValueError(f"tuning_seeds and test_seeds must be disjoint, both have {sorted(shared)}")
    if study.choose_by not in study.task.metrics:
        raise ValueError(f"choose_by must be one of {', '.join(study.task.metrics)}, got {study.choose_by!r}")
    if study.reference not in {*study.contenders, *others} or set(study.contenders) & set(others):
        raise ValueError(f"reference must be one contender, here or in `beside`, and no name in both; got {study.reference!r}")
    for name, task in study.sets.items():
        if task.metrics != study.task.metrics or name == study.data:
            raise ValueError(f"sets must have other names than {study.data!r} and its metrics, got {name!r} with {task.metrics}")
    for one in ("task", "grid", "steps", "tuning_seeds", "test_seeds", "choose_by"):
        if study.beside is not None and _asked(study.beside, one) != _asked(study, one):
            raise ValueError(f"a study must agree in {one} with the one that it stands beside, {study.beside.name!r}")


def _asked(study: Study, one: str) -> Any:
    """What studies that stand side by side must agree in. Of a grid the sizes alone: where a contender's best lies beyond, it may move."""
    value = getattr(study, one)
    return {knob: len(values) for knob, values in value.items()} if one == "grid" else value
