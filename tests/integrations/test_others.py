"""The processes of Lightning Fabric and of Accelerate share a loss, and end."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 120


@pytest.mark.parametrize(("library", "package"), [("fabric", "lightning"), ("accelerate", "accelerate")])
def test_the_processes_of_another_library_are_one(library, package, root):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    paths = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, str(Path(__file__).with_name("others.py")), library]
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as launcher:
        try:
            said, errors = launcher.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            launcher.terminate()  # it ends its processes; killed, it would leave them
            said, errors = launcher.communicate()
    assert launcher.returncode == 0, errors[-3000:]
    assert sorted(re.findall("fine [01]", said)) == ["fine 0", "fine 1"]
