"""`rankbook.experiments.studies.large_batches` with all 822 training classes in a batch, and small batches of as many items in all.

A batch holds four items of a class, or the three that there are: 3,277 of the 4,402 items. 1,284 batches of 128 hold as many as 50 of
these.
"""

from dataclasses import replace

from rankbook.experiments.batch_losses import contender, rs_at_k
from rankbook.experiments.studies import large_batches

SHARE = 1284 / large_batches.STUDY.steps

STUDY = replace(
    large_batches.STUDY,
    name="large_batches_whole",
    question="Does a batch of all training classes beat small batches of as many items?",
    contenders={
        "RS@k, 128, as many items": contender(rs_at_k, 32, (1e-4, 3e-4, 8e-4, 2e-3), share=SHARE),
        "RS@k, all classes": contender(rs_at_k, 822, (1.5e-2, 4e-2, 1e-1, 2.5e-1)),
    },
    beside=large_batches.STUDY,
)
