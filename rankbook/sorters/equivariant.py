"""Learned sorters that do not see the order of their input, for any number of items."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankbook.checks import check_count
from rankbook.sorters.sorter import Sorter, standardize

_REACH = 3.5  # knots start evenly over so many standard deviations on each side


class KnotSorter(Sorter):
    r"""A learned soft distribution function: count the items above some knots, and read the count at the place of the item.

    .. math::
        \begin{aligned}
        c_k &= \sum_j \sigma\bigl(a_k (z_j - t_k)\bigr), \\
        r_i &= \tfrac12 + \sum_k \pi_{ik} \, c_k, \\
        \pi_i &= \operatorname{softmax}_k\bigl(d_k - b_k^2 (z_i - t_k)^2\bigr)
        \end{aligned}

    The knots :math:`t_k` lie on the line of the standardized scores z; place, slopes and weights of the knots are learned,
    four numbers each.

    Args:
        knots: more of them follow the ranks more closely, with a gradient that is worse as a guide.

    Any number of items, equivariant, exact under ``where``. The deviation is a constant for the gradient.

    Cost: :math:`O(n \cdot \text{knots})` time and memory for each list.

    Source: ours, after the idea that a rank is n times a distribution function.

    >>> sorter = rb.KnotSorter(knots=80)
    >>> sum(weights.numel() for weights in sorter.parameters())
    320
    """

    def __init__(self, knots: int = 80):
        super().__init__()
        knots = check_count("knots", knots)
        slope = knots / _REACH  # twice the inverse distance of two knots
        self.place = nn.Parameter(torch.linspace(-_REACH, _REACH, knots))
        self.log_count_slope = nn.Parameter(torch.full((knots,), slope).log())
        self.log_read_slope = nn.Parameter(torch.full((knots,), slope).log())
        self.weight = nn.Parameter(torch.zeros(knots))

    def rank_lists(self, scores: Tensor, present: Tensor | None) -> Tensor:
        apart = standardize(scores, present).unsqueeze(-1) - self.place  # [lists, n, knots]
        above = torch.sigmoid(self.log_count_slope.exp() * apart)
        counts = above.sum(-2) if present is None else (above * present.unsqueeze(-1)).sum(-2)
        reads = torch.softmax(self.weight - (self.log_read_slope.exp() * apart).square(), -1)
        return 0.5 + (reads @ counts.unsqueeze(-1)).squeeze(-1)


class SetTransformerSorter(Sorter):
    r"""Items attend to a few learned inducing points, which attend to the items: attention in linear time.

    Each block lets m inducing points read the list, the items read the inducing points, and then passes each item through a
    two-layer perceptron, every step added to what was there. A last sigmoid gives the share of items above,
    :math:`r_i = \tfrac12 + n \, \sigma(\cdot)`.

    Args:
        hidden: features of an item.
        layers: number of blocks.
        inducing: points that carry the list from item to item.
        heads: parallel attentions; divides ``hidden``.

    Any number of items, equivariant, exact under ``where``. The deviation that standardizes is a constant for the gradient.

    Cost: :math:`O(n \cdot \text{inducing} \cdot \text{hidden})` for each list and block.

    Source: Set Transformer (ICML 2019), the induced set attention block; as a sorter: ours.

    >>> rb.SetTransformerSorter(hidden=16, layers=1)(torch.randn(2, 30)).shape
    torch.Size([2, 30])
    """

    def __init__(self, hidden: int = 64, layers: int = 2, inducing: int = 16, heads: int = 4):
        super().__init__()
        hidden, layers = check_count("hidden", hidden), check_count("layers", layers)
        inducing, heads = check_count("inducing", inducing), check_count("heads", heads)
        if hidden % heads:
            raise ValueError(f"heads must divide hidden, got hidden={hidden} and heads={heads}")
        self.place = nn.Parameter(torch.linspace(-_REACH, _REACH, hidden))
        self.log_slope = nn.Parameter(torch.full((hidden,), hidden / _REACH / 2).log())
        self.embed = nn.Linear(hidden + 1, hidden)
        self.blocks = nn.ModuleList(_InducedBlock(hidden, inducing, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)
        self.read = nn.Linear(hidden, 1)

    def rank_lists(self, scores: Tensor, present: Tensor | None) -> Tensor:
        z = standardize(scores, present).unsqueeze(-1)
        x = self.embed(torch.cat([z, torch.tanh(self.log_slope.exp() * (z - self.place))], -1))
        for block in self.blocks:
            x = block(x, present)
        count = scores.shape[-1] if present is None else present.sum(-1, keepdim=True)
        return 0.5 + count * torch.sigmoid(self.read(self.norm(x)).squeeze(-1))


class _InducedBlock(nn.Module):
    def __init__(self, hidden: int, inducing: int, heads: int):
        super().__init__()
        self.points = nn.Parameter(torch.randn(inducing, hidden))
        self.gather, self.spread = _Attention(hidden, heads), _Attention(hidden, heads)
        self.norm_items, self.norm_points, self.norm_mlp = nn.LayerNorm(hidden), nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.mlp = nn.Sequential(nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden))

    def forward(self, x: Tensor, present: Tensor | None) -> Tensor:
        items = self.norm_items(x)
        points = self.points.expand(len(x), -1, -1)
        points = points + self.gather(points, items, present)
        x = x + self.spread(items, self.norm_points(points), None)
        return x + self.mlp(self.norm_mlp(x))


class _Attention(nn.Module):
    def __init__(self, hidden: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key_value, self.out = nn.Linear(hidden, hidden), nn.Linear(hidden, 2 * hidden), nn.Linear(hidden, hidden)

    def forward(self, to: Tensor, of: Tensor, present: Tensor | None) -> Tensor:
        split = lambda x: x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        query, (key, value) = split(self.query(to)), map(split, self.key_value(of).chunk(2, -1))
        match = query @ key.mT / query.shape[-1] ** 0.5  # written out: torch's fused attention has no second derivative
        if present is not None:
            match = match.masked_fill(~present[:, None, None, :], -torch.inf)
        return self.out((match.softmax(-1) @ value).transpose(1, 2).flatten(-2))
