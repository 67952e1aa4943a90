"""What the leaderboard says of one loss: on how many sets it was the best, or tied with the best."""

from __future__ import annotations

from typing import Any

import pandas as pd

#: What was trained, as a sentence names it, in the order of the sentences; and the sets, as the pages name them.
NETWORKS = {"head": "a linear head on frozen features", "pixels": "a small network on pixels"}
SETS = {
    **{"emoji": "emoji", "cub": "birds", "grocery": "groceries", "flickr8k": "captions"},
    **{"fashion_mnist": "clothes", "movielens": "MovieLens", "lnsim": "LNSIM"},
    **{"videomem": "VideoMem", "videomem_objects": "VideoMem's objects"},
}

#: What papers print as R@k is hit@k, as the pages call it.
METRICS = {"R@1": "hit@1", "R@10": "hit@10"}


def standing(board: pd.DataFrame, loss: str, metric: str) -> dict[str, Any]:
    """Where a loss stands by one metric, for each network that was tried with it.

    Args:
        board: the table ``leaderboard``: network, data, metric, loss, standing.
        loss, metric: as they stand there.

    Returns: network -> {"good": sets where it is the best or tied with it, "behind": the others, "losses": how many were compared}.

    >>> import pandas as pd
    >>> from rankbook.advice.board import standing
    >>> lines = [["head", "emoji", "mAP@R", "a", "best"], ["head", "emoji", "mAP@R", "b", "behind"], ["head", "cub", "mAP@R", "b", "tied"]]
    >>> standing(pd.DataFrame(lines, columns=["network", "data", "metric", "loss", "standing"]), "b", "mAP@R")
    {'head': {'good': ['cub'], 'behind': ['emoji'], 'losses': 2}}
    """
    found = {}
    for network in NETWORKS:
        lines = board[(board["network"] == network) & (board["metric"] == metric)]
        mine = lines[lines["loss"] == loss].set_index("data")["standing"]
        if len(mine):
            behind = (mine == "behind").to_numpy()
            found[network] = {"good": [*mine.index[~behind]], "behind": [*mine.index[behind]], "losses": lines["loss"].nunique()}
    return found


def told(board: pd.DataFrame, loss: str, metric: str) -> str:
    """`standing` in sentences, one a network; empty if the loss is not on the board."""
    return " ".join(_sentence(network, metric, one) for network, one in standing(board, loss, metric).items())


def short(board: pd.DataFrame, loss: str, metric: str = "mAP@R") -> str:
    """`standing` in a cell of a table."""
    parts = [
        f"{'head' if network == 'head' else 'pixels'} {len(one['good'])} of {len(one['good']) + len(one['behind'])}"
        for network, one in standing(board, loss, metric).items()
    ]
    return ", ".join(parts)


def _sentence(network: str, metric: str, one: dict[str, Any]) -> str:
    total = len(one["good"]) + len(one["behind"])
    good, bad = ([SETS.get(name, name) for name in one[part]] for part in ("good", "behind"))
    where = f" ({listed(good)})" if good else ""
    behind = f", behind on {listed(bad)}" if bad else ""
    sets = "set" if total == 1 else "sets"
    return (
        f"With {NETWORKS[network]}, of {one['losses']} losses by {shown(metric)}: best or tied with the best on "
        f"{len(one['good'])} of {total} {sets}{where}{behind}."
    )


def shown(metric: str) -> str:
    """The metric of a stored table as the pages name it."""
    return METRICS.get(metric, metric)


def listed(names: list[str]) -> str:
    """Names in a sentence.

    >>> from rankbook.advice.board import listed
    >>> listed(["emoji", "birds", "captions"])
    'emoji, birds and captions'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
