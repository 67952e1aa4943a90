"""Finds the drawing of an emoji in an icon set, renders it, and packs drawings into sprite sheets."""

import io
import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image


class IconSet:
    """The drawings of one style: SVG bodies by name, some of them aliases, and names by code point."""

    def __init__(self, package: Path):
        icons = json.loads((package / "icons.json").read_text("utf-8"))
        self.icons, self.aliases = icons["icons"], icons.get("aliases", {})
        self.width, self.height = icons["width"], icons["height"]
        self.names = json.loads((package / "chars.json").read_text("utf-8"))

    def find(self, hexcode: str, label: str) -> str | None:
        """The icon of an emoji: by code point where the set lists them, else by today's name."""
        name = self.names.get(hexcode.lower().replace("-fe0f", ""), _slug(label))
        return name if name in self.icons or name in self.aliases else None

    def svg(self, name: str, size: int) -> str:
        alias = self.aliases.get(name, {})
        icon = self.icons[alias.get("parent", name)]
        unknown = (alias.keys() - {"parent", "hFlip"}) | (icon.keys() - {"body", "width", "height", "hidden"})
        if unknown:
            raise ValueError(f"icon {name!r}: expected no transformation but hFlip, found {sorted(unknown)}")
        width, height = icon.get("width", self.width), icon.get("height", self.height)
        body = icon["body"]
        if alias.get("hFlip"):
            body = f'<g transform="translate({width} 0) scale(-1 1)">{body}</g>'
        # The default preserveAspectRatio centers the few drawings that are not square.
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="0 0 {width} {height}">{body}</svg>'


def _slug(label: str) -> str:
    letters = unicodedata.normalize("NFKD", label.lower().replace("’", "").replace("'", ""))
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")


def render(svg: str) -> np.ndarray:
    """An SVG on white, uint8 [size, size, 3]. System fonts are shut out: they differ between machines."""
    png = resvg_py.svg_to_bytes(svg_string=svg, background="white", skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))


def sprite_sheet(images: Sequence[np.ndarray], columns: int) -> bytes:
    """Square images, row by row, as one lossless WebP: flat colors pack well, and one file decodes faster than many."""
    size = images[0].shape[0]
    rows = -(-len(images) // columns)
    sheet = np.full((rows * size, columns * size, 3), 255, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        sheet[row * size : (row + 1) * size, column * size : (column + 1) * size] = image
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "webp", lossless=True, quality=100, method=4)
    return buffer.getvalue()
