"""Polygons from boxes: a mask that polygons can be pulled by, and a loss that asks for boxes and for the colors of the picture alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from rankbook.checks import (
    check_choice,
    check_count,
    check_device,
    check_finite,
    check_floating,
    check_number,
    check_positive,
    first,
    reads_values,
)
from rankbook.precision import full_precision


class PolygonTerms(NamedTuple):
    """The three terms of `polygon_box_loss`, one number a polygon ``[b]``."""

    unary: Tensor
    local: Tensor
    region: Tensor


@full_precision
def polygon_box_loss(
    polygons: Tensor,
    images: Tensor,
    boxes: Tensor,
    *,
    unary: float = 1.0,
    local: float = 0.3,
    region: float = 10.0,
    tau: float = 0.15,
    sigma: float = 0.05,
    dilation: int = 2,
    reduction: str = "mean",
) -> Tensor:
    r"""What a box and the colors of a picture say about a polygon: it fills the box, ends where colors change, and parts two colors.

    .. math::
        \begin{aligned}
        \mathcal{L} &= \alpha\, (1 - \mathrm{CIoU}(\text{box of } C, \text{box})) + \beta\, L_{lp} + \gamma\, L_{gp} \\
        L_{lp} &= \frac{\sum_{p, q} w_{pq}\, \lvert U_p - U_q \rvert}{\sum_{p, q} w_{pq}}, \qquad
        w_{pq} = e^{-\lVert I_p - I_q \rVert / \sigma}\; [p \in \text{box}] \\
        L_{gp} &= \frac{1}{N c} \sum_p \lVert I_p - u_{in} \rVert^2\, U_p + \lVert I_p - u_{out} \rVert^2\, (1 - U_p)
        \end{aligned}

    U is `soft_inside`, q are the eight neighbors of p at a distance of ``dilation``, N pixels have c channels, :math:`u_{in}` and
    :math:`u_{out}` are the mean colors inside and outside, weighted by U. Alone, the first term fits the box and no shape; without it
    the other two may shrink a polygon to a point.

    Args:
        polygons: ``[b, v, 2]``, v corners (x, y) in pixels, in order, at least 3.
        images: ``[b, c, height, width]``, crops around the boxes; pixel (i, j) lies at (j + .5, i + .5).
        boxes: ``[b, 4]``, left, top, right, bottom in pixels.
        unary, local, region: the weights :math:`\alpha, \beta, \gamma`, at least 0.
        tau: width of the edge of U, in squared pixels. Larger: pixels farther away pull, at the price of a blurred mask.
        sigma: in units of the colors. Smaller: only pixels of almost the same color are to be on the same side.
        dilation: steps to a neighbor, in pixels.
        reduction: ``"mean"``, ``"sum"``, or ``"none"`` for one number a polygon ``[b]``.

    The default weights, tau and sigma are those that validation pictures chose in the study ``polygons``, for colors between 0 and 1 and
    pictures of 32 pixels; only their proportion matters to Adam. The released configuration has (1, .5, .03) on LAB colors, sigma 2,
    crops of 64 pixels, and raises ``local`` from 0 over the first steps.

    Cost: :math:`O(b\,N\,v)`; of memory for the gradient :math:`O(b\,N)`, since only the nearest edge of a pixel has one.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, boxes without an area, knobs out of range.

    Source: BoxSnake (ICCV 2023, 2303.11630), and its code for the normalization of the local term.

    >>> square = torch.tensor([[[2.0, 2.0], [6.0, 2.0], [6.0, 6.0], [2.0, 6.0]]])
    >>> image = torch.zeros(1, 1, 8, 8)
    >>> image[..., 2:6, 2:6] = 1
    >>> box = torch.tensor([[2.0, 2.0, 6.0, 6.0]])
    >>> rb.polygon_box_loss(square, image, box, tau=0.1)
    tensor(0.3300)
    >>> rb.polygon_box_loss(square - 1, image, box, tau=0.1)
    tensor(2.3332)
    """
    weights = [check_number(name, value, at_least=0) for name, value in (("unary", unary), ("local", local), ("region", region))]
    reduction = check_choice("reduction", reduction, ("mean", "sum", "none"))
    terms = polygon_box_terms(polygons, images, boxes, tau=tau, sigma=sigma, dilation=dilation)
    losses = sum(weight * term for weight, term in zip(weights, terms, strict=True))
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


@full_precision
def polygon_box_terms(
    polygons: Tensor, images: Tensor, boxes: Tensor, *, tau: float = 0.15, sigma: float = 0.05, dilation: int = 2
) -> PolygonTerms:
    """The three terms of `polygon_box_loss` by themselves, unweighted, one number a polygon; arguments and errors as there.

    >>> square = torch.tensor([[[2.0, 2.0], [6.0, 2.0], [6.0, 6.0], [2.0, 6.0]]])
    >>> image = torch.zeros(1, 1, 8, 8)
    >>> image[..., 2:6, 2:6] = 1
    >>> rb.polygon_box_terms(square, image, torch.tensor([[2.0, 2.0, 6.0, 6.0]]), tau=0.1)
    PolygonTerms(unary=tensor([0.]), local=tensor([0.0379]), region=tensor([0.0319]))
    """
    sigma, dilation = check_positive("sigma", sigma), check_count("dilation", dilation)
    polygons = _check_polygons(polygons)
    images = check_floating("images", images).to(polygons.dtype)
    if images.dim() != 4 or len(images) != len(polygons) or 0 in images.shape:
        raise ValueError(f"images must be [b, c, height, width], one for each of {len(polygons)} polygons, got {tuple(images.shape)}")
    check_device("images", images, "polygons", polygons)
    check_finite("images", images)
    boxes = check_floating("boxes", boxes).to(polygons.dtype)
    if boxes.shape != (len(polygons), 4):
        raise ValueError(f"boxes must be [b, 4], left, top, right, bottom for each of {len(polygons)} polygons, got {tuple(boxes.shape)}")
    check_device("boxes", boxes, "polygons", polygons)
    check_finite("boxes", boxes)
    if reads_values(boxes):
        flat = (boxes[:, 2:] <= boxes[:, :2]).any(1)
        if flat.any():
            (at,) = first(flat)
            raise ValueError(f"boxes must be left, top, right, bottom with an area, but boxes[{at}] is {boxes[at].tolist()}")
    inside = soft_inside(polygons, images.shape[2], images.shape[3], tau=tau)
    around = torch.cat([polygons.amin(1), polygons.amax(1)], 1)
    return PolygonTerms(1 - complete_iou(around, boxes), _local(inside, images, boxes, sigma, dilation), _region(inside, images))


def soft_inside(polygons: Tensor, height: int, width: int, *, tau: float = 0.15, rule: str = "winding") -> Tensor:
    r"""How far a pixel lies inside of a polygon, from 0 to 1, with a gradient for the corners near it: ``[b, height, width]``.

    .. math:: U'(x) = \sigma\Bigl(\frac{2\,(U(x) - \frac12)\, D(x)^2}{\tau}\Bigr)

    U is 1 inside and 0 outside, D the distance to the nearest edge. The gradient comes through D alone, from the nearest edge.

    Args:
        polygons: ``[b, v, 2]``, v corners (x, y) in pixels, in order, at least 3; pixel (i, j) lies at (j + .5, i + .5).
        height, width: of the picture.
        tau: in squared pixels. At :math:`D = 2 \sqrt\tau` a pixel is .98 inside, and its gradient is nearly gone.
        rule: where edges cross, ``"winding"`` takes all that the line goes around, ``"crossing"`` what it goes around an odd number of
            times.

    Cost: :math:`O(b\,v)` a pixel.

    Raises:
        ValueError: polygons of another shape or not finite, an unknown rule, knobs out of range.

    Source: BoxSnake (ICCV 2023, 2303.11630), the squared distance from its code.

    >>> rb.soft_inside(torch.tensor([[[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]]]), 1, 4, tau=0.5)
    tensor([[[0.2689, 0.3775, 0.3775, 0.2689]]])
    """
    polygons, tau = _check_polygons(polygons), check_positive("tau", tau)
    height, width = check_count("height", height), check_count("width", width)
    rule = check_choice("rule", rule, ("winding", "crossing"))
    y, x = torch.meshgrid(*(torch.arange(size, device=polygons.device) + 0.5 for size in (height, width)), indexing="ij")
    points = [values.reshape(-1, 1).to(polygons.dtype) for values in (x, y)]
    ends = torch.cat([polygons, polygons.roll(-1, 1)], -1)  # [b, v, 4], the two ends of an edge
    with torch.no_grad():  # over all edges only what picks one: the gradient, and its memory, are those of the nearest
        edges = ends[:, None].unbind(-1)  # four of [b, 1, v]
        nearest = _squares(*edges, *points).argmin(-1)
        ax, ay, bx, by = edges
        x, y = points
        above, below = ay <= y, by <= y
        side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        turns = (above & ~below & (side > 0)).long() - (~above & below & (side < 0)).long()
        if rule == "winding":
            inside = turns.sum(-1) != 0
        else:
            inside = turns.abs().sum(-1) % 2 == 1
    edge = ends.gather(1, nearest[..., None].expand(-1, -1, 4)).unbind(-1)  # four of [b, height * width]
    squares = _squares(*edge, points[0][:, 0], points[1][:, 0])
    sign = torch.where(inside, 1.0, -1.0).to(squares.dtype)
    return (sign * squares / tau).sigmoid().unflatten(1, (height, width))


def _squares(ax: Tensor, ay: Tensor, bx: Tensor, by: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Squared distances of points (x, y) to the edges from a to b."""
    bx, by, x, y = bx - ax, by - ay, x - ax, y - ay
    share = (x * bx + y * by) / (bx.square() + by.square()).clamp(min=torch.finfo(bx.dtype).tiny)
    share = share.clamp(0, 1)
    return (x - share * bx).square() + (y - share * by).square()


