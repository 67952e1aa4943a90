"""Losses of single scores against losses of lists, for pictures with many labels; all tuned by mAP on validation pictures.

Trials on the validation pictures placed the grids: the learning rates, the temperatures, 300 steps, and the reach of the given scores of
VOC. The seeds 0 to 7 were read meanwhile, and chose nothing; the final lines are of seeds that were never read before. Each divides the
same pictures anew, so most of these pictures were seen in other divisions.
"""

from rankbook.experiments import label_losses
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.labels import GivenScores, ManyLabels, flickr8k_nouns, voc2012_scores

STUDY = Study(
    name="many_labels",
    question="Does a loss that ranks the pictures of a batch beat the cross-entropy of single scores on mAP?",
    task=ManyLabels(),
    contenders={
        "cross-entropy": label_losses.CROSS_ENTROPY,
        "asymmetric": label_losses.ASYMMETRIC,
        "RankNet": label_losses.RANK_NET,
        "mean rank": label_losses.MEAN_RANK,
        "cross-entropy + mean rank": label_losses.CROSS_ENTROPY_MEAN_RANK,
        "Smooth-AP": label_losses.SMOOTH_AP,
        "Smooth-AP, memory": label_losses.SMOOTH_AP_MEMORY,
    },
    grid={"lr": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)},
    steps=300,
    choose_by="mAP",
    reference="cross-entropy",
    tuning_seeds=(100,),
    test_seeds=tuple(range(10, 18)),
    overlap=2 / 3,  # two pictures are judged for three that train
    sets={
        "flickr8k": ManyLabels(load=flickr8k_nouns),
        "voc2012": GivenScores(load=voc2012_scores, reach=3.0),
    },
    chapter="many_labels",
)
