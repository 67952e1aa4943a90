"""Operations whose result a host has to wait for when the tensors are on a GPU, counted on the CPU by the name of the operation."""

from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode

#: They read a value, or the size of their result is one.
WAITS = {"_local_scalar_dense", "item", "nonzero", "_unique2", "unique_dim", "unique_consecutive", "masked_select", "equal", "is_nonzero"}


class Waits(TorchDispatchMode):
    """Counts them, boolean masks as indices and repetitions of unknown length too; outside of what runs on the CPU in any case."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function._schema.name.removeprefix("aten::")
        masks = name in ("index", "index_put", "index_put_") and any(
            x is not None and x.dtype in (torch.bool, torch.uint8) for x in args[1]
        )
        if name in WAITS or masks or (name == "repeat_interleave" and (kwargs or {}).get("output_size") is None):
            self.found[name] += 1
        return function(*args, **(kwargs or {}))
