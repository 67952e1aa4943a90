"""The script that the chapter hands to torchrun: two processes run it as printed, and its first loss is that of one process."""

import json
import os
import re
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist

import rankbook as rb
from pages_of_book import ROOT

SECONDS = 180
NOTEBOOK = json.loads((ROOT / "book" / "many_processes.ipynb").read_text(encoding="utf-8"))
(SCRIPT,) = [
    block
    for cell in NOTEBOOK["cells"]
    if cell["cell_type"] == "markdown"
    for block in re.findall(r"```python\n(.*?)```", "".join(cell["source"]), re.DOTALL)
]


def first_batch(rank):
    data = rb.datasets.emoji("train")
    return next(iter(rb.BalancedBatchSampler(data.labels, classes=32, per_class=4, num_replicas=2, rank=rank)))


@pytest.mark.skipif(not (dist.is_available() and dist.is_gloo_available()), reason="this torch has no gloo")
def test_the_script_of_the_chapter_trains_on_two_processes(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "train.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-3000:]
    losses = [float(loss) for loss in re.findall(r"^loss (\d\.\d+)$", done.stdout, re.MULTILINE)]

    data = rb.datasets.emoji("train")
    rows = [*first_batch(0), *first_batch(1)]
    torch.manual_seed(0)
    model = torch.nn.Linear(512, 64, bias=False)
    with torch.no_grad():
        x = torch.nn.functional.normalize(model(data.inputs[rows]), dim=1)
        expected = rb.SmoothAPLoss(tau=0.1)(x, data.labels[rows]).item()
        own = rb.SmoothAPLoss(tau=0.1)(x[:64], data.labels[rows[:64]]).item()
    assert abs(losses[0] - expected) < 1e-3 < abs(own - expected)
    assert len(losses) >= 5 and losses[-1] < losses[0]


def test_the_script_has_lines_that_a_page_holds():
    assert max(map(len, SCRIPT.splitlines())) <= 88
