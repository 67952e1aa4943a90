"""`rankbook.experiments.studies.many_views` on made data: of every training item one view, drawn at random, is another item's.

Pairs of views then agree for one item in three; no pair is worse than another. Validation and test have all views right.

A first pass had learning rates from 0.001 to 0.1, and three losses chose the last; the grid moved up, and the choices stayed.
"""

from dataclasses import replace

from rankbook.experiments.parts import SIMULATED
from rankbook.experiments.studies import many_views
from rankbook.experiments.studies.many_views import contenders
from rankbook.experiments.tasks.many_views import ManyViews, one_view_lost

STUDY = replace(
    many_views.STUDY,
    name="many_views_lost",
    question="Does a loss of whole tuples stand a lost view in every item better than losses of pairs?",
    task=ManyViews(load=one_view_lost, outputs=16, shared=False),
    contenders=contenders(epsilon=(0.1, 0.2, 0.4, 0.8), temperature=(0.3, 0.6, 1.2, 2.4)),
    grid={"lr": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1)},
    data=SIMULATED,
)
