"""Lists of queries in the SVMlight format: LETOR, MSLR-WEB, Yahoo's and Istella's sets."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rankbook.checks import check_count

#: Numbers that are read: 16 GiB; the largest public set has some 2.3e9. A damaged line may name feature 2,000,000,000.
_MOST = 1 << 32


class Queries(NamedTuple):
    """Items of queries, row by row: see `svmlight`."""

    features: Tensor
    relevance: Tensor
    query_ids: Tensor


def svmlight(path: str | PathLike[str], *, features: int | None = None, first: Literal[0, 1] = 1) -> Queries:
    """Read a file of the SVMlight format with query ids, a line an item.

    A line is a grade, a query and the features that are not 0: ``2 qid:1 1:0.5 7:2 # comment``.

    Args:
        path: of the file; ``.gz`` and ``.bz2`` are unpacked.
        features: how many there are, for a file whose last ones are 0 in all lines, such as a small validation set. None: up
            to the highest number in the file.
        first: number of the first feature, 1 as in the public sets, or 0. It is the same for all files of a set, so that a column
            means the same feature in each, and no file says it: a feature that is 0 in all lines is not in it.

    Returns:
        ``(features[m, d], relevance[m], query_ids[m])``, float32, float32 and int64, in the order of the file; `rankbook.pad_lists`
        makes lists of them.

    Cost: the time to read; all features in memory, those that are 0 too.

    Raises:
        ImportError: scikit-learn, whose reader this is, is not there.
        FileNotFoundError: no such file.
        ValueError: a line without ``qid:``, a line that is none of this format, an empty file, a value or a grade that is not finite,
            a grade below 0, a feature 0 unless ``first`` is 0, one beyond ``features``, more than 4 billion numbers.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.txt")
    ...     _ = path.write_text("2 qid:1 1:0.5 2:1\\n0 qid:1 2:0.25\\n1 qid:7 1:3 # a comment\\n")
    ...     data = rb.datasets.svmlight(path)
    >>> data.features.tolist(), data.relevance.tolist(), data.query_ids.tolist()
    ([[0.5, 1.0], [0.0, 0.25], [3.0, 0.0]], [2.0, 0.0, 1.0], [1, 1, 7])
    >>> x, where = rb.pad_lists(data.features, data.query_ids)
    >>> x.shape, where.tolist()
    (torch.Size([2, 2, 2]), [[True, True], [True, False]])
    """
    try:
        from sklearn.datasets import load_svmlight_file
    except ImportError:
        raise ImportError("svmlight needs scikit-learn, whose reader it uses; try pip install scikit-learn") from None
    first = check_count("first", first, at_least=0, at_most=1)
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must be a file of the SVMlight format, but there is none at {path}")
    try:
        matrix, relevance, query_ids = load_svmlight_file(
            str(path), query_id=True, n_features=features, zero_based=first == 0, dtype=np.float32
        )
    except (ValueError, OverflowError, EOFError, OSError, UnicodeDecodeError) as error:
        advice = " Does the set count its features from 0? Try first=0, for all its files" * (first == 1 and "index 0" in str(error))
        raise ValueError(
            f"path must be a file of the SVMlight format, a line an item: 2 qid:1 1:0.5 2:1; {path}: {error}{advice}"
        ) from error
    if matrix.shape[0] * matrix.shape[1] > _MOST:
        raise ValueError(f"path must be a file of dense features; {path} would have {matrix.shape[1]} for each of {matrix.shape[0]} items")
    if matrix.shape[0] == 0:
        raise ValueError(f"path must be a file with at least one item, got {path} with none")
    if len(query_ids) != matrix.shape[0]:
        raise ValueError(f"path must be a file whose lines all say qid:, got {path} with {matrix.shape[0]} lines and {len(query_ids)} ids")
    data = Queries(torch.from_numpy(matrix.toarray()), torch.from_numpy(relevance).float(), torch.from_numpy(query_ids).long())
    _refuse("a value that is not finite", ~data.features.isfinite().all(-1), path)
    _refuse("a grade that is not finite or below 0", ~(data.relevance.isfinite() & (data.relevance >= 0)), path)
    return data


def _refuse(what: str, bad: Tensor, path: Path) -> None:
    """Raise if an item is bad, with its number."""
    if bad.any():
        raise ValueError(
            f"path must be a file of finite values and grades of at least 0; item {int(bad.nonzero()[0])} of {path} has {what}"
        )
