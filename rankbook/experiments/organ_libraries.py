"""Recommenders of maintained libraries for organs: what each is told of the known outcomes, and what it says of all pairs.

Each is ``recommender(world, *, steps, seed, **knobs)`` and gives scores of all organs and patients ``[m, n]``, those of new organs too.
``steps`` are its passes over the known outcomes, its draws or its trees. No library is loaded before it is asked for.
"""

from __future__ import annotations

import warnings
from functools import partial
from importlib import import_module
from types import ModuleType

import numpy as np
import torch
from scipy import sparse

from rankbook.experiments.parts import Contender
from rankbook.experiments.tasks.kidneys import DEVIATION, MEAN, World


def library(name: str, package: str) -> ModuleType:
    """A module of an optional package.

    Args:
        name, package: what is imported, and what pip calls it.

    Raises:
        ModuleNotFoundError: it is missing, or something that it imports.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # myfm asks an old part of setuptools for its version, which warns
            return import_module(name)
    except ModuleNotFoundError as error:
        message = f"this recommender needs {package} (there is no {error.name}); try `pip install 'rankbook[cases]' 'setuptools<81'`"
        raise ModuleNotFoundError(message, name=error.name) from error


def known(world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all known outcomes the organ, the patient, and the outcome in deviations."""
    organs = world.rows["train"].repeat_interleave(world.seen.shape[1])
    return organs.numpy(), world.seen.flatten().numpy(), ((world.outcome.flatten().double() - MEAN) / DEVIATION).numpy()


def pair_columns(world: World) -> np.ndarray:
    """What is known of every pair ``[m, n, f + g + 1]``: the columns of the organ, those of the patient, the old score."""
    m, n = world.score.shape
    sides = world.organs[:, None].expand(-1, n, -1), world.patients.expand(m, -1, -1)
    return torch.cat([*sides, world.score[:, :, None]], 2).double().numpy()


def hybrid(world: World, *, steps: int, seed: int, by: str, factors: int, decay: float) -> np.ndarray:
    """LightFM: an organ, or a patient, is the sum of its own factors and those of its columns. Liked: an outcome above the organ's mean.

    It has no place for what is known of a pair, and does without the old score.
    """
    lightfm = library("lightfm", "lightfm-next")
    (m, n), past = world.score.shape, len(world.seen)
    columns = {
        "user_features": sparse.hstack([sparse.eye(m, past), world.organs.numpy()], format="csr", dtype=np.float32),
        "item_features": sparse.hstack([sparse.eye(n), world.patients.numpy()], format="csr", dtype=np.float32),
    }
    organs, patients, _ = known(world)
    liked = np.where(world.outcome > world.outcome.mean(1, keepdim=True), 1, -1).flatten()
    told = sparse.coo_matrix((liked, (organs, patients)), shape=(m, n), dtype=np.float32)
    model = lightfm.LightFM(loss=by, no_components=factors, user_alpha=decay, item_alpha=decay, random_state=seed)
    model.fit(told, **columns, epochs=steps)
    return model.predict(*np.indices((m, n), dtype=np.int32).reshape(2, -1), **columns).reshape(m, n)


