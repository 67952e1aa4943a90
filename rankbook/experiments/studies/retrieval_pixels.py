"""Losses of retrieval on a small network that learns from the pixels: does their order survive another encoder?

The network has seen nothing before, and 200 steps are few: what is compared is how far each loss brings it in the same time. Seven losses,
one or two of each kind, six of them those of `rankbook.experiments.studies.retrieval`, with fifteen settings each. Learning rates reach
from 3e-4 to 3e-2, since in first runs on the validation classes of emoji the normalized softmax was best at 1e-3 and multi-similarity at
1e-2. The leaderboard runs the study on pictures of the reader's.
"""

from rankbook.experiments import contenders
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.pixels import PixelRetrieval, bird_photographs, grocery_photographs

STUDY = Study(
    name="retrieval_pixels",
    question="Does the order of the losses survive a small network that learns from the pixels?",
    task=PixelRetrieval(),
    contenders={
        "SupCon": contenders.SUP_CON_3,
        "normalized softmax": contenders.NORMALIZED_SOFTMAX,
        "triplet (semi-hard)": contenders.TRIPLET_SEMI_HARD_3,
        "multi-similarity": contenders.MULTI_SIMILARITY_3,
        "Smooth-AP": contenders.SMOOTH_AP_3,
        "SupAP": contenders.SUP_AP_3,
        "ROADMAP": contenders.ROADMAP_3,
    },
    grid={"lr": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)},
    steps=200,
    choose_by="mAP@R",
    reference="SupCon",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    sets={
        "cub": PixelRetrieval(load=bird_photographs),
        "grocery": PixelRetrieval(load=grocery_photographs, gallery="train"),
    },
    open_ended={"emoji": ("normalized softmax",)},
    chapter="image_retrieval",
)
