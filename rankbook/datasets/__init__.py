"""Data sets as `Samples`: the bundled emoji, each drawn by several designers; your own folder; readers of public sets and of lists."""

from rankbook.datasets.coco_captions import coco_captions
from rankbook.datasets.cub import cub
from rankbook.datasets.emoji import emoji
from rankbook.datasets.fashion_mnist import fashion_mnist
from rankbook.datasets.features import features
from rankbook.datasets.flickr8k import flickr8k
from rankbook.datasets.folder import ImageFiles, image_folder
from rankbook.datasets.grocery import grocery
from rankbook.datasets.memorability import lamem, lnsim, videomem
from rankbook.datasets.movielens import movielens
from rankbook.datasets.samples import Samples
from rankbook.datasets.svmlight import svmlight
from rankbook.datasets.voc import voc

__all__ = [
    "ImageFiles",
    "Samples",
    "coco_captions",
    "cub",
    "emoji",
    "fashion_mnist",
    "features",
    "flickr8k",
    "grocery",
    "image_folder",
    "lamem",
    "lnsim",
    "movielens",
    "svmlight",
    "videomem",
    "voc",
]
