"""nbval passes over pictures; with ``pytest -p nbval_pictures --nbval`` a stored one must look like the one that its cell draws now.

Not to the byte: stored pictures have a palette of 256 colors, and another machine may round a glyph elsewhere. Both are laid on white
and shrunk to fields; hardly any field may differ by more than the eye would pass over.
"""

import base64
import io
from typing import Any

from nbval.plugin import IPyNbCell
from PIL import Image, ImageChops

FIELDS = (120, 90)
FIELD_DIFFERS = 24  # of 255, in one channel
FIELDS_MAY_DIFFER = 0.002  # of all: some twenty

compare_the_rest = IPyNbCell.compare_outputs


def pictures(outputs: list[Any]) -> list[Image.Image]:
    data = [output.get("data", {}).get("image/png") for output in outputs]
    return [Image.open(io.BytesIO(base64.b64decode("".join(png)))).convert("RGBA") for png in data if png]


def look_alike(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures of nearly one size show the same."""
    if any(abs(a - b) > 0.02 * max(a, b) for a, b in zip(one.size, other.size, strict=True)):
        return False
    difference = ImageChops.difference(fields(one), fields(other)).split()
    peaks = ImageChops.lighter(ImageChops.lighter(difference[0], difference[1]), difference[2]).histogram()
    return sum(peaks[FIELD_DIFFERS + 1 :]) <= FIELDS_MAY_DIFFER * FIELDS[0] * FIELDS[1]


def fields(picture: Image.Image) -> Image.Image:
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB").resize(FIELDS, Image.Resampling.BOX)


def compare_outputs(self: IPyNbCell, test: list[Any], ref: list[Any], skip_compare: Any = None) -> bool:
    if not compare_the_rest(self, test, ref, skip_compare):
        return False
    now, stored = pictures(test), pictures(ref)
    if len(now) == len(stored) and all(map(look_alike, now, stored)):
        return True
    self.comparison_traceback.append("the stored picture is not the one that the cell draws: run `make notebooks`, and look at it")
    return False


IPyNbCell.compare_outputs = compare_outputs
