"""The decomposability gap: a batch ranks fewer items than the whole, so its metric is another. Measured, bounded, predicted."""

from rankbook.gap.bounds import calibrated_gap_bound, gap_bound
from rankbook.gap.measured import decomposability_gap
from rankbook.gap.thinning import thinned_average_precision

__all__ = ["calibrated_gap_bound", "decomposability_gap", "gap_bound", "thinned_average_precision"]
