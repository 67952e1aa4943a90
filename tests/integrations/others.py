"""Two processes in the hands of another library: ``torchrun --nproc-per-node 2 others.py fabric|accelerate``.

Loss and gradient are those of one process with all rows, through `DistributedLoss` and through `two_pass_backward`.
"""

import gc
import sys
from functools import partial

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import normalize

import rankbook as rb

ROWS = [9, 6]


def fabric(model, optimizer):
    from lightning.fabric import Fabric

    made = Fabric(accelerator="cpu", devices=2, strategy="ddp")
    made.launch()
    model, optimizer = made.setup(model, optimizer)
    model.no_sync = partial(made.no_backward_sync, model)  # by which two_pass_backward averages once
    return model, optimizer, made.backward


def accelerate(model, optimizer):
    from accelerate import Accelerator

    made = Accelerator(cpu=True)
    return *made.prepare(model, optimizer), made.backward


def main(library):
    torch.manual_seed(0)
    inputs, labels = torch.randn(sum(ROWS), 6), torch.arange(sum(ROWS)) % 4
    encoder = lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))  # noqa: E731
    alone, shared = encoder(), encoder()
    shared.load_state_dict(alone.state_dict())
    loss = rb.SmoothAPLoss(tau=0.1)
    model, optimizer, backward = {"fabric": fabric, "accelerate": accelerate}[library](shared, torch.optim.SGD(shared.parameters(), 0.1))
    assert dist.get_world_size() == 2
    mine = inputs.split(ROWS)[dist.get_rank()], labels.split(ROWS)[dist.get_rank()]
    of_all = torch.optim.SGD(alone.parameters(), 0.1)
    distributed = rb.DistributedLoss(loss)

    def at_once():
        value = distributed(normalize(model(mine[0]), dim=1), mine[1])
        backward(value)
        return value

    def in_chunks():
        return rb.two_pass_backward(model, mine[0], lambda x: distributed(normalize(x, dim=1), mine[1]), chunk_size=3)

    for step in (at_once, in_chunks, at_once):
        expected = loss(normalize(alone(inputs), dim=1), labels)
        of_all.zero_grad()
        expected.backward()
        optimizer.zero_grad()
        torch.testing.assert_close(step().detach(), expected.detach(), rtol=1e-5, atol=1e-6)
        for one, other in zip(shared.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)
        of_all.step()
        optimizer.step()
    print(f"fine {dist.get_rank()}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
    gc.collect()  # what these libraries leave in cycles holds the process group, which must not end with the interpreter
    dist.destroy_process_group()
