"""One visible training loop, its batches, and its checkpoints."""

from rankbook.training.batches import BalancedBatches, Batches
from rankbook.training.loop import train

__all__ = ["BalancedBatches", "Batches", "train"]
