"""SoDeep's sorters: recurrent, convolutional and fully connected networks, which see their input in an order."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankbook.checks import check_count, check_flag
from rankbook.sorters.sorter import Sorter, push_absent_below, standardize

_CHANNELS = (1, 8, 16, 32, 64, 96, 128, 256, 256, 128)
_KERNELS = (2, 3, 5, 7, 10, 7, 5, 3, 3)
_SHRINK = sum(_KERNELS) - len(_KERNELS)  # items that the convolutions without padding eat


class _OrderedSorter(Sorter):
    """A network that reads the scores as a sequence.

    Items outside ``where`` go below all others, evenly spaced. The ranks that the network says are shares of n.
    """

    def __init__(self, n: int | None, standardized: bool):
        super().__init__()
        self.length = n
        self.standardized = check_flag("standardized", standardized)

    def train(self, mode: bool = True) -> _OrderedSorter:
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.RNNBase):
                part.training = True  # without dropout the numbers are the same, and cuDNN has a backward pass in this mode only
        return self

    def rank_lists(self, scores: Tensor, present: Tensor | None) -> Tensor:
        scores = push_absent_below(scores, present)
        if self.standardized:
            scores = standardize(scores, None)
        return scores.shape[-1] * self.shares(scores)

    def shares(self, scores: Tensor) -> Tensor:
        """Ranks / n ``[lists, n]`` of scores ``[lists, n]``."""
        raise NotImplementedError


class BiLSTMSorter(_OrderedSorter):
    """SoDeep's LSTM: a bidirectional LSTM over the scores, then one affine map of all its states to all ranks.

    Args:
        n: number of items, fixed.
        hidden, layers: of the LSTM. The released code has 512 and 2 (18.6 million weights at n = 100), and 128 in its small form.
        standardized: see scores of mean 0 and deviation 1 instead of the raw ones, as the paper's does not.

    Not equivariant: another order of the same scores gets other ranks (the chapter on learned sorters measures how other).

    Cost: n steps one after the other; the affine map has :math:`2 n^2 \\cdot \\text{hidden}` weights.

    Source: SoDeep (CVPR 2019), section 3.1.1; sizes from its released code.

    >>> rb.BiLSTMSorter(n=10, hidden=8)(torch.randn(3, 10)).shape
    torch.Size([3, 10])
    """

    def __init__(self, n: int = 100, hidden: int = 64, layers: int = 2, standardized: bool = False):
        n, hidden, layers = check_count("n", n), check_count("hidden", hidden), check_count("layers", layers)
        super().__init__(n, standardized)
        self.lstm = nn.LSTM(1, hidden, layers, batch_first=True, bidirectional=True)
        self.read = nn.Linear(2 * n * hidden, n)

    def shares(self, scores: Tensor) -> Tensor:
        return self.read(self.lstm(scores.unsqueeze(-1))[0].flatten(1))


class BiGRUSorter(_OrderedSorter):
    """SoDeep's GRU: a bidirectional GRU, its states at an item read off by weights that all places share.

    Args:
        hidden, layers: of the GRU; the released code has 32 and 6.
        standardized: see scores of mean 0 and deviation 1.

    Any number of items. Not equivariant.

    Cost: n steps one after the other.

    Source: the GRU variants of SoDeep's released code, which the paper does not report.

    >>> rb.BiGRUSorter(hidden=8)(torch.randn(3, 10)).shape
    torch.Size([3, 10])
    """

    def __init__(self, hidden: int = 32, layers: int = 2, standardized: bool = True):
        super().__init__(None, standardized)
        hidden, layers = check_count("hidden", hidden), check_count("layers", layers)
        self.gru = nn.GRU(1, hidden, layers, batch_first=True, bidirectional=True)
        self.read = nn.Linear(2 * hidden, 1)

    def shares(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(self.read(self.gru(scores.unsqueeze(-1))[0]).squeeze(-1))


class ConvSorter(_OrderedSorter):
    """SoDeep's CNN: nine convolutions without padding, then one affine map to all ranks and a sigmoid.

    Args:
        n: number of items, fixed; more than 36, which the convolutions eat.
        standardized: see scores of mean 0 and deviation 1 instead of the raw ones, as the paper's does not.

    Not equivariant.

    Cost: :math:`O(n)` convolutions; 1.4 million weights at n = 100.

    Source: SoDeep (CVPR 2019), section 3.1.1; channels and kernels from its released code.

    >>> rb.ConvSorter(n=100)(torch.randn(3, 100)).shape
    torch.Size([3, 100])
    """

    def __init__(self, n: int = 100, standardized: bool = False):
        n = check_count("n", n)
        if n <= _SHRINK:
            raise ValueError(f"n must be more than {_SHRINK}, which the convolutions eat, got {n}")
        super().__init__(n, standardized)
        layers = []
        for place, kernel in enumerate(_KERNELS):
            layers.append(nn.Conv1d(_CHANNELS[place], _CHANNELS[place + 1], kernel))
            if place % 2:  # after the second, fourth ... convolution
                layers.append(nn.BatchNorm1d(_CHANNELS[place + 1]))
            layers.append(nn.PReLU())
        self.layers = nn.Sequential(*layers)
        self.read = nn.Linear(_CHANNELS[-1] * (n - _SHRINK), n)

    def shares(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(self.read(self.layers(scores.unsqueeze(1)).flatten(1)))


class MLPSorter(_OrderedSorter):
    """SoDeep's perceptron: two hidden layers with ReLU, from all scores to all ranks.

    Args:
        n: number of items, fixed.
        hidden: width; the released code has 2048.
        standardized: see scores of mean 0 and deviation 1 instead of the raw ones.

    Not equivariant.

    Cost: two matrix products.

    Source: the released code of SoDeep, which the paper does not report.

    >>> rb.MLPSorter(n=10, hidden=32)(torch.randn(3, 10)).shape
    torch.Size([3, 10])
    """

    def __init__(self, n: int = 100, hidden: int = 2048, standardized: bool = False):
        n, hidden = check_count("n", n), check_count("hidden", hidden)
        super().__init__(n, standardized)
        self.layers = nn.Sequential(nn.Linear(n, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, n))

    def shares(self, scores: Tensor) -> Tensor:
        return self.layers(scores)
