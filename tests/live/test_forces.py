"""Forces on a circle: those of the package's losses, the silence of Smooth-AP and of a calibrated circle, and following the arrows."""

import pytest
import torch

import rankbook as rb
from live.test_figures import check
from rankbook.live import Forces
from rankbook.live.forces import LOSSES, hard_triplet

NO_TIES = [10, 25, 141, 166, 75, 93, 232, 251]
TAU = 0.05
PACKAGE = {
    "Smooth-AP": lambda: rb.SmoothAPLoss(tau=TAU),
    "SupAP": lambda: rb.SupAPLoss(tau=TAU, rho=1 / TAU, delta=5 * TAU),
    "calibration": rb.CalibrationLoss,
    "ROADMAP": lambda: rb.ROADMAPLoss(tau=TAU, rho=1 / TAU, delta=5 * TAU),
    "SupCon": lambda: rb.SupConLoss(temperature=TAU),
}


def on_circle(angles):
    angles = torch.tensor(angles, dtype=torch.float64).deg2rad().requires_grad_()
    return angles, torch.stack([angles.cos(), angles.sin()], 1)


@pytest.mark.parametrize("name", PACKAGE)
def test_forces_are_minus_the_gradient_along_the_circle(name):
    shown = Forces(angles=NO_TIES, loss=name, tau=TAU).readout()
    angles, embeddings = on_circle(NO_TIES)
    loss = PACKAGE[name]()(embeddings, torch.tensor([0] * 4 + [1] * 4))
    loss.backward()
    assert shown["value"] == pytest.approx(loss.item(), rel=1e-9)
    assert shown["forces"] == pytest.approx((-angles.grad).tolist(), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("angles", [NO_TIES, [0, 21, 44, 63, 180, 203, 222, 247], [0, 1, 3, 4, 180, 182, 183, 184]])
def test_the_triplet_is_that_of_the_experiments(angles):
    pytest.importorskip("pytorch_metric_learning")
    from rankbook.experiments.baselines import HardTripletLoss

    labels = torch.tensor([0] * 4 + [1] * 4)
    (one, embeddings), (other, again) = on_circle(angles), on_circle(angles)
    ours, theirs = hard_triplet(embeddings @ embeddings.T, labels), HardTripletLoss(0.2)(again, labels)
    ours.backward()
    theirs.backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6, abs=1e-9)
    assert one.grad.tolist() == pytest.approx(other.grad.tolist(), rel=1e-5, abs=1e-7)


def test_who_pulls_the_query_adds_up_to_its_force():
    figure = Forces(angles=NO_TIES, loss="ROADMAP", query=5, tau=TAU)
    now = figure.readout()
    turned = [(other - 93 + 180) % 360 - 180 for other in NO_TIES]  # to the left of it: above 0
    toward = sum(pull * (1 if turn > 0 else -1) for pull, turn in zip(now["pulls"], turned, strict=True))
    assert now["pulls"][5] == 0 and toward == pytest.approx(now["forces"][5], rel=1e-9)


def test_who_is_silent_where():
    stuck = {name: Forces(loss=name).readout() for name in LOSSES}
    assert stuck["Smooth-AP"]["ap"] < 0.8
    assert {name: now["felt"] for name, now in stuck.items()} == {name: 0 if name == "Smooth-AP" else 8 for name in LOSSES}
    wide = {name: Forces(loss=name, angles=[0, 21, 42, 63, 180, 201, 222, 243]).readout() for name in LOSSES}
    assert wide["SupAP"]["ap"] == 1 and wide["SupAP"]["felt"] == wide["Smooth-AP"]["felt"] == 0
    assert wide["calibration"]["felt"] == wide["ROADMAP"]["felt"] == 8
    close = {name: Forces(loss=name, angles=[0, 8, 16, 24, 180, 188, 196, 204]).readout()["felt"] for name in LOSSES}
    assert close == {name: 8 if name == "SupCon" else 0 for name in LOSSES}


def test_following_the_arrows(open_page):
    figure = Forces()
    page = open_page(figure)
    follow = page.get_by_role("button", name="Follow the arrows")
    follow.click()
    assert check(page, figure)["angles"] == figure.angles, "Smooth-AP pushes nobody"
    page.get_by_role("radio", name="ROADMAP", exact=True).check()
    for _ in range(8):
        follow.click()
    shown = check(page, figure)
    assert shown["ap"] == 1 and shown["felt"] == 0
    page.get_by_role("button", name="right, but wide").click()
    assert check(page, figure)["felt"] == 8
    page.locator("[data-drag]").nth(6).press("Enter")
    assert check(page, figure)["query"] == 6


def test_a_point_follows_the_pointer_around(open_page):
    figure = Forces(angles=[0, 180], labels=[1, 1], query=0)
    page = open_page(figure)
    box = page.locator("[data-drag]").first.bounding_box()
    x, y = box["x"] + 20, box["y"] + 20
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 120, y - 120, steps=5)  # a quarter of the circle
    page.mouse.up()
    assert check(page, figure)["angles"][0] == 90


def test_traits_must_fit():
    for wrong in ({"labels": [0, 1]}, {"angles": [0, 90], "labels": [0, 1], "query": 0}, {"angles": [0, 90], "labels": [1, 1], "query": 2}):
        with pytest.raises(ValueError, match="must fit: a label for each angle, two of one class"):
            Forces(**wrong)
    with pytest.raises(ValueError, match=r"angles\[1\]"):
        Forces(angles=[0, 360])
    assert "0 of 8 feel a force" in Forces().describe()
