"""Batches larger than the memory of a device, and batches that several processes hold together."""

from rankbook.scale.memory import CrossBatchMemory
from rankbook.scale.two_pass import two_pass_backward

__all__ = ["CrossBatchMemory", "two_pass_backward"]
