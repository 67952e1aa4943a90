"""W processes are one process: losses, gradients, metrics and trainings. `scale.fleet` runs `scale.checks` and `scale.training_checks`."""

import json
import os
import subprocess
import sys

import pytest
import torch

import rankbook as rb
from losses.contract import CASES
from losses.scenes import batch
from scale import checks, training_checks

CHECKS = [*checks.CHECKS, *training_checks.CHECKS]

SECONDS = 120


WORLDS = (2, 4)


@pytest.fixture(scope="module")
def said(tmp_path_factory, root):
    """What each process says of each check: number of processes -> rank -> check -> "fine", or what went wrong."""
    if not hasattr(os, "fork"):
        pytest.skip("the processes are forked, which this system cannot")
    folder = tmp_path_factory.mktemp("fleet")
    paths = os.pathsep.join([str(root), str(root / "tests"), os.environ.get("PYTHONPATH", "")])
    with open(folder / "log", "w") as log:
        command = [sys.executable, "-m", "scale.fleet", str(folder), *map(str, WORLDS)]
        environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        end = subprocess.run(command, env=environment, stdout=log, stderr=log, timeout=SECONDS).returncode
    reports = {world: [json.loads((folder / f"{world}/{rank}.json").read_text()) for rank in range(world)] for world in WORLDS}
    assert end == 0, (folder / "log").read_text()[-3000:]
    return reports


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("check", [check.__name__ for check in CHECKS])
def test_processes(said, check, world):
    for rank, report in enumerate(said[world]):
        assert report.get(check) == "fine", f"rank {rank}: {report.get(check, 'did not come so far')}"


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_without_a_process_group_it_is_the_loss(case):
    embeddings, labels = batch(levels=True)
    embeddings.requires_grad_()
    loss = case.make()
    found, expected = rb.DistributedLoss(loss)(embeddings, labels), loss(embeddings, labels)
    assert torch.equal(found, expected)
    assert torch.equal(*(torch.autograd.grad(value, embeddings)[0] for value in (found, expected)))


def test_without_a_process_group_gathering_and_evaluating_are_the_plain_ones():
    embeddings, labels = batch()
    assert rb.gather_with_grad(embeddings) is embeddings
    assert rb.evaluate_distributed(embeddings, labels) == rb.evaluate_retrieval(embeddings, labels)


@pytest.mark.parametrize("loss", [rb.ClusterLoss(2, 2), rb.as_loss(rb.ndcg, rb.sigmoid_ranks), "SmoothAP", None])
def test_a_loss_that_cannot_be_shared_is_refused(loss):
    with pytest.raises(TypeError, match="loss must be a batch loss"):
        rb.DistributedLoss(loss)


@pytest.mark.parametrize("x", [torch.tensor(1.0), [1.0], torch.eye(2).to_sparse()])
def test_what_cannot_be_gathered_is_refused(x):
    with pytest.raises((ValueError, TypeError), match="x must"):
        rb.gather_with_grad(x)