def collective(world: World, *, steps: int, seed: int, factors: int, decay: float, side: float) -> np.ndarray:
    """cmfrec's CMF: factors that make the outcomes also make the columns, so those of a new organ follow from its columns.

    It has no place for what is known of a pair either; it is given what a line through the old score leaves of the outcomes. A sweep
    solves for all factors in turn; a fifth as many as ``steps`` do.
    """
    cmfrec = library("cmfrec", "cmfrec")
    (m, n), past = world.score.shape, len(world.seen)
    organs, patients, outcome = known(world)
    old = world.score.double().numpy()
    slope, level = np.polyfit(old[organs, patients], outcome, 1)
    rest = sparse.coo_matrix((outcome - level - slope * old[organs, patients], (organs, patients)), shape=(past, n))
    options = {"niter": steps // 5, "w_user": side, "w_item": side, "use_cg": False, "random_state": seed, "nthreads": 1}
    model = cmfrec.CMF(k=factors, lambda_=decay, **options)
    model.fit(rest, U=world.organs[:past].numpy(), I=world.patients.numpy())
    pairs = np.indices((m, n)).reshape(2, m, n)
    seen = model.predict(pairs[0, :past].flatten(), pairs[1, :past].flatten())
    new = model.predict_cold_multiple(pairs[1, past:].flatten(), U=world.organs[past:].repeat_interleave(n, 0).numpy())
    return level + slope * old + np.concatenate([seen, new]).reshape(m, n)


def bayesian_machine(world: World, *, steps: int, seed: int, rank: int, start: float) -> np.ndarray:
    """myFM: a factorization machine of the pair's columns, the organ and the patient; the mean of the second half of its Gibbs draws."""
    myfm = library("myfm", "myfm")
    (m, n), past = world.score.shape, len(world.seen)
    sides = [
        sparse.hstack([sparse.eye(m, past), world.organs.double().numpy()], format="csr"),
        sparse.hstack([sparse.eye(n), world.patients.double().numpy()], format="csr"),
    ]

    def told(*pairs: np.ndarray) -> tuple[np.ndarray, list]:
        """The old score of pairs, and which rows of either side they join."""
        blocks = [myfm.RelationBlock(rows.tolist(), side) for rows, side in zip(pairs, sides, strict=True)]
        return world.score.double().numpy()[pairs][:, None], blocks

    *pairs, outcome = known(world)
    model = myfm.MyFMRegressor(rank=rank, init_stdev=start, random_seed=seed)
    groups = [1, past, world.organs.shape[1], n, world.patients.shape[1]]
    score, blocks = told(*pairs)
    model.fit(score, outcome, blocks, n_iter=steps, n_kept_samples=steps // 2, group_shapes=groups)
    return model.predict(*told(*np.indices((m, n)).reshape(2, -1))).reshape(m, n)


def boosted_trees(world: World, *, steps: int, seed: int, rate: float, leaves: int, least: int) -> np.ndarray:
    """scikit-learn's gradient boosting of the squared error on the pair's columns and the patient's level."""
    ensemble = library("sklearn.ensemble", "scikit-learn")
    trees = ensemble.HistGradientBoostingRegressor(
        learning_rate=rate, max_iter=steps, max_leaf_nodes=leaves, min_samples_leaf=least, early_stopping=False, random_state=seed
    )
    inside, rows = with_levels(world, seed)
    return trees.fit(inside, known(world)[2]).predict(rows).reshape(world.score.shape)


def lambda_mart(world: World, *, steps: int, seed: int, rate: float, leaves: int, least: int) -> np.ndarray:
    """LightGBM's LambdaMART for the NDCG of the first 10, on the pair's columns and the patient's level.

    Relevance is, as in the metric, how many deviations an outcome lies above the organ's worst known one, here in tenths.
    """
    lightgbm = library("lightgbm", "lightgbm")
    inside, rows = with_levels(world, seed)
    tenths = ((world.outcome - world.outcome.amin(1, keepdim=True)) / DEVIATION * 10).round().int().flatten().numpy()
    options = {"learning_rate": rate, "num_leaves": leaves, "min_child_samples": least, "lambdarank_truncation_level": 10}
    trees = lightgbm.LGBMRanker(
        n_estimators=steps,
        label_gain=[2 ** (i / 10) - 1 for i in range(tenths.max() + 1)],
        **options,
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )
    trees.fit(inside, tenths, group=[world.seen.shape[1]] * len(world.seen))
    return trees.predict(rows).reshape(world.score.shape)


def with_levels(world: World, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`pair_columns` and the level of the patient, by a ridge on who it is: of the known pairs, and of all.

    Of a known pair it is the level by other folds: its own outcome is not in it.
    """
    pipeline, preprocessing, linear, selection = (
        library(f"sklearn.{part}", "scikit-learn") for part in ("pipeline", "preprocessing", "linear_model", "model_selection")
    )
    organs, patients, outcome = known(world)
    columns, everyone = pair_columns(world), np.arange(len(world.patients))[:, None]
    level = pipeline.make_pipeline(preprocessing.OneHotEncoder(categories=[everyone[:, 0]]), linear.Ridge(3.0))
    folds = selection.KFold(5, shuffle=True, random_state=seed)
    inside = selection.cross_val_predict(level, patients[:, None], outcome, cv=folds)
    whole = np.tile(level.fit(patients[:, None], outcome).predict(everyone), len(columns))
    return np.column_stack([columns[organs, patients], inside]), np.column_stack([columns.reshape(len(whole), -1), whole])


#: The arms of the studies; each has 24 settings of its own.
CONTENDERS = {
    "LightFM": Contender(
        partial(partial, hybrid), {"by": ("logistic", "bpr", "warp"), "factors": (4, 16), "decay": (0.003, 0.01, 0.03, 0.1)}
    ),
    "CMF": Contender(partial(partial, collective), {"factors": (8, 16), "decay": (0.1, 0.3, 1.0, 3.0), "side": (0.1, 0.3, 1.0)}),
    "myFM": Contender(partial(partial, bayesian_machine), {"rank": (4, 6, 8, 12, 16, 24), "start": (0.03, 0.1, 0.2, 0.4)}),
    "boosted trees": Contender(
        partial(partial, boosted_trees), {"rate": (0.12, 0.24, 0.48, 0.96), "leaves": (4, 8, 16), "least": (10, 30)}
    ),
    "LambdaMART": Contender(partial(partial, lambda_mart), {"rate": (0.03, 0.06, 0.12, 0.24), "leaves": (16, 32, 64), "least": (40, 80)}),
}
