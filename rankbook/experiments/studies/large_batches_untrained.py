"""`rankbook.experiments.studies.large_batches_pixels` with a head alone, on what random first weights make of the drawings."""

from dataclasses import replace

from rankbook.experiments.batch_losses import contender, rs_at_k
from rankbook.experiments.studies import large_batches_pixels
from rankbook.experiments.tasks.batch_sizes import BatchSizes
from rankbook.experiments.tasks.pixels import untrained_drawings

RATES = (1e-4, 3e-4, 1e-3, 3e-3)

STUDY = replace(
    large_batches_pixels.STUDY,
    name="large_batches_untrained",
    question="Do larger batches help a head on what random first weights make of the drawings, at equal steps and at equal items?",
    task=BatchSizes(load=untrained_drawings),
    contenders={
        "RS@k, 128": contender(rs_at_k, 32, RATES),
        "RS@k, 512": contender(rs_at_k, 128, RATES),
        "RS@k, 128, 4 x steps": contender(rs_at_k, 32, RATES, share=4),
    },
)
