"""`rankbook.experiments.studies.large_batches_pixels` with a head alone, on what random first weights make of the drawings."""

from dataclasses import replace

from rankbook.experiments.studies import large_batches_pixels
from rankbook.experiments.studies.large_batches_pixels import contenders
from rankbook.experiments.tasks.batch_sizes import BatchSizes
from rankbook.experiments.tasks.pixels import untrained_drawings

STUDY = replace(
    large_batches_pixels.STUDY,
    name="large_batches_untrained",
    question="Do larger batches help a head on what random first weights make of the drawings, at equal steps and at equal items?",
    task=BatchSizes(load=untrained_drawings),
    contenders=contenders((1e-4, 3e-4, 1e-3, 3e-3)),
)
