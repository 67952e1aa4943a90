r"""The parts of `rankbook.experiments.tasks.depth_pictures` as solids in MuJoCo, seen by a depth camera from above.

What its formulas do not have: whatever is nearer to the camera looks larger and farther from the middle, the walls of ring and hole show,
and the ring hides a part of the table. The faults of a real camera are not the engine's: they stay those of `depth_pictures.seen`.

The scene has the axes of a picture, x to the right, y down, z away from the camera, in half widths of the picture where it meets the table.
The table is the plane z = 1, the camera stands ``distance`` before it, and a solid ends where `depth_pictures.Parts` says. Depth is z.
"""

from __future__ import annotations

import atexit
import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rankbook.checks import check_number
from rankbook.experiments.tasks.depth_pictures import LOOSE, SIZE, Parts

DISTANCE = 2.0  # a field of view of 53 degrees, about that of a depth camera
LENGTH = 0.1  # of the peg, whose end stays above every ring
FINE = 4  # rays a pixel and side, of which a pixel shows the mean
SIDES = 32  # of the polygons that stand for round shapes
STILL = 14  # seed of the scene that data/rendered_parts shows


def rendered(parts: Parts, offsets: Tensor, *, size: int = SIZE, distance: float = DISTANCE) -> Tensor:
    r"""Clean depth ``[n, 1, size, size]``, as of `depth_pictures.simulated`, by the depth buffer of MuJoCo.

    A point at depth :math:`z` stands at :math:`(x, y) \cdot d / (d - 1 + z)` in the picture. As the distance :math:`d` grows, what
    `simulated` draws is left.

    Args:
        parts, offsets: n of them, and where their holes are, ``[n, 2]``, as `simulated` takes them.
        size: pixels a side.
        distance: of the camera from the table, in half widths of the picture; a larger one shows less of the walls.

    Raises:
        ImportError: MuJoCo is not installed, or finds no graphics library to draw with.
        ValueError: the camera stands among the parts.
    """
    view = _view(size, check_number("distance", distance, above=1))
    buffers = np.empty((len(offsets), size * FINE, size * FINE), np.float32)
    view.context.make_current()
    for corners, buffer in zip(_corners(parts, offsets).numpy(), buffers, strict=True):
        view.draw(corners, buffer)
    near, far = distance - 1, distance + 1  # where the buffer is 1 and 0
    depth = near * far / (near + torch.from_numpy(buffers) * (far - near)) - near
    return torch.nn.functional.avg_pool2d(depth[:, None].flip(2), FINE)  # its first row is the lowest


def _corners(parts: Parts, offsets: Tensor) -> Tensor:
    """``[n, 7 * SIDES, 3]``: of a ring four rounds, up its outside and down its hole, then three of the peg, up and in to its middle."""
    outside, peg, table = parts.radius + parts.wall, LOOSE * parts.radius, torch.ones_like(parts.radius)
    radius = torch.stack([outside, outside, parts.radius, parts.radius, peg, peg, 0 * peg], 1)
    depth = torch.stack([table, table - parts.height, table - parts.height, table, parts.peg + LENGTH, parts.peg, parts.peg], 1)
    center = torch.stack([offsets] * 4 + [torch.zeros_like(offsets)] * 3, 1)

    angle, power = torch.arange(SIDES) * (2 * math.pi / SIDES), parts.power[:, None]
    far = (angle.cos().abs() ** power + angle.sin().abs() ** power) ** (1 / power)  # of the unit circle, by the norm of the shape
    turned = angle + parts.turn[:, None]
    shape = torch.stack([turned.cos(), turned.sin()], 2) / far[..., None]
    flat = center[:, :, None] + radius[:, :, None, None] * shape[:, None]
    return torch.cat([flat, depth[:, :, None, None].expand(-1, -1, SIDES, 1)], 3).flatten(1, 2)


class _View(NamedTuple):
    """A model whose one mesh takes the form of each part in turn, and what the package ``mujoco`` draws it with."""

    mujoco: Any
    model: Any
    scene: Any
    context: Any
    memory: Any

    def draw(self, corners: np.ndarray, buffer: np.ndarray) -> None:
        """The depth buffer of a part, lowest row first."""
        self.model.mesh_vert[:] = corners
        self.mujoco.mjr_uploadMesh(self.model, self.memory, 0)
        window = self.mujoco.MjrRect(0, 0, *buffer.shape)
        self.mujoco.mjr_render(window, self.scene, self.memory)
        self.mujoco.mjr_readPixels(None, buffer, window, self.memory)


@cache
def _view(size: int, distance: float) -> _View:
    """Made once a process; what it holds of the graphics library is given back at its end."""
    try:
        import mujoco

        model = mujoco.MjModel.from_xml_string(_model(size, distance))
        context = mujoco.GLContext(size * FINE, size * FINE)
        context.make_current()
        memory = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
    except Exception as error:  # MuJoCo, its windows and its graphics libraries each fail in their own way
        raise ImportError(
            f"depth pictures are rendered by MuJoCo, which cannot start here ({error}); try `pip install 'mujoco<4'`, and without a screen "
            "set MUJOCO_GL=egl before Python starts (on Debian `apt-get install libegl1 libgl1-mesa-dri`)"
        ) from error
    atexit.register(context.free)
    atexit.register(memory.free)  # before the context
    memory.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, memory)
    return _View(mujoco, model, _scene(mujoco, model), context, memory)


def _scene(mujoco: Any, model: Any) -> Any:
    """What is drawn, with neither light nor color, and every surface from both sides."""
    data, camera, scene = mujoco.MjData(model), mujoco.MjvCamera(), mujoco.MjvScene(model, 10)
    mujoco.mj_forward(model, data)
    data.geom_xpos[1], data.geom_xmat[1] = 0, np.eye(3).ravel()  # else where MuJoCo has put the center of the first form
    camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
    scene.flags[:] = 0
    mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, camera, mujoco.mjtCatBit.mjCAT_ALL, scene)
    return scene


def _model(size: int, distance: float) -> str:
    """The table, some part on it, and the camera, which sees from ``distance - 1`` to ``distance + 1``."""
    some = Parts(*(torch.full((1,), value) for value in (0.3, 2.0, 0.2, 0.2, 0.0, 0.4)))
    start, side = torch.meshgrid(torch.tensor([0, 1, 2, 4, 5]) * SIDES, torch.arange(SIDES), indexing="ij")
    after = (side + 1) % SIDES
    faces = torch.stack([start + side, start + after, start + SIDES + after, start + side, start + SIDES + after, start + SIDES + side])
    vertices = " ".join(map(str, _corners(some, torch.zeros(1, 2)).flatten().tolist()))
    return f"""<mujoco>
  <statistic extent="1"/>
  <visual>
    <global offwidth="{size * FINE}" offheight="{size * FINE}"/>
    <quality offsamples="0"/>
    <map znear="{distance - 1}" zfar="{distance + 1}"/>
  </visual>
  <asset>
    <mesh name="part" vertex="{vertices}" face="{" ".join(map(str, faces.flatten(1).T.flatten().tolist()))}"/>
  </asset>
  <worldbody>
    <geom type="plane" size="2 2 1" pos="0 0 1" xyaxes="1 0 0 0 -1 0"/>
    <geom type="mesh" mesh="part"/>
    <camera pos="0 0 {1 - distance}" xyaxes="1 0 0 0 -1 0" fovy="{math.degrees(2 * math.atan(1 / distance))}"/>
  </worldbody>
</mujoco>"""
