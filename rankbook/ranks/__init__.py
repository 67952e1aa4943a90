"""Rankers: scores in, ranks out; 1 is the best. A smaller knob is always closer to the exact ranks."""

from rankbook.ranks.blackbox import blackbox_ranks, perturbed_ranks
from rankbook.ranks.exact import exact_ranks
from rankbook.ranks.kernels import box_ranks, laplace_ranks
from rankbook.ranks.networks import network_ranks
from rankbook.ranks.neuralsort import neuralsort_ranks
from rankbook.ranks.projection import projection_ranks
from rankbook.ranks.sinkhorn import sinkhorn_ranks
from rankbook.ranks.smooth import sigmoid_ranks
from rankbook.ranks.softsort import softsort_ranks
from rankbook.ranks.suprank import sup_ranks

__all__ = [
    "blackbox_ranks",
    "box_ranks",
    "exact_ranks",
    "laplace_ranks",
    "network_ranks",
    "neuralsort_ranks",
    "perturbed_ranks",
    "projection_ranks",
    "sigmoid_ranks",
    "sinkhorn_ranks",
    "softsort_ranks",
    "sup_ranks",
]
