"""RS@k in batches of 16 and of 80 classes, four items each, with and without similarity mixup, on two sets.

80 are all training classes of CUB, and all but one of Grocery's. The temperature is that of `rankbook.experiments.batch_losses`.
"""

from rankbook.experiments.batch_losses import contender, mixed, rs_at_k
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.batch_sizes import BatchSizes
from rankbook.experiments.tasks.sets import birds, groceries

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)

STUDY = Study(
    name="large_batches_sets",
    question="Do larger batches and similarity mixup help where the set is small?",
    task=BatchSizes(load=birds),
    data="cub",
    contenders={
        "RS@k, 64": contender(rs_at_k, 16, RATES),
        "RS@k, 320": contender(rs_at_k, 80, RATES),
        "RS@k, 64, 5 x steps": contender(rs_at_k, 16, RATES, share=5),
        "RS@k + mixup, 64": contender(mixed, 16, RATES),
        "RS@k + mixup, 320": contender(mixed, 80, RATES),
    },
    grid={},
    steps=50,
    choose_by="mAP@R",
    reference="RS@k, 64",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    sets={"grocery": BatchSizes(load=groceries, gallery="train")},
    chapter="large_batches",
)
