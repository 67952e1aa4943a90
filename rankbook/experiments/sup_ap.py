"""Does an upper bound train better than Smooth-AP? SupAP under the protocol of `rankbook.experiments.smooth_ap`.

Same head, first weights, batches, optimizer, schedule, steps and grid size; the lines can be compared seed by seed with those
stored for Smooth-AP. The one knob of SupAP is its width: ``tau``, with ``delta = 5 tau`` and ``rho = 1 / tau``. That scales the
whole function to the spread of the scores, as ``tau`` does for Smooth-AP, and ``tau = 0.01`` is the published setting
(delta 0.05, rho 100).

    python -m rankbook.experiments.sup_ap

writes ``sup_ap_tuning.csv``, ``sup_ap_steps.csv`` and ``sup_ap_test.csv`` to data/results. It can be interrupted at any time.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from rankbook.experiments import smooth_ap
from rankbook.experiments.protocol import RESULTS, command_line
from rankbook.experiments.smooth_ap import METRICS, Contender
from rankbook.losses import SupAPLoss

COMMAND = "python -m rankbook.experiments.sup_ap"


def scaled(tau: float) -> SupAPLoss:
    """The published shape, stretched to temperature ``tau``."""
    return SupAPLoss(tau=tau, rho=1 / tau, delta=5 * tau)


LOSSES = {"SupAP": Contender(scaled, "tau", (0.01, 0.03, 0.1, 0.3))}

run = partial(smooth_ap.run, losses=LOSSES)
stored = partial(smooth_ap.stored, name="sup_ap")
main = partial(smooth_ap.main, name="sup_ap", losses=LOSSES, command=COMMAND)


def against_the_others(results: Path = RESULTS) -> pd.DataFrame:
    """The test lines of SupAP below those stored by `rankbook.experiments.smooth_ap`, ready to be paired by seed.

    Raises:
        ValueError: the two tables were not made with the same number of steps and the same seeds.
    """
    ours, theirs = (pd.read_csv(results / f"{name}_test.csv") for name in ("sup_ap", "smooth_ap"))
    for column in ("steps", "seed", "split"):
        if set(ours[column]) != set(theirs[column]):
            raise ValueError(
                f"sup_ap_test.csv and smooth_ap_test.csv must agree in {column!r}, got {sorted(set(ours[column]))} and "
                f"{sorted(set(theirs[column]))}; run both experiments again with the same options"
            )
    return pd.concat([theirs, ours], ignore_index=True)


def compare(folder: Path = RESULTS) -> pd.DataFrame:
    """Run what is missing, and put it next to the stored losses."""
    main(folder)
    return against_the_others(folder)


if __name__ == "__main__":
    command_line(__doc__, compare, METRICS, reference="Smooth-AP")
