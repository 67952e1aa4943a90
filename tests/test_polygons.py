"""Polygons from boxes: what is inside by matplotlib and by a loop, the terms by loops, their gradient, a fit, and what they refuse."""

import math

import numpy as np
import pytest
import torch
from matplotlib.path import Path
from torch.testing import assert_close

import rankbook as rb
from modes import MODES
from rankbook.polygons import complete_iou

SIZE = 12
SQUARE = torch.tensor([[[2.0, 2.0], [9.0, 2.0], [9.0, 10.0], [2.0, 10.0]]], dtype=torch.float64)


def scene(b=2, v=7, c=3):
    polygons = torch.rand(b, v, 2, dtype=torch.float64) * SIZE
    boxes = torch.tensor([[1.0, 2.0, 9.0, 11.0], [3.0, 3.0, 8.0, 7.5]], dtype=torch.float64)[:b]
    return polygons, torch.rand(b, c, SIZE, SIZE, dtype=torch.float64), boxes


def winding(polygon, x, y):
    """How many times a polygon goes around a point: the sum of the angles that its edges subtend."""
    total = 0.0
    for (ax, ay), (bx, by) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        turn = math.atan2(by - y, bx - x) - math.atan2(ay - y, ax - x)
        total += (turn + math.pi) % (2 * math.pi) - math.pi
    return round(total / (2 * math.pi))


def distance(polygon, x, y):
    found = []
    for (ax, ay), (bx, by) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        length = (bx - ax) ** 2 + (by - ay) ** 2
        t = min(1.0, max(0.0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length)) if length else 0.0
        found.append(math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)))
    return min(found)


def test_what_is_inside_by_matplotlib_and_by_angles():
    """Edges cross: the two rules differ in places."""
    points = np.stack(np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5), -1).reshape(-1, 2)
    differ = 0
    star = torch.tensor([[math.sin(4 * math.pi * k / 5), math.cos(4 * math.pi * k / 5)] for k in range(5)], dtype=torch.float64)
    for polygon in [*scene(b=2, v=9)[0], 6 + 5 * star]:
        closed = Path(np.vstack([polygon, polygon[:1]]), closed=True)
        crossing, around = (
            rb.soft_inside(polygon[None], SIZE, SIZE, tau=1e-9, rule=rule)[0].flatten() > 0.5 for rule in ("crossing", "winding")
        )
        assert (crossing.numpy() == closed.contains_points(points)).all()
        assert around.tolist() == [winding(polygon.tolist(), x, y) != 0 for x, y in points]
        differ += (crossing != around).sum()
    assert differ > 0


@pytest.mark.parametrize("tau", [0.3, 4.0])
def test_the_mask_by_loops(tau):
    polygons = scene()[0]
    found = rb.soft_inside(polygons, SIZE, SIZE, tau=tau)
    for polygon, mask in zip(polygons.tolist(), found, strict=True):
        for i in range(SIZE):
            for j in range(SIZE):
                sign = 1 if winding(polygon, j + 0.5, i + 0.5) else -1
                expected = 1 / (1 + math.exp(-sign * distance(polygon, j + 0.5, i + 0.5) ** 2 / tau))
                assert mask[i, j].item() == pytest.approx(expected, abs=1e-9)


def test_the_direction_and_the_first_corner_change_nothing():
    polygons, images, boxes = scene()
    loss = rb.polygon_box_loss(polygons, images, boxes)
    assert_close(rb.polygon_box_loss(polygons.flip(1), images, boxes), loss)
    assert_close(rb.polygon_box_loss(polygons.roll(3, 1), images, boxes), loss)


def local_by_loops(inside, image, box, sigma, dilation):
    total = weights = 0.0
    for i in range(SIZE):
        for j in range(SIZE):
            if not (box[0] <= j + 0.5 <= box[2] and box[1] <= i + 0.5 <= box[3]):
                continue
            for di in (-dilation, 0, dilation):
                for dj in (-dilation, 0, dilation):
                    if (di or dj) and 0 <= i + di < SIZE and 0 <= j + dj < SIZE:
                        weight = math.exp(-(image[:, i, j] - image[:, i + di, j + dj]).norm().item() / sigma)
                        total += weight * abs(inside[i, j] - inside[i + di, j + dj]).item()
                        weights += weight
    return total / weights


def region_by_loops(inside, image):
    total = 0.0
    for share in (inside, 1 - inside):
        mean = [(channel * share).sum() / share.sum() for channel in image]
        total += sum(((channel - m) ** 2 * share).sum() for channel, m in zip(image, mean, strict=True))
    return total / image.numel()


@pytest.mark.parametrize("dilation", [1, 2])
def test_the_terms_by_loops(dilation):
    polygons, images, boxes = scene()
    found = rb.polygon_box_terms(polygons, images, boxes, sigma=0.3, dilation=dilation)
    inside = rb.soft_inside(polygons, SIZE, SIZE)
    for k in range(len(polygons)):
        assert found.local[k].item() == pytest.approx(local_by_loops(inside[k], images[k], boxes[k].tolist(), 0.3, dilation), abs=1e-9)
        assert found.region[k].item() == pytest.approx(region_by_loops(inside[k], images[k]).item(), abs=1e-9)
    weights = {"unary": 1.5, "local": 0.5, "region": 3.0}
    expected = 1.5 * found.unary + 0.5 * found.local + 3 * found.region
    assert_close(rb.polygon_box_loss(polygons, images, boxes, sigma=0.3, dilation=dilation, reduction="none", **weights), expected)


