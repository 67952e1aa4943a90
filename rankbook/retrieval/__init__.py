"""The engine of retrieval, which batch losses and evaluation share: queries, galleries, positives, and counts at the positives.

A retrieval metric reads the ranks of the positives and of nothing else. `batch` checks a batch, `positives` finds the positives
of each query, `counts` counts the negatives above them by a step function, and `blocks` collects a loss and its gradient block by block.
`readers` tells the metrics that evaluation may read from `short_lists` from those that need whole ones.
"""
