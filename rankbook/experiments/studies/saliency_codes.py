"""Does attention to places help codes of toy fundus pictures, whose class is a lesion of a few pixels?

All arms train by pairs, as ASH does. After five test seeds every interval held 0; seven of the 20 runs had ended with few different codes,
so five more were added, once. The contrastive loss, tried on the tuning seed alone, ended nowhere with few codes.
"""

from functools import partial

from rankbook.experiments.code_losses import hashed
from rankbook.experiments.parts import SIMULATED, Contender
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.saliency import ATTENTIONS, Saliency

BITS = 24

STUDY = Study(
    name="saliency_codes",
    question="Does attention to places make better codes where a lesion of a few pixels is the class, and more so the smaller it is?",
    task=Saliency(),
    contenders={name: Contender(partial(hashed, bits=BITS, attention=name), {"quantization": (0.01,)}) for name in ATTENTIONS},
    grid={"lr": (0.01, 0.03, 0.1)},
    steps=400,
    choose_by="mAP",
    reference="none",
    tuning_seeds=(100,),
    test_seeds=tuple(range(10)),
    open_ended={SIMULATED: ("blind",)},
    data=SIMULATED,
    chapter="hashing",
)
