"""Synthetic lists of scores to train sorters on: SoDeep's distributions."""

from __future__ import annotations

import torch
from torch import Tensor

from rankbook.checks import check_choice, check_count, check_dtype, check_instance

#: The kinds of lists of the mixture "code", in the order of the released code; "uniform" and "uniform | normal" count twice there.
KINDS = (
    "uniform",
    "uniform",
    "normal",
    "grid",
    "shuffled grid",
    "uniform | normal",
    "uniform | normal",
    "uniform | uniform",
    "shuffled grid | uniform",
    "fixed grid",
)

#: What `synthetic_scores` knows by name.
MIXTURES = ("paper", "code", *dict.fromkeys(KINDS))

_PARTS = ("uniform", "normal", "grid", "shuffled grid", "fixed grid")
_SIDES = [[_PARTS.index(side) for side in (kind.split(" | ") * 2)[:2]] for kind in KINDS]  # left and right of the split


def synthetic_scores(
    n: int,
    batch: int,
    *,
    mixture: str = "code",
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    r"""Draw lists of scores from the distributions that SoDeep trains its sorters on.

    Each list draws its kind, all kinds of a mixture being equally likely:

    - ``"uniform"``: :math:`U(-1, 1)`; ``"normal"``: :math:`N(0, 1)`;
    - ``"grid"``: n evenly spaced values from a to b, in order, up or down; ``"shuffled grid"``: the same in random order;
    - ``"fixed grid"``: from -1 to 1, in order;
    - ``"x | y"``: the items before a random place are x, the others y.

    Args:
        n: items in a list.
        batch: number of lists.
        mixture: ``"code"``: the ten kinds of the released code, with a and b in [0, 1]; ``"paper"``: what the paper
            describes: uniform, normal, shuffled grids in [-1, 1], and any two of them side by side; or the name of one kind.
        generator: source of all randomness, on ``device``; None: torch's own.
        device, dtype: of the result.

    Returns: scores ``[batch, n]``.

    Raises:
        ValueError: ``n`` or ``batch`` is below 1; an unknown mixture; a dtype that is not floating point.

    Cost: :math:`O(\text{batch} \cdot n \log n)`, all lists at once.

    Source: SoDeep (CVPR 2019), section 3.1.2, and its released code, which differ; see the chapter on learned sorters.

    >>> rb.synthetic_scores(100, 32, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([32, 100])
    """
    n, batch = check_count("n", n), check_count("batch", batch)
    check_choice("mixture", mixture, MIXTURES)
    check_dtype("dtype", dtype)
    if generator is not None:
        check_instance("generator", generator, torch.Generator, "torch.Generator().manual_seed(0)")
    if mixture == "code":
        return synthetic_kinds(n, batch, generator=generator, device=device, dtype=dtype)[0]
    draw = _Draw(n, batch, generator, device, dtype)
    return draw.sides() if mixture == "paper" else draw.kind(mixture)


def synthetic_kinds(
    n: int,
    batch: int,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Scores ``[batch, n]`` of the mixture "code", and the kind of each list ``[batch]``, an index into `KINDS`."""
    draw = _Draw(n, batch, generator, device, dtype)
    kind = torch.randint(len(KINDS), (batch,), generator=generator, device=device)
    left, right = torch.tensor(_SIDES, device=device)[kind].T
    uniform, normal, grid = draw.uniform(), draw.normal(), draw.grid(0, 1)
    shuffled = draw.shuffled(grid, (left == _PARTS.index("shuffled grid")).nonzero().squeeze(1))  # no kind has one at the right
    parts = torch.stack([uniform, normal, grid, shuffled, draw.fixed()])
    lists = torch.arange(batch, device=device)
    return torch.where(draw.is_left(), parts[left, lists], parts[right, lists]), kind


class _Draw:
    """The distributions, a whole batch at a time."""

    def __init__(self, n: int, batch: int, generator: torch.Generator | None, device, dtype: torch.dtype):
        self.shape = batch, n
        self.kwargs = {"generator": generator, "device": device, "dtype": dtype}
        self.along = {"device": device, "dtype": dtype}

    def uniform(self) -> Tensor:
        return torch.rand(self.shape, **self.kwargs).mul_(2).sub_(1)

    def normal(self) -> Tensor:
        return torch.randn(self.shape, **self.kwargs)

    def fixed(self) -> Tensor:
        return torch.linspace(-1, 1, self.shape[1], **self.along).expand(self.shape)

    def grid(self, low: float, high: float) -> Tensor:
        start, end = torch.rand(2, self.shape[0], 1, **self.kwargs).mul_(high - low).add_(low)
        return start + (end - start) * torch.linspace(0, 1, self.shape[1], **self.along)

    def shuffled(self, scores: Tensor, lists: Tensor | slice = slice(None)) -> Tensor:
        """The given lists in random order: the sort behind it would cost more than all the rest."""
        order = torch.rand(self.shape, **self.kwargs)[lists].argsort(1)
        scores = scores.clone()
        scores[lists] = scores[lists].gather(1, order)
        return scores

    def is_left(self) -> Tensor:
        """Mask of the items before a random place, at least one on each side if there are two items."""
        batch, n = self.shape
        generator, device = self.kwargs["generator"], self.kwargs["device"]
        place = torch.randint(1, max(n, 2), (batch, 1), generator=generator, device=device)
        return torch.arange(n, device=device) < place

    def sides(self) -> Tensor:
        """Left and right of the split are each one of the paper's three distributions, often the same."""
        parts = torch.stack([self.uniform(), self.normal(), self.shuffled(self.grid(-1, 1))])
        of = torch.randint(3, (2, self.shape[0], 1), generator=self.kwargs["generator"], device=self.kwargs["device"])
        left, right = parts.gather(0, of.expand(-1, *self.shape))
        return torch.where(self.is_left(), left, right)

    def kind(self, name: str) -> Tensor:
        left, _, right = name.partition(" | ")
        if right:
            return torch.where(self.is_left(), self.kind(left), self.kind(right))
        make = {"uniform": self.uniform, "normal": self.normal, "fixed grid": self.fixed, "grid": lambda: self.grid(0, 1)}
        return self.shuffled(self.grid(0, 1)) if left == "shuffled grid" else make[left]()
