"""Several views of the same items in one space: each finds the others, judged on items that training has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn

from rankbook.datasets import emoji
from rankbook.evaluation import evaluate_retrieval
from rankbook.experiments.runs import one_thread
from rankbook.experiments.tasks.fitting import minimize, seeded
from rankbook.experiments.tasks.retrieval import Head
from rankbook.metrics import average_precision

_STYLES = ("noto", "twemoji", "openmoji", "fluent-flat", "emojitwo", "noto-v1")
_DRAWN = {"train": (0, 2000), "validation": (1, 500), "test": (2, 500)}  # of the made data: seed and items


def emoji_styles(split: str) -> Tensor:
    """The features ``[6, n, 512]`` of the emoji that all six designers drew: a view for each designer."""
    data = emoji(split)
    table = data.table.assign(row=range(len(data))).pivot(index="class", columns="style", values="row")[[*_STYLES]].dropna()
    return data.inputs[torch.tensor(table.to_numpy().T.astype(int))]


def clean_views(split: str) -> Tensor:
    r"""Made data ``[3, n, 32]``: of a hidden vector z and a private one u, each view sees :math:`\tanh(A_\ell (z, u_\ell))` and noise."""
    seed, count = _DRAWN[split]
    fixed, drawn = (torch.Generator().manual_seed(100 + one) for one in (99, seed))
    maps = torch.randn(3, 16, 32, generator=fixed) / 4
    hidden = torch.randn(count, 8, generator=drawn).expand(3, count, 8)
    private = torch.randn(3, count, 8, generator=drawn)
    seen = torch.tanh(torch.cat([hidden, private], dim=2) @ maps)
    return seen + 0.3 * torch.randn(seen.shape, generator=drawn)


def one_view_lost(split: str) -> Tensor:
    """`clean_views` whose training items have one view each, drawn at random, that is another item's."""
    views = clean_views(split)
    if split == "train":
        draw = torch.Generator().manual_seed(7)
        count = views.shape[1]
        lost, other = torch.randint(3, (count,), generator=draw), torch.randint(1, count, (count,), generator=draw)
        items = torch.arange(count)
        views = views.clone()
        views[lost, items] = clean_views(split)[lost, (items + other) % count]
    return views


@dataclass(frozen=True)
class ManyViews:
    """Embed k views so that those of one item find each other.

    Args:
        load: split -> features ``[v, n, d]`` of v views of the same n items.
        views: of each item in a batch, k; where the data have more, each item draws its own.
        items: of a batch.
        outputs: dimensions of the embedding.
        shared: one linear head for all views; else one for each.

    A loss is called with the embeddings ``(views [k, items, outputs])``.

    ``R@1``: the share of items whose nearest neighbor in another view is of the same item, the mean over pairs of views. ``tuples``: the
    share that is right in all other views at once. ``AP``: each item searches all items of all other views. The last is the first choice.
    """

    load: Callable[[str], Tensor] = emoji_styles
    views: int = 3
    items: int = 64
    outputs: int = 256
    shared: bool = True

    metrics: ClassVar[tuple[str, ...]] = ("R@1", "tuples", "AP")

    def fit(self, loss: nn.Module, *, lr: float, steps: int, seed: int) -> nn.Module:
        """Train the heads; the same call gives the same heads.

        Args:
            loss: as above.
            lr: peak learning rate of AdamW; it falls to 0 along a cosine.
            steps: batches.
            seed: of the first weights and the batches; they are the same for every loss.
        """
        data = _loaded(self.load, "train")
        with seeded(seed) as generator:
            heads = Heads(1 if self.shared else len(data), data.shape[2], self.outputs)
            minimize(heads, loss, self.batches(data, generator), lr=lr, steps=steps, call=lambda views, _: loss(views))
        return heads

    def batches(self, data: Tensor, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """(features [k, items, d], their items [items]), for ever; an epoch deals out all items."""
        while True:
            for rows in torch.randperm(data.shape[1], generator=generator).split(self.items):
                if len(rows) < self.items:
                    break
                if self.views < len(data):
                    views = torch.rand(len(data), self.items, generator=generator).argsort(0)[: self.views]
                else:
                    views = torch.arange(self.views)[:, None]
                yield data[views, rows], rows

    def measure(self, model: nn.Module, split: str) -> dict[str, float]:
        """The metrics on the items of a split. ``torch.nn.Identity()``: the features as they are."""
        with one_thread(), torch.no_grad():
            return across(model(_loaded(self.load, split)))


class Heads(nn.Module):
    """A linear map to one unit sphere, of all views or of each."""

    def __init__(self, count: int, inputs: int, outputs: int):
        super().__init__()
        self.heads = nn.ModuleList(Head(inputs, outputs) for _ in range(count))

    def forward(self, views: Tensor) -> Tensor:
        if len(self.heads) == 1:
            return self.heads[0](views)
        return torch.stack([head(view) for head, view in zip(self.heads, views, strict=True)])


def across(views: Tensor) -> dict[str, float]:
    """The metrics of `ManyViews` for embeddings ``[v, n, d]``.

    >>> from rankbook.experiments.tasks.many_views import across
    >>> first = torch.eye(4)
    >>> across(torch.stack([first, first, first.roll(1, 0)]))["R@1"]  # one of three pairs of views agrees
    0.3333333432674408
    """
    v, n, _ = views.shape
    items, seen = torch.arange(n), torch.arange(v)
    best = torch.einsum("and,bmd->abnm", views, views).argmax(3)  # the nearest of each other view [v, v, n]
    others = seen[:, None] != seen
    right = (best == items)[others].reshape(v, v - 1, n)
    own = seen.repeat_interleave(n)
    found = evaluate_retrieval(
        views.flatten(0, 1),
        items.repeat(v),
        views.flatten(0, 1),
        items.repeat(v),
        where=own[:, None] != own,
        metrics={"AP": average_precision},
    )
    return {"R@1": right.float().mean().item(), "tuples": right.all(1).float().mean().item(), "AP": found["AP"]}


@lru_cache(maxsize=8)
def _loaded(load: Callable[[str], Tensor], split: str) -> Tensor:
    """A process reads a split once, not once a run."""
    return load(split)
