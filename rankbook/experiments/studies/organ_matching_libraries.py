"""`organ_matching` for recommenders of libraries, in the same worlds: its seeds, and as many settings.

The grids were placed on the tuning worlds of misfit 3, in three turns, until most best values lay inside; the test worlds were read once.
"""

from rankbook.experiments.organ_libraries import CONTENDERS
from rankbook.experiments.parts import SIMULATED
from rankbook.experiments.study import Study
from rankbook.experiments.tasks.organs import OrganLibraries


def study(name: str, misfit: float, arms: tuple[str, ...] = tuple(CONTENDERS)) -> Study:
    """The same question in a world of another misfit."""
    return Study(
        name=name,
        question="Which recommender of a library recommends the best patients for new organs?",
        task=OrganLibraries(misfit=misfit),
        contenders={arm: CONTENDERS[arm] for arm in arms},
        grid={},
        steps=100,
        choose_by="NDCG@10",
        reference="CMF",
        tuning_seeds=(100, 101),
        test_seeds=tuple(range(8)),
        data=SIMULATED,
        chapter="organ_matching",
    )


STUDY = study("organ_matching_libraries", misfit=3.0)
