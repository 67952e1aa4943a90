"""One long list or several short ones, small batches or large: what Spearman's loss reads of a batch, beside squared error.

"4 x 32" is a batch of 128 items that the loss reads as four lists of 32. All contenders see as many items in all: a batch of 512 takes a
quarter of the steps of one of 128. The learning rates and the knobs of the losses are those of the study of scores.
"""

from rankbook.experiments.score_losses import in_lists
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.rated import remembered_captions
from rankbook.experiments.tasks.score_batches import ScoreBatches

STUDY = Study(
    name="memorability_lists",
    question="Does a longer list teach Spearman's loss more, or only the larger batch that holds it?",
    task=ScoreBatches(),
    contenders={
        **{f"Spearman, {lists} x {long}": in_lists("Spearman", lists, long) for lists, long in ((1, 128), (4, 32), (16, 8))},
        **{f"Spearman, {lists} x {long}": in_lists("Spearman", lists, long) for lists, long in ((1, 32), (1, 512), (16, 32))},
        **{f"MSE, {batch}": in_lists("MSE", 1, batch) for batch in (32, 128, 512)},
    },
    grid={"lr": (1e-4, 1e-3, 5e-3, 2e-2, 1e-1, 5e-1)},
    steps=160,
    choose_by="Spearman",
    reference="Spearman, 1 x 128",
    tuning_seeds=(100,),
    test_seeds=tuple(range(10)),
    sets={"videomem": ScoreBatches(load=remembered_captions)},
    overlap=1 / 3,  # a test item for three that train
    chapter="memorability",
)
