"""Renders the still picture of chapter 24 anew. Usage: MUJOCO_GL=egl python data/rendered_parts/prepare.py"""

from pathlib import Path

import numpy as np
import torch

from rankbook.experiments.tasks.depth_pictures import KNOWN
from rankbook.experiments.tasks.rendered_parts import STILL, rendered
from rankbook.experiments.tasks.servo import draw_scenes

if __name__ == "__main__":
    scene = draw_scenes(1, torch.Generator().manual_seed(STILL), KNOWN)
    picture = rendered(scene.parts, scene.offsets)[0, 0]
    np.savetxt(Path(__file__).with_name("still.csv"), picture.numpy(), fmt="%.4f", delimiter=",")
