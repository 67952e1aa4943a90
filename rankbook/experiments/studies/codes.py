"""What bits cost: a loss of pairs with two margins, and the signs of SupCon embeddings, which know nothing of bits.

On emoji the classes of validation and test are not those of training. Fashion-MNIST has ten classes, the same in all splits, and what is
judged searches the training pictures.
"""

from functools import partial

from rankbook.experiments.code_losses import contrastive, hashed, released
from rankbook.experiments.parts import BUNDLED, Contender
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.codes import Codes, clothes

BITS = (12, 48)
_PAIRS = {"quantization": (0.001, 0.01), "balanced": (False, True)}
_SIGNS = {"temperature": (0.1, 0.2, 0.4, 0.8)}
LOSSES = {"margin 2": (hashed, _PAIRS), "margin K/2": (released, _PAIRS), "SupCon": (contrastive, _SIGNS)}

STUDY = Study(
    name="codes",
    question="Is a loss that is made for bits better than the signs of an embedding that is not?",
    task=Codes(),
    contenders={
        f"{name}, {bits} bits": Contender(partial(make, bits=bits), grid) for bits in BITS for name, (make, grid) in LOSSES.items()
    },
    grid={"lr": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)},
    steps=200,
    choose_by="mAP",
    reference="SupCon, 12 bits",
    tuning_seeds=(100,),
    test_seeds=tuple(range(5)),
    open_ended={BUNDLED: ("margin K/2, 12 bits",)},
    sets={"fashion_mnist": Codes(load=clothes, classes=10, per_class=13, gallery="train")},
    chapter="hashing",
)
