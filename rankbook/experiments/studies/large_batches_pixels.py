"""RS@k in batches of 128 and of 512 drawings, where a small network is trained from its first weights instead of a head on features."""

from rankbook.experiments.batch_losses import contender, rs_at_k
from rankbook.experiments.parts import Contender
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.batch_sizes import PixelBatchSizes


def contenders(rates: tuple[float, ...]) -> dict[str, Contender]:
    """A small batch, a large one, and the small one for as many items as the large one."""
    return {
        "RS@k, 128": contender(rs_at_k, 32, rates),
        "RS@k, 512": contender(rs_at_k, 128, rates),
        "RS@k, 128, 4 x steps": contender(rs_at_k, 32, rates, share=4),
    }


STUDY = Study(
    name="large_batches_pixels",
    question="Do larger batches help a small network that learns from the pixels, at equal steps and at equal items?",
    task=PixelBatchSizes(),
    contenders=contenders((3e-4, 1e-3, 3e-3, 1e-2)),
    grid={},
    steps=50,
    choose_by="mAP@R",
    reference="RS@k, 128",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    chapter="large_batches",
)
