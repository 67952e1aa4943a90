"""Batches larger than the memory of a device, and batches that several processes hold together."""

from rankbook.scale.distributed_evaluation import evaluate_distributed
from rankbook.scale.distributed_loss import DistributedLoss
from rankbook.scale.gather import gather_with_grad
from rankbook.scale.memory import CrossBatchMemory
from rankbook.scale.two_pass import two_pass_backward

__all__ = ["CrossBatchMemory", "DistributedLoss", "evaluate_distributed", "gather_with_grad", "two_pass_backward"]
