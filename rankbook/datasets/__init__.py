"""Data sets as `Samples`: the bundled emoji, each drawn by several designers; your own folder of pictures; and a reader of lists."""

from rankbook.datasets.emoji import emoji
from rankbook.datasets.features import features
from rankbook.datasets.folder import ImageFiles, image_folder
from rankbook.datasets.samples import Samples
from rankbook.datasets.svmlight import svmlight

__all__ = ["ImageFiles", "Samples", "emoji", "features", "image_folder", "svmlight"]
