"""Rebuilds the bundled emoji set from pinned packages. Usage: python data/emoji/prepare.py [--check]

Needs the packages of requirements-prepare.txt (an environment of its own), npm, and some 15 minutes on two cores.
With --check it builds into a temporary folder and compares the result with the committed files.
"""

import argparse
import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from classes import assign_splits, families, read_classes
from drawings import IconSet, render, sprite_sheet
from encode import compress, encode_images, encode_texts
from safetensors.numpy import save
from sources import EMOJIBASE, IMAGE_ENCODER, STYLES, TEXT_ENCODER, fetch_all
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
REGISTRY = HERE.parents[1] / "rankbook" / "datasets" / "emoji_sha256.txt"
COLUMNS = ["image", "class", "hexcode", "emoji", "name", "keywords", "subgroup", "group", "style", "icon", "license", "family", "split"]

SIZE = 48  # stored pixels
SHEET_COLUMNS = 41
ENCODER_SIZE = 176  # rendered anew for the encoder; the README has the measurement
DIMENSIONS = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed files and change nothing")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "rankbook-emoji", help="where packages are kept")
    options = parser.parse_args()

    files = build(fetch_all(options.cache))
    if options.check:
        different = [name for name, content in files.items() if _sha256(content) != _committed().get(name)]
        sys.exit(f"differ from the committed files: {', '.join(different)}" if different else 0)
    for name, content in files.items():
        write(HERE / name, content)
    record(files)


def build(packages: dict[str, Path]) -> dict[str, bytes]:
    """All files of the archive, by name."""
    classes = read_classes(packages[EMOJIBASE])
    drawings, images, large = draw(classes, packages)
    classes["family"] = families(drawings["class"].to_numpy(), drawings["style"].to_numpy(), images)
    classes["split"] = assign_splits(classes["hexcode"].tolist(), classes["group"].tolist(), classes["family"].to_numpy())
    table = drawings.merge(classes, on="class", how="left", validate="many_to_one")[COLUMNS]

    files = {"table.csv": table.to_csv(index=False, lineterminator="\n").encode()}
    for style in STYLES:
        files[f"{style.name}.webp"] = sprite_sheet(images[table["style"] == style.name], SHEET_COLUMNS)
    codes, scale = compress(encode_images(large, packages[IMAGE_ENCODER]), (table["split"] == "train").to_numpy(), DIMENSIONS)
    files["features.safetensors"] = save({"codes": codes, "scale": scale})
    texts = (classes["name"] + ": " + classes["keywords"]).tolist()
    files["texts.safetensors"] = save({"texts": encode_texts(texts, packages[TEXT_ENCODER]).astype(np.float16)})
    return files


def draw(classes: pd.DataFrame, packages: dict[str, Path]) -> tuple[pd.DataFrame, np.ndarray, list[np.ndarray]]:
    """Every style's drawing of every class: the rows of the table, the stored pixels, the encoder's pixels."""
    rows, images, large = [], [], []
    for style in STYLES:
        icons = IconSet(packages[style.package])
        for emoji in tqdm(classes.itertuples(), total=len(classes), desc=style.name):
            icon = icons.find(emoji.hexcode, emoji.name)
            if icon is None:
                continue
            rows.append({"image": len(rows), "class": emoji.Index, "style": style.name, "icon": icon, "license": style.license})
            images.append(render(icons.svg(icon, SIZE)))
            large.append(render(icons.svg(icon, ENCODER_SIZE)))
    return pd.DataFrame(rows), np.stack(images), large


def record(files: dict[str, bytes]) -> None:
    """Writes the checksums where the loader and the README keep them."""
    registry = "".join(f"{name} sha256:{_sha256(content)}\n" for name, content in files.items())
    write(REGISTRY, registry.encode())
    rows = "".join(f"| `{name}` | {len(content):,} | `{_sha256(content)}` |\n" for name, content in files.items())
    readme = HERE / "README.md"
    text, count = re.subn(
        r"(<!-- files -->\n).*?(<!-- /files -->)",
        lambda marks: f"{marks[1]}| file | bytes | sha256 |\n|---|---|---|\n{rows}{marks[2]}",
        readme.read_text("utf-8"),
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{readme}: expected one place between <!-- files --> and <!-- /files -->, found {count}")
    write(readme, text.encode())


def write(path: Path, content: bytes) -> None:
    """A reader never sees half a file: the rename is atomic."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _committed() -> dict[str, str]:
    """The registry's checksums of the committed files."""
    return dict(line.split(" sha256:") for line in REGISTRY.read_text().splitlines())


if __name__ == "__main__":
    main()
