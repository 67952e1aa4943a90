"""What must hold of `rankbook.train` in several processes; `test_processes.py` runs it with the rest."""

import shutil
import tempfile
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset

import rankbook as rb
from rankbook.scale.processes import of_each
from rankbook.training.together import averages_in_order

STEPS, EVERY = 7, 3
LABELS = torch.arange(40) % 8


class Stopped(Exception):
    pass


def shared_folder(rank):
    path = [tempfile.mkdtemp() if rank == 0 else None]
    dist.broadcast_object_list(path)
    return Path(path[0])


def training(rank, world, file, *, stop=None, seed=0, steps=STEPS, lr=0.05, loss=None, shared=True, every=EVERY):
    """Dropout draws other units in each process; batches are shared, or each process has its own."""
    torch.manual_seed(rank + 10 * seed)
    model = DistributedDataParallel(nn.Sequential(nn.Linear(8, 6), nn.Dropout(0.4), nn.Linear(6, 4)))
    model = averages_in_order(model) if world > 2 else model
    of_sampler = {"num_replicas": world, "rank": rank} if shared else {"seed": rank}
    sampler = rb.BalancedBatchSampler(LABELS, classes=4, per_class=3, **of_sampler)
    data = TensorDataset(nn.functional.one_hot(LABELS).float() + 0.1 * torch.arange(40)[:, None] / 40, LABELS)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    judged = iter(range(1, 100))

    def evaluate(network):
        if next(judged) == stop:
            raise Stopped
        return rb.evaluate_distributed(network(data.tensors[0][rank::world]), LABELS[rank::world])

    loss = loss or rb.DistributedLoss(rb.SmoothAPLoss(tau=0.2))
    loader = DataLoader(data, batch_sampler=sampler)
    history = rb.train(model, loss, loader, optimizer, steps=steps, every=every, evaluate=evaluate, checkpoint=file)
    return torch.cat([weights.detach().flatten() for weights in model.module.parameters()]), history


def a_training_goes_on_with_the_batches_and_the_dropout_of_each_process(rank, world):
    folder = shared_folder(rank)
    for shared in (True, False):
        expected, history = training(rank, world, folder / f"whole{shared}", shared=shared)
        for stop in (1, 2, 3):
            with pytest.raises(Stopped):
                training(rank, world, folder / f"{stop}{shared}", stop=stop, shared=shared)
            dist.barrier()
            weights, resumed = training(rank, world, folder / f"{stop}{shared}", shared=shared, seed=int(stop > 1))
            assert torch.equal(weights, expected) and resumed.equals(history)
        assert (of_each(expected) == expected).all()
        assert history["step"].tolist() == [3, 6, 7] and {"R@1", "loss"} <= {*history}
    dist.barrier()
    if rank == 0:
        assert not [path for path in folder.iterdir() if path.suffix == ".tmp"]
        shutil.rmtree(folder)


def what_one_process_cannot_go_on_from_stops_all(rank, world):
    folder = shared_folder(rank)
    file = folder / "checkpoint.pt"
    training(rank, world, file, steps=3)

    def refused(error, message, **changes):
        with pytest.raises(error, match=message):
            training(rank, world, changes.pop("file", file), **changes)

    refused(ValueError, "steps must be the same on all processes", steps=3 + rank)
    refused(ValueError, "every must be the same on all processes", every=3 + rank)
    refused(ValueError, "whether a checkpoint is given", file=file if rank else None)
    mine = ValueError if rank == 0 else RuntimeError
    refused(mine, r"optimizer.0.lr was 0.05, is now 0.1", lr=0.05 if rank else 0.1)
    refused(ValueError, "batches.seed was 0, is now|batches.num_replicas was ., is now absent", shared=False)
    refused(ValueError, "loss_fn has weights of its own, which . processes must share", loss=rb.ClusterLoss(8, 4))
    dist.barrier()
    if rank == 0:
        file.write_bytes(b"damaged")
    dist.barrier()
    refused(ValueError, "is damaged")
    refused((OSError, RuntimeError), "is a folder; name a file in it", file=folder)
    dist.barrier()
    if rank == 0:
        shutil.rmtree(folder)


def the_weights_of_a_loss_are_shared_too(rank, world):
    loss = DistributedDataParallel(rb.ClusterLoss(8, 4))
    training(rank, world, None, loss=loss)
    weights = torch.cat([weights.detach().flatten() for weights in loss.module.parameters()])
    assert (of_each(weights) == weights).all()


CHECKS = [
    a_training_goes_on_with_the_batches_and_the_dropout_of_each_process,
    what_one_process_cannot_go_on_from_stops_all,
    the_weights_of_a_loss_are_shared_too,
]
