"""Two small sets on disk in their public layouts, as features, and trainings of a few steps, for the tests of the gap."""

import numpy as np
import pytest

from rankbook.experiments.gap import training
from rankbook.experiments.gap.gradients import states, whole_gradient
from rankbook.experiments.gap.training import trained


@pytest.fixture(scope="session")
def birds(tmp_path_factory):
    """200 species with 6 items each, as features: directions in noise."""
    root = tmp_path_factory.mktemp("birds")
    g = np.random.default_rng(0)
    images = [f"{c:03}.Bird/{i}.jpg" for c in range(1, 201) for i in range(6)]
    features = np.repeat(g.normal(size=(200, 12)), 6, axis=0) + g.normal(size=(1200, 12))
    np.savez(root / "features_lite0.npz", image=images, X=features)
    return root


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """12 products in all three lists, as features."""
    root, g = tmp_path_factory.mktemp("shelf"), np.random.default_rng(0)
    centers, images, features = g.normal(size=(12, 8)), [], []
    for split, many in (("train", 6), ("val", 2), ("test", 3)):
        files = [(f"{split}/Fruit/{c}/{i}.jpg", c) for c in range(12) for i in range(many)]
        (root / f"{split}.txt").write_text("".join(f"{file}, {c}, {c}\n" for file, c in files))
        images += [file for file, _ in files]
        features += [centers[c] + g.normal(size=8) for _, c in files]
    (root / "classes.csv").write_text("head\n" + "".join(f"P{c},{c},C{c},{c}\n" for c in range(12)))
    np.savez(root / "features_lite0.npz", image=images, X=np.array(features))
    return root


@pytest.fixture
def short(monkeypatch):
    """Trainings of a few steps; what other tests trained is forgotten before and after."""
    cached = (trained, states, whole_gradient)
    monkeypatch.setattr(training, "ITEMS", 640)
    for one in cached:
        one.cache_clear()
    yield
    for one in cached:
        one.cache_clear()
