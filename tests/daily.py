"""Other places and other lines every day: over time all of them are tried, in seconds a run.

The day is the seed. To draw those of a failure again: ``RANKBOOK_SEED=20261126 pytest ...``; a failed test prints it.
"""

import datetime
import os
import random

SEED = int(os.environ.get("RANKBOOK_SEED") or datetime.date.today().strftime("%Y%m%d"))


def dice(name: str) -> random.Random:
    """The dice of one test, so that none depends on which others ran."""
    print(f"RANKBOOK_SEED={SEED}")
    return random.Random(f"{SEED} {name}")