def complete_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """CIoU of boxes ``[b, 4]`` in pairs ``[b]``: IoU, less the distance of the centers, less the difference of the shapes.

    The weight of the last is a constant to the gradient, as in its source (Distance-IoU Loss, AAAI 2020).
    """
    low, high = torch.maximum(boxes[:, :2], others[:, :2]), torch.minimum(boxes[:, 2:], others[:, 2:])
    sizes, other_sizes = boxes[:, 2:] - boxes[:, :2], others[:, 2:] - others[:, :2]
    both = (high - low).clamp(min=0).prod(1)
    tiny = torch.finfo(boxes.dtype).tiny
    iou = both / (sizes.prod(1) + other_sizes.prod(1) - both)
    around = torch.maximum(boxes[:, 2:], others[:, 2:]) - torch.minimum(boxes[:, :2], others[:, :2])
    apart = (boxes[:, :2] + boxes[:, 2:] - others[:, :2] - others[:, 2:]) / 2
    angles = torch.atan2(sizes[:, 0], sizes[:, 1].clamp(min=tiny)) - torch.atan2(other_sizes[:, 0], other_sizes[:, 1])
    shape = 4 / math.pi**2 * angles.square()
    weight = (shape / (1 - iou + shape).clamp(min=tiny)).detach()
    return iou - apart.square().sum(1) / around.square().sum(1) - weight * shape


