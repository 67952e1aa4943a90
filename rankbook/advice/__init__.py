"""Which loss? Questions, rules and facts as data, with the stored evidence beside them; a live figure and Python evaluate the same rules.

>>> from rankbook.advice import START, advise, pack
>>> from rankbook.experiments.tables import stored_table
>>> book = pack(stored_table("evidence"), stored_table("bench_cuda"), stored_table("leaderboard"))
>>> advise(book, {**START, "metric": "H-AP", "graded": "yes"})["loss"]
'SupHAPLoss'
"""

from rankbook.advice.answer import advise, find, pack
from rankbook.advice.board import standing, told
from rankbook.advice.losses import LOSSES, rows
from rankbook.advice.questions import QUESTIONS, START
from rankbook.advice.rules import NOTES, RULES

__all__ = ["LOSSES", "NOTES", "QUESTIONS", "RULES", "START", "advise", "find", "pack", "rows", "standing", "told"]