def test_complete_iou():
    """By hand: boxes of 4 x 4 and 2 x 4 that share 2 x 2; centers (2, 2) and (3, 4), the box around both is 4 x 6."""
    shape = 4 / math.pi**2 * (math.atan(1) - math.atan(0.5)) ** 2
    iou = 4 / 20
    expected = iou - 5 / 52 - shape**2 / (1 - iou + shape)
    box, other = torch.tensor([[0.0, 0.0, 4.0, 4.0]]), torch.tensor([[2.0, 2.0, 4.0, 6.0]])
    assert complete_iou(box, other).item() == pytest.approx(expected, abs=1e-6)
    assert complete_iou(box, box).item() == 1
    assert complete_iou(box, box + 100).item() < 0


def test_the_gradient():
    polygons, images, boxes = scene()
    for weights in ({"unary": 0.0}, {"local": 0.0, "unary": 0.0}):
        loss = lambda x, weights=weights: rb.polygon_box_loss(x, images, boxes, tau=4.0, reduction="none", **weights)  # noqa: E731
        assert torch.autograd.gradcheck(loss, polygons.clone().requires_grad_())


def test_corners_that_meet_have_a_finite_gradient():
    polygons = torch.cat([SQUARE, SQUARE[:, -1:], SQUARE[:, -1:]], 1).requires_grad_()
    rb.polygon_box_loss(polygons, *scene(b=1)[1:]).backward()
    assert polygons.grad.isfinite().all()
    point = torch.full((1, 5, 2), 4.0, requires_grad=True)  # the polygon that has collapsed
    rb.polygon_box_loss(point, *(x.float() for x in scene(b=1)[1:])).backward()
    assert point.grad.isfinite().all()


def test_a_polygon_finds_the_shape_that_its_box_does_not_tell():
    """A disk in its box: unary alone keeps the square, with the colors the corners come in."""
    y, x = torch.meshgrid(torch.arange(24) + 0.5, torch.arange(24) + 0.5, indexing="ij")
    disk = ((x - 12) ** 2 + (y - 12) ** 2 < 64).float()
    box, images = torch.tensor([[4.0, 4.0, 20.0, 20.0]]), (0.3 + 0.4 * disk)[None, None]
    side = torch.tensor([4.0, 8.0, 12.0, 16.0])
    low, high = torch.full((4,), 4.0), torch.full((4,), 20.0)
    corners = [(side, low), (high, side), (24 - side, high), (low, 24 - side)]
    square = torch.cat([torch.stack(pair, 1) for pair in corners])

    def fitted(**weights):
        polygon = square[None].clone().requires_grad_()
        optimizer = torch.optim.Adam([polygon], lr=0.2)
        for _ in range(80):
            optimizer.zero_grad()
            rb.polygon_box_loss(polygon, images, box, **weights).backward()
            optimizer.step()
        inside = rb.soft_inside(polygon.detach(), 24, 24, tau=1e-9)[0] > 0.5
        return ((inside & disk.bool()).sum() / (inside | disk.bool()).sum()).item()

    assert fitted(local=0.0, region=0.0) < 0.83 and fitted() > 0.93


@pytest.mark.parametrize("mode", MODES)
def test_the_modes_of_torch_change_nothing(mode):
    polygons, images, boxes = (x.float() for x in scene())
    polygons.requires_grad_()

    def measured():
        loss = rb.polygon_box_loss(polygons, images, boxes)
        return loss.detach(), torch.autograd.grad(loss, polygons)[0]

    expected = measured()
    with MODES[mode]():
        found = measured()
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"polygons": torch.rand(2, 2, 2)}, r"polygons must be \[b, v, 2\], at least 3 corners"),
        ({"images": torch.rand(1, 3, 8, 8)}, r"images must be \[b, c, height, width\], one for each of 2 polygons"),
        ({"boxes": torch.rand(2, 5)}, r"boxes must be \[b, 4\]"),
        (
            {"boxes": torch.tensor([[1.0, 1.0, 5.0, 5.0], [3.0, 3.0, 3.0, 7.0]])},
            r"boxes must be left, top, right, bottom with an area, but boxes\[1\]",
        ),
        ({"tau": 0.0}, "tau must be a finite number above 0"),
    ],
)
def test_what_it_refuses(changed, message):
    polygons, images, boxes = scene()
    given = {"polygons": polygons, "images": images, "boxes": boxes} | changed
    with pytest.raises(ValueError, match=message):
        rb.polygon_box_loss(**given)


def test_the_gradient_keeps_one_edge_a_pixel():
    """What is saved for it does not grow with the corners, and a pixel between two edges counts once."""
    kept = []
    polygons = torch.rand(1, 40, 2, dtype=torch.float64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: (kept.append(x.numel()), x)[1], lambda x: x):
        rb.soft_inside(SIZE * polygons, SIZE, SIZE)
    assert max(kept) <= 4 * SIZE * SIZE
    square = torch.tensor([[[2.0, 2.0], [6.0, 2.0], [6.0, 6.0], [2.0, 6.0]]], dtype=torch.float64, requires_grad=True)
    rb.soft_inside(square, 8, 8, tau=4.0)[0, 0, 0].backward()  # nearest to a corner: both of its edges end there
    assert square.grad[0, 0].abs().min() > 0 and square.grad[0, 1:].abs().max() == 0
