"""Logs of lists with clicks: one that is drawn from a known logit, and the ratings of films."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.datasets import movielens

#: Of a log, in order of time: the first trains the deployed model, the second the one that is measured.
SLICES = ("old", "train", "validation", "test")
SHOWN = 12  # items of a list
#: Where the ratings of a person are cut: before the first, they are the past from which features come.
CUTS = (0.3, 0.5, 0.8, 0.9)


class Log(NamedTuple):
    """Impressions, a row each.

    query: features of the query ``[n, f]``, the same in all rows of a list
    item: features of the item ``[n, d]``
    ids: number of the item ``[n]``, below ``items``
    labels: 1 = click ``[n]``
    shown: number of the list that the item was shown in ``[n]``; a list lies in one slice, its rows beside each other
    judged: number of the list that it is judged in ``[n]``
    rows: the rows of each slice
    items: how many there are
    logit: that of the click ``[n]``, where it is known
    """

    query: Tensor
    item: Tensor
    ids: Tensor
    labels: Tensor
    shown: Tensor
    judged: Tensor
    rows: dict[str, Tensor]
    items: int
    logit: Tensor | None = None


def simulated(seed: int, root: Path | None = None) -> Log:
    """Lists of 12 of 1,000 items, for queries that never come again; the seed draws the world and the log.

    The logit of a click is the sum of a level of the query, a rough function of its six features and twice as large as the rest; of
    what no feature tells, a number a list; and of the quality of the item: linear, products of its features, and a part that only the
    item's number tells. So the level is most of what moves clicks, and none of it moves the order of a list.

    Args:
        seed: of everything.
        root: of no use here.
    """
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    lists, items = (2000, 2000, 1000, 2000), 1000
    queries, features = normal(sum(lists), 6), normal(items, 8)
    level = unit(torch.sin(queries @ normal(6, 8) * 0.65 + 3 * normal(8)).sum(1))
    products = features[:, 0] * features[:, 1] + features[:, 2] * features[:, 3] + features[:, 4] * features[:, 5]
    quality = 1.2 * unit(unit(features @ normal(8)) + 1.5 * unit(products)) + 0.3 * normal(items)
    ids = torch.randint(items, (sum(lists), SHOWN), generator=draw)
    logit = (-1 + 2 * level[:, None] + normal(sum(lists), 1) + quality[ids]).flatten()
    labels = torch.bernoulli(logit.sigmoid(), generator=draw)
    number = torch.arange(sum(lists)).repeat_interleave(SHOWN)
    rows = dict(zip(SLICES, torch.arange(len(number)).split([SHOWN * n for n in lists]), strict=True))
    ids = ids.flatten()
    return Log(queries[number], features[ids], ids, labels, number, number, rows, items, logit)


def rated_films(seed: int, root: Path) -> Log:
    """MovieLens 100k: a person is a query, a film an item, and a rating of 4 or 5 stands for a click.

    Each person's ratings are cut in the order of their times: three tenths give the features alone (how many, and the share of
    clicks, of the person and of the film), two train the deployed model, three the model that is measured, one chooses, and one
    judges. Lists are twelve ratings that follow each other; judged is a person's list of the whole slice.

    Args:
        seed: of no use here: the log is one.
        root: as `rankbook.datasets.movielens` takes it.
    """
    return _films(root)


@lru_cache(maxsize=1)
def _films(root: Path) -> Log:
    data = movielens(root)
    table, (user, film) = data.table, data.inputs.T
    time = torch.tensor(table["time"].to_numpy())
    order = time.argsort(stable=True)
    order = order[user[order].argsort(stable=True)]  # by person, then by time
    user, film, clicks, table = user[order], film[order], (data.targets[order] >= 4).float(), table.iloc[order.numpy()]
    counts = user.bincount()
    place = torch.arange(len(user)) - (counts.cumsum(0) - counts)[user]
    part = torch.bucketize((place + 0.5) / counts[user], torch.tensor(CUTS))
    past = part == 0
    women = torch.tensor((table["gender"] == "F").to_numpy())
    query = torch.stack([torch.tensor(table["age"].to_numpy()), women, *_history(user, clicks, past)], 1)
    year = torch.tensor(table["year"].to_numpy())
    genres = torch.tensor(table["genres"].str.get_dummies("|").to_numpy())
    item = torch.cat([torch.stack([torch.where(year > 0, year, 1995), *_history(film, clicks, past)], 1), genres], 1)
    slices = (user * 5 + part).unique_consecutive(return_inverse=True, return_counts=True)[1:]
    of_slice = torch.arange(len(user)) - (slices[1].cumsum(0) - slices[1])[slices[0]]
    shown = torch.stack([slices[0], of_slice // SHOWN], 1).unique(dim=0, return_inverse=True)[1]
    rows = {name: (part == at).nonzero().squeeze(1) for at, name in enumerate(SLICES, 1)}
    return Log(scaled(query, rows["train"]), scaled(item, rows["train"]), film, clicks, shown, user, rows, int(film.max()) + 1)


def _history(who: Tensor, clicks: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row, what its person or film did in the past: the logit of the share of clicks, with five more at the mean; how many."""
    size, share = int(who.max()) + 1, clicks[past].mean()
    seen = torch.bincount(who[past], minlength=size)
    clicked = torch.bincount(who[past], clicks[past], minlength=size)
    return torch.logit((clicked + 5 * share) / (seen + 5))[who], seen.float().log1p()[who]


def unit(x: Tensor) -> Tensor:
    """Mean 0 and deviation 1."""
    return (x - x.mean()) / x.std()


def scaled(x: Tensor, rows: Tensor) -> Tensor:
    """Each column with mean 0 and deviation 1 over some rows; one that is constant there is 0."""
    x = x.float()
    return (x - x[rows].mean(0)) / x[rows].std(0).clamp(min=1e-3)
