"""Bad input, by kind of argument; and for each public name, a call that works.

What an argument is follows from its name: the same name means the same thing in the whole package, and a name that is not in
`KINDS` fails the test.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

import rankbook as rb

N = 6


def floats(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def spoiled(value: float) -> Callable[[Tensor], Tensor]:
    """The good tensor with one entry replaced."""

    def spoil(good: Tensor) -> Tensor:
        bad = good.clone() if good.is_floating_point() else good.float()
        bad.view(-1)[1] = value
        return bad

    return spoil


#: name of the fault -> good value -> bad value
Bad = Mapping[str, Callable[[Any], Any]]

NO_TENSOR: Bad = {
    "None": lambda good: None,
    "text": lambda good: "scores",
    "list": lambda good: good.tolist(),
    "array": lambda good: good.numpy(),
    "number": lambda good: 1.5,
}
ANY_TENSOR: Bad = {
    "sparse": lambda good: good.to_sparse(),
    "nested": lambda good: torch.nested.nested_tensor([good, good], layout=torch.jagged),
    "complex": lambda good: good.to(torch.complex64),
    "quantized": lambda good: torch.quantize_per_tensor(good.float(), 0.1, 0, torch.qint8),
    "another device": lambda good: good.to("meta"),
    "longer": lambda good: torch.cat([good, good], dim=-1)[..., : good.shape[-1] + 1],
    "empty": lambda good: good[..., :0],
    "no dimension": lambda good: good.sum(),
}
FLOATING: Bad = {
    **NO_TENSOR,
    **ANY_TENSOR,
    "integers": lambda good: good.long(),
    "float8": lambda good: good.to(torch.float8_e4m3fn),
    "NaN": spoiled(math.nan),
    "inf": spoiled(math.inf),
    "-inf": spoiled(-math.inf),
}
GRADES: Bad = {**NO_TENSOR, **ANY_TENSOR, "NaN": spoiled(math.nan), "inf": spoiled(math.inf)}
MASK: Bad = {
    **{name: make for name, make in NO_TENSOR.items() if name != "None"},
    **ANY_TENSOR,
    "floats": lambda good: good.float(),
}
LABELS: Bad = {
    "None": lambda good: None,
    "text": lambda good: "labels",
    "number": lambda good: 1,
    "floats in a list": lambda good: [0.5] * len(good),
    "ragged list": lambda good: [[0], *([0, 1] for _ in good[1:])],
    "list of None": lambda good: [None] * len(good),
    **{name: ANY_TENSOR[name] for name in ("sparse", "nested", "complex", "quantized", "another device", "empty", "no dimension")},
    "floats": lambda good: good.float(),
    "three axes": lambda good: good.reshape(-1, 1, 1),
    "multi-hot": lambda good: (floats(len(good), 5, seed=3) > 0).long(),
    "fewer": lambda good: good[:-1],
}
NO_NUMBER: Bad = {
    "None": lambda good: None,
    "text": lambda good: "0.1",
    "list": lambda good: [0.1],
    "tensor": lambda good: torch.tensor(0.1),
    "True": lambda good: True,
    "complex": lambda good: 1j,
    "NaN": lambda good: math.nan,
}
NUMBER: Bad = {**NO_NUMBER, "inf": lambda good: math.inf, "-inf": lambda good: -math.inf}
POSITIVE: Bad = {**NUMBER, "0": lambda good: 0.0, "negative": lambda good: -0.1}
NOT_NEGATIVE: Bad = {**NUMBER, "negative": lambda good: -0.1}
SHARE: Bad = {**NUMBER, "negative": lambda good: -0.1, "above 1": lambda good: 1.1}
COUNT: Bad = {**NO_NUMBER, "0": lambda good: 0, "negative": lambda good: -1, "a half": lambda good: 1.5, "inf": lambda good: math.inf}
COUNTS: Bad = {
    "None": lambda good: None,
    "text": lambda good: "12",
    "number": lambda good: 2,
    "empty": lambda good: (),
    "0": lambda good: (0,),
    "negative": lambda good: (1, -1),
    "a half": lambda good: (1.5,),
    "NaN": lambda good: (math.nan,),
    "True": lambda good: (True,),
}
NUMBERS: Bad = {
    "text": lambda good: "12",
    "number": lambda good: 2,
    "empty": lambda good: (),
    "negative": lambda good: (1, -1),
    "NaN": lambda good: (math.nan, 1),
    "infinite": lambda good: (math.inf, 1),
    "words": lambda good: ("a", "b"),
    "only 0": lambda good: (0, 0),
    "too few": lambda good: (1,),
}
FLAG: Bad = {"text": lambda good: "False", "1": lambda good: 1, "None": lambda good: None, "tensor": lambda good: torch.tensor(True)}
CALLABLE: Bad = {"None": lambda good: None, "text": lambda good: "ndcg", "number": lambda good: 3, "tensor": lambda good: torch.ones(2)}
CHOICE: Bad = {"another word": lambda good: "nothing", "None": lambda good: None, "number": lambda good: 3, "list": lambda good: ["mean"]}

PLACES: Bad = {
    **{name: make for name, make in NO_TENSOR.items() if name != "None"},
    **{
        name: ANY_TENSOR[name] for name in ("sparse", "nested", "complex", "quantized", "another device", "longer", "empty", "no dimension")
    },
    "floats": lambda good: good.float(),
    "beyond the end": lambda good: good + 1000,
    "below -1": lambda good: -2 - good,
}

COUNT_TENSOR: Bad = {
    **NO_TENSOR,
    **ANY_TENSOR,
    "floats": lambda good: good.float(),
    "negative": lambda good: -1 - good,
}

#: What an argument of this name is, everywhere.
KINDS: dict[str, Bad] = {
    "scores": FLOATING,
    "embeddings": FLOATING,
    "class_vectors": FLOATING,
    "ref_embeddings": {name: make for name, make in FLOATING.items() if name != "longer"},
    "ranks": FLOATING,
    **dict.fromkeys(("polygons", "boxes"), FLOATING),
    **dict.fromkeys(("speed", "aside", "across", "agents", "base"), FLOATING),
    "costs": {**FLOATING, "negative": lambda good: -1 - good},
    **{mask: {**MASK, "None": NO_TENSOR["None"]} for mask in ("seen", "there")},
    "images": {name: make for name, make in FLOATING.items() if name != "longer"},  # wider ones are other pictures
    "probabilities": {**FLOATING, "above 1": lambda good: good + 1, "negative": lambda good: -good},
    "query": FLOATING,
    "list_scores": FLOATING,
    "list_labels": {**GRADES, "negative": spoiled(-1.0)},
    "views": {name: make for name, make in FLOATING.items() if name not in ("longer", "another device")},
    "values": {},  # reduce_lists is the last line of a metric: it is handed what the metric has checked
    "defined": {},
    "relevance": {**GRADES, "negative": spoiled(-1.0)},
    "target": GRADES,
    **{name: {**GRADES, "negative": spoiled(-1.0)} for name in ("item_weights", "query_weights")},
    "where": MASK,
    "labels": LABELS,
    "self_index": PLACES,
    "ref_labels": {name: make for name, make in LABELS.items() if name != "None"},
    "levels": {**GRADES, "floats": lambda good: good.float(), "negative": lambda good: -good},
    **dict.fromkeys(
        ("tau", "rho", "delta", "width", "strength", "sigma", "tau_rank", "tau_score", "temperature", "lr", "epsilon", "tolerance"),
        POSITIVE,
    ),
    **dict.fromkeys(("pos_margin", "neg_margin", "alpha", "beta"), NUMBER),
    "weights": NUMBERS,
    "weight_decay": POSITIVE,
    "margin": NOT_NEGATIVE,
    **dict.fromkeys(("calibration_weight", "floor"), SHARE),
    **dict.fromkeys(("guidance", "unary", "local", "region", "quantization"), NOT_NEGATIVE),
    **dict.fromkeys(
        ("iterations", "samples", "bins", "classes", "dimensions", "per_class", "size", "steps", "chunk_size", "lists", "batch"), COUNT
    ),
    **dict.fromkeys(("kept_positives", "kept_negatives", "num_replicas"), COUNT),
    **dict.fromkeys(("positives", "negatives", "bad_positives", "bad_negatives"), COUNT_TENSOR),
    **dict.fromkeys(
        ("n", "hidden", "layers", "inducing", "heads", "knots", "k", "every", "query_features", "pieces", "height", "dilation"), COUNT
    ),
    **dict.fromkeys(("include_query", "violations_only", "standardized", "relative", "as_queries", "balanced"), FLAG),
    **dict.fromkeys(("rank_fn", "ranker", "reference", "metric", "loss_fn", "loss", "evaluate"), CALLABLE),
    **dict.fromkeys(
        ("ties", "network", "regularization", "reduction", "rule", "mixture", "numerator", "order", "gain", "weighting"), CHOICE
    ),
    "metrics": {"a list": lambda good: ["R@1"], "text": lambda good: "AP", "no metric": lambda good: {"AP": 3}, "empty": lambda good: {}},
}
#: Arguments for which Python or torch itself says what is wrong, or that another test holds.
ELSEWHERE = {"generator", "device", "dtype", "seed", "metric_kwargs", "inputs", "batches", "optimizer", "scheduler", "checkpoint", "model"}
ELSEWHERE |= {"rank", "sorter", "folder", "arguments", "facts", "name", "step", "head", "self"}
#: "k" is a sequence here.
SEQUENCE_OF_K = {"capped_recall", "RecallAtKLoss", "SupRecallLoss"}


@dataclass(frozen=True)
class Call:
    """A call that works."""

    name: str
    function: Callable[..., Any]
    good: Mapping[str, Any]  # every argument that is fuzzed, by name
    allowed: frozenset[tuple[str, str]] = field(default_factory=frozenset)  # (argument, fault) that is no fault here

    def __str__(self) -> str:
        return self.name

    def faults(self) -> Iterator[tuple[str, str, Any]]:
        """(argument, fault, bad value) of every fault of every argument."""
        for argument, value in self.good.items():
            kind = COUNTS if argument == "k" and self.name.partition("(")[0] in SEQUENCE_OF_K else KINDS[argument]
            optional = self.function_default(argument) is None
            for fault, make in kind.items():
                if (argument, fault) in self.allowed or (fault == "None" and optional):
                    continue
                yield argument, fault, make(value)

    def function_default(self, argument: str) -> Any:
        parameter = inspect.signature(self.function).parameters.get(argument)
        return None if parameter is None else parameter.default


SCORES = floats(2, N)
SQUARE = floats(N, N)
GRADE = torch.tensor([[2, 0, 1, 0, 0, 1], [0, 0, 1, 0, 3, 0]])
WHERE = torch.tensor([[True, True, True, True, False, True]]).expand(2, N).contiguous()
EMBEDDINGS = torch.nn.functional.normalize(floats(N, 4), dim=1)
LEVELS = torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0], [2, 1], [2, 1]])
CLASSES = LEVELS[:, 0].contiguous()
SIGMOID = partial(rb.sigmoid_ranks, tau=0.1)

#: A working value for each argument whose default is none.
GOOD: dict[str, Any] = {
    "scores": SCORES,
    "relevance": GRADE,
    "target": floats(2, N, seed=1),
    "where": WHERE,
    "item_weights": torch.ones(2, N),
    "query_weights": torch.tensor([1.0, 2.0]),
    "embeddings": EMBEDDINGS,
    "labels": CLASSES,
    "ref_embeddings": EMBEDDINGS.flip(0),
    "ref_labels": CLASSES.flip(0),
    "levels": GRADE,
    "ranks": rb.exact_ranks(SCORES),
    "views": torch.stack([EMBEDDINGS, EMBEDDINGS.roll(1, 1), EMBEDDINGS.flip(1)]),
    "k": 2,
    "tau_rank": 0.5,
    "size": 3,
    "rank_fn": SIGMOID,
    "ranker": SIGMOID,
    "loss": rb.SmoothAPLoss(),
    "reference": rb.neuralsort_ranks,
    "metric": rb.ndcg,
    "metrics": {"AP": rb.average_precision},
    "chunk_size": 4,
    "margin": 0.2,
    "classes": 3,
    "class_vectors": floats(3, 4, seed=2),
    "dimensions": 4,
    "n": 5,
    "batch": 3,
    "positives": torch.tensor([[2, 1], [1, 3]]),
    "negatives": torch.tensor([[4, 5], [5, 3]]),
    "bad_positives": torch.tensor([[1, 0], [0, 2]]),
    "bad_negatives": torch.tensor([[1, 2], [0, 3]]),
    "kept_positives": 2,
    "kept_negatives": 2,
}


def arguments(function: Callable[..., Any]) -> dict[str, Any]:
    """The arguments of a public callable that are fuzzed, each with a value that works."""
    good = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in ELSEWHERE or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        assert name in KINDS, f"{function.__name__}: argument {name!r} is of no kind yet; add it to KINDS"
        good[name] = GOOD.get(name, parameter.default)
        assert good[name] is not parameter.empty, f"{function.__name__}: {name!r} has no default; add a value to GOOD"
        if isinstance(parameter.default, (int, float, str, tuple)):
            good[name] = parameter.default
    return good
