"""One training in one folder: what it is, its data, its network, and `rankbook.train` with a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm.auto import tqdm

from rankbook import losses
from rankbook.datasets import Samples
from rankbook.evaluation import RETRIEVAL_METRICS
from rankbook.experiments.tasks.hierarchical import BY_LEVELS
from rankbook.experiments.train.data import checksum, loader_of, split_samples
from rankbook.experiments.train.networks import network_for
from rankbook.files import locked, probe, write_whole
from rankbook.losses.batch_loss import BatchLoss
from rankbook.scale import DistributedLoss, evaluate_distributed
from rankbook.scale.processes import rank, world
from rankbook.training import BalancedBatchSampler, HierarchicalBatchSampler, train
from rankbook.training.samplers import EpochSampler
from rankbook.training.together import Together, averages_in_order, unwrapped

CONFIGURATION, CHECKPOINT, HISTORY, WEIGHTS = "configuration.json", "checkpoint.pt", "history.csv", "weights.safetensors"
#: The losses of a batch that processes can share.
BATCH_LOSSES = [
    name
    for name in losses.__all__
    if isinstance(loss := getattr(losses, name), type) and issubclass(loss, BatchLoss) and loss is not losses.BatchRankLoss
]


@dataclass(frozen=True)
class Plan:
    """What makes a training this one. The options of the command have the same names, and say what they mean."""

    data: str
    loss: str
    steps: int
    knobs: Mapping[str, Any] = field(default_factory=dict)
    inputs: str | None = None
    size: int | None = None
    validation: float = 0.25
    lr: float = 1e-3
    every: int | None = None
    seed: int = 0
    classes: int = 32
    per_class: int = 4
    groups: int | None = None
    level: int = 1
    outputs: int = 256

    def make_loss(self) -> BatchLoss:
        """
        Raises:
            ValueError, TypeError: no such loss, or knobs that it has not.
        """
        if self.loss not in BATCH_LOSSES:
            raise ValueError(f"loss must be one of {', '.join(BATCH_LOSSES)}, got {self.loss}")
        return getattr(losses, self.loss)(**self.knobs)

    def sampler(self, levels: Tensor) -> EpochSampler:
        """This process's part of batches that are the same whatever the number of processes."""
        share = {"seed": self.seed, "num_replicas": world(), "rank": rank() if world() > 1 else 0}
        if self.groups is None:
            return BalancedBatchSampler(levels, classes=self.classes, per_class=self.per_class, **share)
        of_groups = {"groups": self.groups, "classes": self.classes, "per_class": self.per_class, "level": self.level}
        return HierarchicalBatchSampler(levels, **of_groups, **share)


def run(plan: Plan, out: Path, *, root: Path | None = None, device: torch.device, workers: int = 0) -> pd.DataFrame:
    """Train, or go on; the history. All processes of a group make the same call.

    Raises:
        ValueError: what a loader, a sampler or a loss refuses; a folder that holds another training.
    """
    loss = plan.make_loss()
    samples, judged = split_samples(plan.data, root, inputs=plan.inputs, size=plan.size, validation=plan.validation)
    labels = samples.levels if loss.graded else samples.labels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        model: nn.Module = network_for(samples.inputs[torch.tensor([0])], plan.outputs).to(device)
        if world() > 1:
            model = averages_in_order(DistributedDataParallel(model)) if device.type == "cpu" else DistributedDataParallel(model, [device])
        together = Together(model)
        told = {"processes": together.count, "device": device.type, "train": checksum(samples), "validation samples": checksum(judged)}
        together.first("taking the folder", lambda: claim(out, asdict(plan) | told))
        optimizer = torch.optim.AdamW(model.parameters(), lr=plan.lr)
        history = train(
            model,
            DistributedLoss(loss),
            loader_of(samples.inputs, labels, plan.sampler(samples.levels), workers),
            optimizer,
            steps=plan.steps,
            scheduler=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.steps),
            evaluate=lambda network: _judge(network, judged, device, quiet=together.rank > 0),
            every=plan.every or max(1, plan.steps // 10),
            checkpoint=out / CHECKPOINT,
        )
    together.first("writing the result", lambda: _write(out, history, unwrapped(model)))
    return history


def claim(folder: Path, configuration: Mapping[str, Any]) -> None:
    """Note what is trained in a folder.

    Raises:
        ValueError: another training is there; the message says what differs.
    """
    path = folder / CONFIGURATION
    probe(path)
    now = json.loads(json.dumps(configuration))
    with locked(path):
        if not path.exists():
            write_whole(path, (json.dumps(now, indent=1) + "\n").encode())
            return
        try:
            before = dict(json.loads(path.read_bytes()))
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}; delete it with the rest of the folder, or choose another --out") from error
    names = [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]
    if names:
        told = "; ".join(f"{name} was {before.get(name)}, is now {now.get(name)}" for name in names)
        raise ValueError(f"{folder} holds another training: {told}. Choose another --out, or delete the folder to start anew")


def _judge(network: nn.Module, samples: Samples, device: torch.device, *, quiet: bool) -> dict[str, float]:
    """Retrieval among the samples; each process embeds its part of them, and ranks all for it."""
    count, own = world(), rank() if world() > 1 else 0
    rows = torch.arange(len(samples)).tensor_split(count)[own]
    parts = [network(samples.inputs[chunk].to(device)) for chunk in rows.split(256) if len(chunk)]
    width = network.linear.out_features
    embeddings = torch.cat(parts) if parts else torch.empty(0, width, device=device)
    found = evaluate_distributed(embeddings, samples.labels[rows], metrics=RETRIEVAL_METRICS)
    if samples.levels.shape[1] > 1:
        found |= evaluate_distributed(embeddings, samples.levels[rows], metrics=BY_LEVELS)
    if not quiet:
        tqdm.write(", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    return found


def _write(folder: Path, history: pd.DataFrame, network: nn.Module) -> None:
    from safetensors.torch import save

    write_whole(folder / HISTORY, history.to_csv(index=False).encode())
    write_whole(folder / WEIGHTS, save({name: value.cpu().contiguous() for name, value in network.state_dict().items()}))
