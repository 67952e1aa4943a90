"""How many pictures with a label a random batch holds, and how good a random ranking looks there."""

from __future__ import annotations

from functools import lru_cache
from math import comb
from typing import Any

from rankbook.live.figure import LiveFigure
from rankbook.live.traits import whole

SHOWN = 6  # bars: 0 to 5 positives, then more


class BatchPositives(LiveFigure, module="batch_positives"):
    """Change the size of the batch or the frequency of the label: the chance of a batch without a positive, and the AP of chance.

    Traits:
        pictures: in the set, from 2,048 to 100,000.
        positives: those that have the label, from 1 to 1,024.
        size: of a batch drawn without replacement, from 2 to 1,024.
    """

    pictures = whole(8000, 2048, 10**5)
    positives = whole(80, 1, 1024)
    size = whole(64, 2, 1024)

    def readout(self) -> dict[str, Any]:
        """The hypergeometric distribution, and the expected AP of a random order, in the batches that have a positive and in the set."""
        n, m, b = self.pictures, self.positives, self.size
        ways, batches, shares = comb(n - m, b), comb(n, b), []
        for k in range(min(m, b) + 1):
            shares.append(ways / batches)
            ways = ways * (m - k) * (b - k) // ((k + 1) * (n - m - b + k + 1))  # exact: C(m, k + 1) C(n - m, b - k - 1)
        batch = sum(share * ap_of_chance(k, b) for k, share in enumerate(shares) if k) / (1 - shares[0])
        first = (shares + [0.0] * SHOWN)[:SHOWN]
        return {
            "pictures": n,
            "positives": m,
            "size": b,
            "shares": [*first, max(0.0, sum(shares[SHOWN:]))],
            "none": shares[0],
            "expected": b * m / n,
            "chance_batch": batch,
            "chance_all": ap_of_chance(m, n),
        }

    def describe(self) -> str:
        now = self.readout()
        return (
            f"{self.positives} of {self.pictures} pictures have a label. A random batch of {self.size} holds {now['expected']:.2g} "
            f"of them, {now['none']:.0%} of the batches none. In the others a random ranking has AP {now['chance_batch']:.3f}, in the set "
            f"{now['chance_all']:.3f}."
        )


def ap_of_chance(positives: int, n: int) -> float:
    """The expected AP of a random order: (H + (n - H) (m - 1) / (n - 1)) / n, where H is the harmonic number of n."""
    harmonic = _harmonic(n)
    return (harmonic + (n - harmonic) * (positives - 1) / (n - 1)) / n


@lru_cache(maxsize=64)
def _harmonic(n: int) -> float:
    return sum(1 / place for place in range(1, n + 1))
