"""Small pictures with one thing in a tight box: emoji pasted on photographs, and blobs on a texture that has their color too."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from rankbook.datasets import emoji

SIZE = 32  # pixels a side
THING = 24  # of the longer side of an emoji
PARTS = ("train", "validation", "test")
#: An emoji whose drawing fills less or more of its box is not taken: of a line little is left, and of a square the box tells all.
FILLED = (0.3, 0.75)
#: How far the two colors of a texture are from that of the blob.
AWAY = (0.25, 0.6)


class Scenes(NamedTuple):
    """n pictures.

    images: ``[n, 3, SIZE, SIZE]``, red, green and blue from 0 to 1
    masks: ``[n, SIZE, SIZE]``, truth values: the pixels of the thing; they judge, no loss sees them
    boxes: ``[n, 4]``, left, top, right, bottom of the mask, in pixels
    """

    images: Tensor
    masks: Tensor
    boxes: Tensor


def pasted_emoji(part: str, seed: int, n: int) -> Scenes:
    """Emoji of one split, on crops of the two photographs that scikit-learn carries.

    Validation and training have the left halves of the photographs, the test the right ones.

    Raises:
        ImportError: scikit-learn is not there.
    """
    return _pasted(np.random.default_rng((seed, PARTS.index(part))), part, n, strips=2, strip=int(part == "test"))


def emoji_apart(part: str, seed: int, n: int) -> Scenes:
    """`pasted_emoji` where training and validation share no ground either: each split has a third of the photographs, left to right."""
    place = PARTS.index(part)
    return _pasted(np.random.default_rng((seed, place, 2)), part, n, strips=len(PARTS), strip=place)


def _pasted(draw: np.random.Generator, part: str, n: int, *, strips: int, strip: int) -> Scenes:
    """On crops of one of the upright strips, of one width, that the photographs are cut into."""
    cutouts, masks_of = _cutouts(part)
    grounds = _photographs()
    images, masks = np.empty((n, SIZE, SIZE, 3)), np.empty((n, SIZE, SIZE), bool)
    for i, which in enumerate(draw.choice(len(cutouts), n, replace=False)):
        ground = grounds[draw.integers(len(grounds))]
        wide = ground.shape[1] // strips
        top = draw.integers(ground.shape[0] - SIZE + 1)
        left = draw.integers(wide - SIZE + 1) + strip * wide
        down, right = draw.integers(2, SIZE - THING - 1, 2)
        whole = np.zeros((SIZE, SIZE), bool)
        whole[down : down + THING, right : right + THING] = masks_of[which]
        images[i] = ground[top : top + SIZE, left : left + SIZE]
        images[i][whole] = cutouts[which][masks_of[which]]
        masks[i] = whole
    return _scenes(images, masks)


def textured_blobs(part: str, seed: int, n: int) -> Scenes:
    """Star-shaped blobs of one color on patches of two, one of which is nearly theirs; a shade across, and noise.

    Two mean colors do not part such a picture; its edges do.
    """
    draw = np.random.default_rng((seed, PARTS.index(part), 1))
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    images, masks = np.empty((n, SIZE, SIZE, 3)), np.empty((n, SIZE, SIZE), bool)
    waves = np.arange(1, 6)
    for i in range(n):
        size, phase = draw.normal(0, 0.22, 5) / np.sqrt(waves), draw.uniform(0, 2 * np.pi, 5)
        down, right = draw.uniform(14, 18, 2)
        angle = np.arctan2(y - down, x - right)
        radius = 9 * np.exp((size * np.cos(waves * angle[..., None] + phase)).sum(-1) - 0.1)
        masks[i] = np.hypot(y - down, x - right) < np.clip(radius, 3, 13)
        thing = draw.uniform(0.2, 0.8, 3)
        near, far = (np.clip(thing + step * _direction(draw), 0, 1) for step in AWAY)
        patches = ndimage.gaussian_filter(draw.normal(size=(SIZE, SIZE)), 2) > 0
        images[i] = np.where(patches[..., None], near, far)
        images[i][masks[i]] = thing
        shade = 0.1 * ((x - SIZE / 2) * np.cos(phase[0]) + (y - SIZE / 2) * np.sin(phase[0])) / SIZE
        images[i] += shade[..., None] + draw.normal(0, 0.04, images[i].shape)
    return _scenes(images.clip(0, 1), masks)


def _direction(draw: np.random.Generator) -> np.ndarray:
    step = draw.normal(size=3)
    return step / np.linalg.norm(step)


def _scenes(images: np.ndarray, masks: np.ndarray) -> Scenes:
    sides = []
    for axis in (1, 2):  # columns are left over, then rows
        there = masks.any(axis)
        sides.append((there.argmax(1), SIZE - there[:, ::-1].argmax(1)))
    (left, right), (top, bottom) = sides
    boxes = np.stack([left, top, right, bottom], 1)
    return Scenes(torch.from_numpy(images.transpose(0, 3, 1, 2)).float(), torch.from_numpy(masks), torch.from_numpy(boxes).float())


@lru_cache(maxsize=3)
def _cutouts(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Drawings ``[m, THING, THING, 3]`` and their masks, of the emoji that are of one piece and neither too thin nor too full."""
    pictures = emoji(split, "images").inputs.numpy().transpose(0, 2, 3, 1)
    found = [cut for cut in map(_cutout, pictures) if cut is not None]
    return np.stack([thing for thing, _ in found]), np.stack([mask for _, mask in found])


def _cutout(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Cut from the white around it, less one pixel that is mixed with white, and halved to THING pixels."""
    white = (picture > 250).all(-1)
    pieces, _ = ndimage.label(np.pad(white, 1, constant_values=True))
    mask = ndimage.binary_erosion((pieces != pieces[0, 0])[1:-1, 1:-1])
    pieces, count = ndimage.label(mask)
    areas = np.bincount(pieces.ravel())[1:]
    if count == 0 or areas.max() < 0.95 * areas.sum():
        return None
    mask = pieces == 1 + areas.argmax()

    def halved(values: np.ndarray) -> np.ndarray:
        return values.reshape(THING, 2, THING, 2, -1).sum((1, 3))

    cover = halved(mask.astype(float))
    thing = halved(picture / 255 * mask[..., None]) / cover.clip(1)
    mask = ndimage.binary_opening(cover[..., 0] >= 2)
    if ndimage.label(mask)[1] != 1:
        return None
    box = mask[np.ix_(mask.any(1), mask.any(0))]
    return (thing, mask) if FILLED[0] <= box.mean() <= FILLED[1] and min(box.shape) >= THING // 2 else None


@lru_cache(maxsize=1)
def _photographs() -> list[np.ndarray]:
    """The two photographs that come with scikit-learn, a fourth as wide and high, colors from 0 to 1."""
    try:
        from sklearn.datasets import load_sample_images
    except ImportError as error:
        raise ImportError(
            "the photographs under the emoji come with scikit-learn, which is not installed; pip install scikit-learn"
        ) from error
    found = []
    for photograph in load_sample_images().images:
        height, width = (side // 4 * 4 for side in photograph.shape[:2])
        found.append(photograph[:height, :width].reshape(height // 4, 4, width // 4, 4, 3).mean((1, 3)) / 255)
    return found
