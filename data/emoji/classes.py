"""The classes of the archive, the families of classes that look alike, and the split that keeps families together."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

SPLITS = {"train": 0.50, "validation": 0.15, "test": 0.35}
SEED = "rankbook emoji 1"
# Two drawings of one style count as the same below this root mean square difference of pixel values (0 to 255).
# Above it lie true differences, such as a man and a woman on the same bicycle.
SAME_DRAWING = 10.0
LEFT_OUT = {"component", "flags"}  # skin tones and letters are no objects; flags are one design drawn by everybody


def read_classes(emojibase: Path) -> pd.DataFrame:
    """One row per base emoji, in Unicode order: hexcode, emoji, name, keywords, subgroup, group."""
    emoji = json.loads((emojibase / "en" / "data.json").read_text("utf-8"))
    labels = json.loads((emojibase / "meta" / "groups.json").read_text("utf-8"))
    groups, subgroups = labels["groups"], labels["subgroups"]
    kept = [e for e in emoji if "group" in e and groups[str(e["group"])] not in LEFT_OUT]
    rows = [
        {
            "hexcode": e["hexcode"],
            "emoji": e["emoji"],
            "name": e["label"],
            "keywords": ", ".join(e.get("tags", [])),
            "subgroup": subgroups[str(e["subgroup"])],
            "group": groups[str(e["group"])],
        }
        for e in sorted(kept, key=lambda e: e["order"])
    ]
    return pd.DataFrame(rows).rename_axis("class").reset_index()


def families(labels: np.ndarray, styles: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The smallest class of each class's family [C]: classes joined by drawings that are the same in some style."""
    parent = np.arange(labels.max() + 1)

    def root(c: int) -> int:
        while parent[c] != c:
            c = parent[c]
        return c

    for style in dict.fromkeys(styles):
        rows = np.flatnonzero(styles == style)
        pixels = images[rows].reshape(len(rows), -1).astype(np.float64)
        squares = (pixels**2).sum(1)
        difference = (squares[:, None] + squares[None] - 2 * pixels @ pixels.T) / pixels.shape[1]
        for i, j in np.argwhere(np.triu(difference < SAME_DRAWING**2, 1)):
            a, b = sorted((root(labels[rows[i]]), root(labels[rows[j]])))
            parent[b] = a
    return np.array([root(c) for c in range(len(parent))])


def assign_splits(hexcodes: list[str], groups: list[str], family: np.ndarray) -> list[str]:
    """Stratified by group: each family, in an order drawn once, goes to the split that lacks most of its share.

    The order is that of a hash and not of a random generator, whose stream may change from version to version.
    """
    split = [""] * len(hexcodes)
    for group in dict.fromkeys(groups):
        heads = [c for c in np.unique(family) if groups[c] == group]
        members = {c: np.flatnonzero(family == c) for c in heads}
        total, placed = sum(map(len, members.values())), dict.fromkeys(SPLITS, 0)
        # Large families first: the small ones then even out the shares.
        heads.sort(key=lambda c: (-len(members[c]), hashlib.sha256(f"{SEED} {hexcodes[c]}".encode()).digest()))
        for c in heads:
            lacking = max(SPLITS, key=lambda name: SPLITS[name] - placed[name] / total)
            placed[lacking] += len(members[c])
            for member in members[c]:
                split[member] = lacking
    return split
