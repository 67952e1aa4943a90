"""Bad input to the batch losses: each error names the argument, and what came."""

import pytest
import torch

from losses.contract import CASES

E, L = torch.rand(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])


def spoiled(index, value):
    embeddings = E.clone()
    embeddings[index] = value
    return embeddings


BAD = {
    "nan": ((spoiled((4, 1), torch.nan), L), ValueError, r"^embeddings must be finite, but embeddings\[4, 1\] is nan"),
    "inf": ((spoiled((0, 3), -torch.inf), L), ValueError, r"^embeddings must be finite, but embeddings\[0, 3\] is -inf"),
    "nan in the reference set": ((E, L, spoiled((2, 0), torch.nan), L), ValueError, r"ref_embeddings\[2, 0\] is nan"),
    "overflow of half precision": ((spoiled((1, 1), 1e6).half(), L), ValueError, r"embeddings\[1, 1\] is inf"),
    "one embedding": ((E[0], L[:1]), ValueError, r"^embeddings must be .*\[items, dimensions\].* got torch.float32 \(4,\)"),
    "no item": ((E[:0], L[:0]), ValueError, r"^embeddings must be .* at least one item, got torch.float32 \(0, 4\)"),
    "three axes": ((E[None], L), ValueError, r"^embeddings must be .*\(1, 6, 4\)"),
    "integers": ((E.long(), L), ValueError, r"^embeddings must be floating point .*torch.int64"),
    "a list": ((E.tolist(), L), TypeError, r"^embeddings must be a torch.Tensor, got list"),
    "labels as a list": ((E, L.tolist()), TypeError, r"^labels must be a torch.Tensor, got list; try torch.as_tensor\(labels\)"),
    "floating labels": ((E, L.float()), ValueError, r"^labels must be integers .*torch.float32"),
    "too few labels": ((E, L[:5]), ValueError, r"^labels must have one entry for each of the 6 embeddings, got 5"),
    "a number as labels": ((E, L[0]), ValueError, r"^labels must be integers of shape"),
    "labels without a level": ((E, L[:, None][:, :0]), ValueError, r"^labels must have at least one level"),
    "only ref_embeddings": ((E, L, E), ValueError, r"^ref_labels is missing: give both"),
    "only ref_labels": ((E, L, None, L), ValueError, r"^ref_embeddings is missing: give both"),
    "too many ref_labels": ((E, L, E[:3], L), ValueError, r"^ref_labels must have one entry for each of the 3 ref_embeddings, got 6"),
    "other dimensions": ((E, L, E[:, :3], L), ValueError, r"^ref_embeddings must have the 4 dimensions of embeddings, got 3"),
    "other levels": ((E, L[:, None].expand(6, 2), E, L), ValueError, r"ref_labels \(6,\) must have the same number of levels"),
    "empty reference set": ((E, L, E[:0], L[:0]), ValueError, r"^ref_embeddings must be .* at least one item"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_bad_batch(case, bad):
    arguments, error, message = BAD[bad]
    with pytest.raises(error, match=message):
        case.make()(*arguments)


SCALES = ("tau", "tau_rank", "tau_score", "temperature", "rho", "delta", "strength")
KNOBS = [(case, name) for case in CASES for name in getattr(case.make, "keywords", {}) if name in SCALES]


@pytest.mark.parametrize("value", [0, -0.1, float("nan"), float("inf")])
@pytest.mark.parametrize(("case", "knob"), KNOBS, ids=lambda x: str(x))
def test_bad_knob(case, knob, value):
    with pytest.raises(ValueError, match=rf"^{knob} must be a finite number above 0, got {value}"):
        case.make(**{knob: value})
