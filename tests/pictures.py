"""A small folder of photographs, for those who test what reads one: emoji drawn by several designers, a folder a class."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import rankbook as rb

GROUPS = ("animals-nature", "food-drink")


def write_pictures(root: Path, *, classes: int = 4, nested: bool = False, endings: tuple[str, ...] = (".png", ".jpg", ".webp")) -> Path:
    """``classes`` classes of each of two groups, one file a style, in formats that take turns."""
    data = rb.datasets.emoji("all", "images")
    for group in GROUPS:
        table = data.table[data.table["group"] == group]
        for name in table["name"].unique()[:classes]:
            folder = root / group / name if nested else root / name
            folder.mkdir(parents=True, exist_ok=True)
            for place, (row, style) in enumerate(table.loc[table["name"] == name, "style"].items()):
                picture = Image.fromarray(data.inputs[row].permute(1, 2, 0).numpy())
                picture.save(folder / f"{style}{endings[place % len(endings)]}", quality=90)
    return root
