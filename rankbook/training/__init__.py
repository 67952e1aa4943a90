"""One visible training loop, its batches, and its checkpoints."""

from rankbook.training.batches import BalancedBatches
from rankbook.training.loop import train
from rankbook.training.samplers import BalancedBatchSampler, HierarchicalBatchSampler
from rankbook.training.sources import Batches

__all__ = ["BalancedBatchSampler", "BalancedBatches", "Batches", "HierarchicalBatchSampler", "train"]
