"""`rankbook.experiments.studies.many_views` with four designs of an emoji: a tensor of 331,776 tuples, so that a batch holds 24 emoji.

Grids as there, a little smaller; M3G's cost grows as its epsilon shrinks, to a minute and a half a training at 0.025.
"""

from dataclasses import replace

from rankbook.experiments.studies import many_views
from rankbook.experiments.studies.many_views import contenders
from rankbook.experiments.tasks.many_views import ManyViews

STUDY = replace(
    many_views.STUDY,
    name="many_views_four",
    question="Does a loss of whole tuples gain on losses of pairs when there are four views?",
    task=ManyViews(views=4, items=24),
    contenders=contenders(epsilon=(0.025, 0.035, 0.05, 0.07)),
    grid={"lr": (3e-4, 1e-3, 3e-3, 1e-2)},
)
