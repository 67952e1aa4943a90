"""RS@k, Smooth-AP and SupCon in batches of 128 and 512 items, at equal steps and at equal items; RS@k also in 1,024, and with mixup.

Batches of four items a class. At "4 x steps" (8 x), batches of 128 hold as many items in all as those of 512 (1,024) at the study's steps.
"""

from rankbook.experiments.batch_losses import contender, mixed, rs_at_k, smooth_ap, sup_con
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.batch_sizes import BatchSizes

SMALL, LARGE, LONGER = (1e-3, 2.5e-3, 6e-3, 1.5e-2), (1.5e-3, 4e-3, 1.2e-2, 4e-2), (5e-4, 1.5e-3, 4e-3, 1.2e-2)

STUDY = Study(
    name="large_batches",
    question="What do larger batches and similarity mixup buy, at equal steps and at equal items?",
    task=BatchSizes(),
    contenders={
        "RS@k, 128": contender(rs_at_k, 32, SMALL),
        "RS@k, 512": contender(rs_at_k, 128, LARGE),
        "RS@k, 128, 4 x steps": contender(rs_at_k, 32, LONGER, share=4),
        "RS@k, 1,024": contender(rs_at_k, 256, LARGE),
        "RS@k, 128, 8 x steps": contender(rs_at_k, 32, LONGER, share=8),
        "RS@k + mixup, 128": contender(mixed, 32, SMALL),
        "RS@k + mixup, 512": contender(mixed, 128, LARGE),
        "Smooth-AP, 128": contender(smooth_ap, 32, SMALL),
        "Smooth-AP, 512": contender(smooth_ap, 128, LARGE),
        "Smooth-AP, 128, 4 x steps": contender(smooth_ap, 32, LONGER, share=4),
        "SupCon, 128": contender(sup_con, 32, SMALL),
        "SupCon, 512": contender(sup_con, 128, LARGE),
        "SupCon, 128, 4 x steps": contender(sup_con, 32, LONGER, share=4),
    },
    grid={},
    steps=50,
    choose_by="mAP@R",
    reference="RS@k, 128",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    chapter="large_batches",
)