def _local(inside: Tensor, images: Tensor, boxes: Tensor, sigma: float, dilation: int) -> Tensor:
    """Neighbors of one color are to be on one side."""
    height, width = inside.shape[1:]
    x, y = (torch.arange(size, device=inside.device) + 0.5 for size in (width, height))
    columns = (x >= boxes[:, :1]) & (x <= boxes[:, 2:3])
    rows = (y >= boxes[:, 1:2]) & (y <= boxes[:, 3:])
    in_box = (rows[:, :, None] & columns[:, None]).to(inside.dtype)
    total, weights = inside.new_zeros(len(inside)), inside.new_zeros(len(inside))
    for here, there in _neighbors(height, width, dilation):
        change = torch.linalg.vector_norm(images[:, :, *here] - images[:, :, *there], dim=1)
        # a pair is seen from both of its pixels, each time with the box of the one
        weight = (-change / sigma).exp() * (in_box[:, *here] + in_box[:, *there])
        total = total + (weight * (inside[:, *here] - inside[:, *there]).abs()).sum((1, 2))
        weights = weights + weight.sum((1, 2))
    return total / weights.clamp(min=torch.finfo(weights.dtype).tiny)


def _neighbors(height: int, width: int, dilation: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Two windows, of pixels and of one of their neighbors: for four of the eight, the others are the same pairs."""
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        down, right = down * dilation, right * dilation
        if down >= height or abs(right) >= width:
            continue
        rows, moved_rows = slice(0, height - down), slice(down, height)
        columns, moved = slice(max(0, -right), width - max(0, right)), slice(max(0, right), width - max(0, -right))
        yield (rows, columns), (moved_rows, moved)


def _region(inside: Tensor, images: Tensor) -> Tensor:
    """The squared distance of the colors to the mean of their side."""
    total = inside.new_zeros(len(inside))
    for share in (inside, 1 - inside):
        mass = share.sum((1, 2)).clamp(min=torch.finfo(share.dtype).tiny)
        mean = (images * share[:, None]).sum((2, 3)) / mass[:, None]
        total = total + ((images - mean[:, :, None, None]).square().sum(1) * share).sum((1, 2))
    return total / images[0].numel()


def _check_polygons(polygons: Tensor) -> Tensor:
    polygons = check_floating("polygons", polygons)
    if polygons.dim() != 3 or polygons.shape[1] < 3 or polygons.shape[2] != 2 or len(polygons) == 0:
        raise ValueError(f"polygons must be [b, v, 2], at least 3 corners (x, y) each, got {tuple(polygons.shape)}")
    check_finite("polygons", polygons)
    return polygons
