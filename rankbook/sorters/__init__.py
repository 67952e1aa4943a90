"""Networks that learn to sort, as rankers: models, the scores they train on, training, and the shipped weights."""

from rankbook.sorters.checkpoints import list_sorters, load_sorter, save_sorter, sorter_card
from rankbook.sorters.equivariant import KnotSorter, SetTransformerSorter
from rankbook.sorters.fixed import BiGRUSorter, BiLSTMSorter, ConvSorter, MLPSorter
from rankbook.sorters.kernel import KernelSorter
from rankbook.sorters.quality import gradient_cosine, rank_descent, rank_error
from rankbook.sorters.sorter import Sorter
from rankbook.sorters.synthetic import synthetic_scores
from rankbook.sorters.training import train_sorter
from rankbook.sorters.updating import UpdatingSorter

__all__ = [
    "BiGRUSorter",
    "BiLSTMSorter",
    "ConvSorter",
    "KernelSorter",
    "KnotSorter",
    "MLPSorter",
    "SetTransformerSorter",
    "Sorter",
    "UpdatingSorter",
    "gradient_cosine",
    "list_sorters",
    "load_sorter",
    "rank_descent",
    "rank_error",
    "save_sorter",
    "sorter_card",
    "synthetic_scores",
    "train_sorter",
]
