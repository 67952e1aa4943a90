"""The calibration map keeps every order and learns a curve for each query; the measures, against scikit-learn and loops."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score
from torch.testing import assert_close

import rankbook as rb
from modes import MODES


def trained_like(query_features=3, pieces=20, *, spread=3.0, seed=0, **knobs):
    """A map with random heights of very different sizes."""
    made = rb.MonotoneCalibration(query_features, pieces=pieces, generator=torch.Generator().manual_seed(seed), **knobs)
    with torch.no_grad():
        made.network[-1].weight.normal_(0, spread, generator=torch.Generator().manual_seed(seed + 1))
    return made


def by_loops(made, p, q):
    """The polygon through the heights of a query, one item after the other, in float64."""
    with torch.no_grad():
        heights = made.network(q).double().softmax(1).numpy()
    heights = (1 - made.floor) * heights + made.floor / made.pieces
    corners = np.linspace(0, 1, made.pieces + 1)
    return [np.interp(float(x), corners, np.concatenate([[0], row.cumsum()])) for x, row in zip(p, heights, strict=True)]


def test_by_interpolation():
    made, p, q = trained_like(), torch.rand(200, dtype=torch.float64), torch.randn(200, 3)
    p[:3] = torch.tensor([0.0, 0.5, 1.0])
    assert_close(made(p, q).detach(), torch.tensor(by_loops(made, p, q), dtype=torch.float64), rtol=0, atol=1e-6)


def test_it_starts_as_the_identity():
    p = torch.rand(50)
    assert_close(rb.MonotoneCalibration(3)(p, torch.randn(50, 3)), p, rtol=0, atol=1e-6)
    assert_close(trained_like(floor=1.0)(p, torch.randn(50, 3)), p, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spread", [0.0, 3.0, 300.0])
def test_no_two_items_of_a_query_change_places(spread, dtype):
    """Through heights that underflow as well; from 0 to 1."""
    made, q = trained_like(spread=spread), torch.randn(1, 3)
    corners = torch.linspace(0, 1, 21, dtype=dtype)  # where the pieces meet
    p = torch.cat(
        [torch.rand(4000, dtype=dtype), corners, corners.nextafter(corners + 1).clamp(max=1), corners.nextafter(corners - 1).clamp(min=0)]
    )
    p = p.sort().values
    g = made(p, q.expand(len(p), -1)).detach()
    assert (g.diff() >= 0).all() and g[0] == 0 and g[-1] == 1
    apart = p.diff() > 1e-3
    assert (g.diff()[apart] > 0).all()


def test_only_the_map_is_trained():
    made, logit, query = trained_like(), torch.randn(20, requires_grad=True), torch.randn(20, 3, requires_grad=True)
    made(logit.sigmoid(), query).sum().backward()
    assert logit.grad is None and query.grad is None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.parameters())


def test_it_learns_a_curve_for_each_query():
    """Two kinds of queries: clicks at p^2 and at sqrt(p)."""
    g = torch.Generator().manual_seed(0)
    p, kind = torch.rand(4000, generator=g), torch.randint(2, (4000,), generator=g)
    truth = torch.where(kind == 0, p**2, p**0.5)
    clicks = torch.bernoulli(truth, generator=g)
    made = rb.MonotoneCalibration(2, pieces=10, hidden=(8,), generator=g)
    query = torch.nn.functional.one_hot(kind, 2).float()
    optimizer = torch.optim.Adam(made.parameters(), lr=0.03)
    for _ in range(150):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy(made(p, query), clicks).backward()
        optimizer.step()
    before, after = (truth - p).abs().mean(), (truth - made(p, query)).abs().mean()
    assert after < before / 4


@pytest.mark.parametrize("mode", MODES)
def test_the_modes_of_torch_change_nothing(mode):
    made, p, q = trained_like(), torch.rand(30), torch.randn(30, 3)
    expected = made(p, q)
    with MODES[mode]():
        found = made(p, q)
    assert torch.equal(found, expected)


def test_what_the_map_refuses():
    made = rb.MonotoneCalibration(3)
    with pytest.raises(ValueError, match=r"probabilities must be in \[0, 1\], but probabilities\[1\] is 1.5; try torch.sigmoid"):
        made(torch.tensor([0.5, 1.5]), torch.randn(2, 3))
    with pytest.raises(ValueError, match=r"query must be \[n, query_features\], here \(2, 3\), got \(1, 3\); repeat the features"):
        made(torch.tensor([0.5, 0.5]), torch.randn(1, 3))


# ------------------------------------------------------------------ measures


def items(n=400, lists=40, *, grid=None, seed=0):
    g = torch.Generator().manual_seed(seed)
    p = torch.rand(n, generator=g, dtype=torch.float64)
    p = p if grid is None else (p * grid).round() / grid
    return p, torch.bernoulli(p, generator=g).long(), torch.randint(lists, (n,), generator=g)


@pytest.mark.parametrize("grid", [None, 5], ids=["distinct", "tied"])
def test_against_scikit_learn(grid):
    p, y, lists = items(grid=grid)
    found = rb.evaluate_probabilities(p, y, lists, bins=10)
    assert found["AUC"] == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    eps = torch.finfo(p.dtype).eps
    assert found["LogLoss"] == pytest.approx(log_loss(y, p.clamp(eps, 1 - eps)), abs=1e-12)
    total = size = error = 0.0
    for one in lists.unique():
        here = lists == one
        if 0 < y[here].sum() < here.sum():
            total, size = total + here.sum().item() * roc_auc_score(y[here], p[here]), size + here.sum().item()
    assert found["GAUC"] == pytest.approx(total / size, abs=1e-12)
    for b in range(10):
        here = torch.tensor([min(int(x * 10), 9) == b for x in p.tolist()])
        if here.any():
            error += here.double().mean() * (p[here].mean() - y[here].double().mean()).abs()
    assert found["ECE"] == pytest.approx(float(error), abs=1e-12)
    assert found["PCOC"] == pytest.approx(float(p.sum() / y.sum()), abs=1e-12)


def test_the_order_of_items_and_the_names_of_lists_do_not_matter():
    p, y, lists = items(grid=20)
    order = torch.randperm(len(p))
    assert rb.evaluate_probabilities(p[order], y[order], 1000 - 7 * lists[order]) == pytest.approx(
        rb.evaluate_probabilities(p, y, lists), abs=1e-12
    )


def test_lists_of_one_label_do_not_count():
    p, y, lists = items()
    more = rb.evaluate_probabilities(torch.cat([p, p[:2]]), torch.cat([y, torch.ones(2)]), torch.cat([lists, torch.tensor([99, 99])]))
    assert more["GAUC"] == rb.evaluate_probabilities(p, y, lists)["GAUC"]


@pytest.mark.parametrize(
    ("labels", "lists", "message"),
    [
        ([0, 2, 1], None, r"labels must be 0 or 1, but labels\[1\] is 2; try \(labels > 0\)"),
        ([1, 1, 1], None, "labels must hold both 0 and 1, but all are 1"),
        ([0, 1, 1], [0, 1, 1], "lists must have one with labels of both kinds, but no list has"),
        ([0, 1, 1], [0, 1], r"lists must have one entry for each probability, shape \(3,\), got \(2,\)"),
        ([0, 1], None, r"labels must have one entry for each probability"),
    ],
)
def test_what_the_measures_refuse(labels, lists, message):
    with pytest.raises(ValueError, match=message):
        rb.evaluate_probabilities(torch.tensor([0.2, 0.3, 0.4]), torch.tensor(labels), None if lists is None else torch.tensor(lists))
