"""One visible training loop that stops before a step would spoil the weights, and resumes to the same bits."""

from __future__ import annotations

import inspect
import itertools
import math
import os
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm.auto import tqdm

from rankbook.checks import check_callable, check_count, check_instance
from rankbook.precision import gradients
from rankbook.training.checkpoint import Checkpoint, configure, row_of
from rankbook.training.sources import Batches, Pair, endless, resumable
from rankbook.training.together import Together, unwrapped


def train(
    model: nn.Module,
    loss_fn: Callable[..., Tensor],
    batches: Batches | Iterable[Any],
    optimizer: Optimizer,
    *,
    steps: int,
    pair: Pair | None = None,
    scheduler: LRScheduler | None = None,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    every: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Minimize ``loss_fn(model(inputs), labels)``.

    Args:
        model: inputs -> embeddings.
        loss_fn: (embeddings, labels) -> loss, such as `rankbook.SmoothAPLoss`.
        batches: pairs (inputs, labels): an iterator such as `BalancedBatches`, or an iterable such as a ``DataLoader``, which
            starts anew each epoch. Tensors go to the device of the model; labels may be texts.
        pair: batch -> (inputs, labels), for batches that are no pairs: ``itemgetter("image", "label")`` of Python's ``operator``
            for dictionaries, ``itemgetter(0, 2)`` for longer tuples.
        optimizer, scheduler: of torch; the scheduler steps after each batch.
        steps: length of the whole training, resumed or not.
        evaluate: model -> numbers for the history; called in evaluation mode, without gradients.
        every: a row of history and a checkpoint after so many steps; None: at the end only.
        checkpoint: file that holds the state. If it exists, training goes on from there, and ends in the same bits as one
            that was never interrupted; more ``steps`` than before are fine. It holds model, optimizer, scheduler, batches, the
            weights of a loss that is a Module, and torch's random state, so ``batches`` needs ``state_dict`` and
            ``load_state_dict``, or is a ``DataLoader`` over a `BalancedBatchSampler` (what its workers draw at random is not
            held). One training at a time writes it.

    Several processes train one model in ``DistributedDataParallel``: each makes this call with its own batches, such as its part of
    those of a `BalancedBatchSampler`, and `DistributedLoss`. The process of rank 0 keeps the one checkpoint, which has the batches and
    the random state of each; kill any of them, start all again, and they go on together. ``evaluate`` is called on all, with the model
    itself: `evaluate_distributed` shares the work. The bits are the same for two processes; for more, with gradients averaged as
    ``rankbook.training.together.averages_in_order`` does, else to rounding.

    Returns: the history, one row each ``every`` steps: step, mean loss since the row before, and what ``evaluate`` returns.

    Cost: beside the model's own, one norm of the gradients a step.

    Raises:
        FloatingPointError: a loss, a gradient or a weight is NaN or infinite; the checkpoint before it stays.
        TypeError: an optimizer or a scheduler whose step needs an argument (``LBFGS``, ``ReduceLROnPlateau``), a batch that is no pair
            (and no ``pair`` says which two are meant), an ``evaluate`` that returns no numbers, a state that could not be read back.
        ValueError: an optimizer of no weight that the loss depends on; batches that end; a damaged checkpoint, or one of another
            training: the error says what differs.
        OSError: the checkpoint cannot be written; noticed before the first step.
        RuntimeError: another process trains into this checkpoint; of several processes, one has met an error.

    Set the environment variable ``TQDM_DISABLE=1`` for no progress bar.

    >>> embeddings, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    >>> head = torch.nn.Linear(4, 2, bias=False)
    >>> batches = rb.BalancedBatches(embeddings, labels, classes=2, per_class=2, generator=torch.Generator())
    >>> history = rb.train(head, rb.SmoothAPLoss(tau=0.1), batches, torch.optim.Adam(head.parameters(), lr=0.1), steps=20, every=10)
    >>> history["step"].tolist()
    [10, 20]
    """
    check_instance("model", model, nn.Module, "torch.nn.Linear(6, 2)")
    _check_step("optimizer", check_instance("optimizer", optimizer, Optimizer, example := "torch.optim.Adam(model.parameters())"), example)
    check_callable("loss_fn", loss_fn)
    steps = check_count("steps", steps)
    every = steps if every is None else check_count("every", every)
    if pair is not None:
        check_callable("pair", pair)
    together, core = Together(model), unwrapped(model)
    _check_shared(loss_fn, together)
    together.agree("rb.train", {"steps": steps, "every": every, "whether a checkpoint is given": checkpoint is not None})
    batches = batches if checkpoint is None else resumable(batches)
    parts = {"model": core, "optimizer": optimizer, "batches": batches}
    if scheduler is not None:
        check_instance("scheduler", scheduler, LRScheduler, example := "torch.optim.lr_scheduler.LinearLR(optimizer)")
        parts["scheduler"] = _check_step("scheduler", scheduler, example)
    if evaluate is not None:
        check_callable("evaluate", evaluate)
    if isinstance(loss_fn, nn.Module):
        parts["loss"] = unwrapped(loss_fn)
    names = _names_of_weights(core, loss_fn, optimizer, complete=checkpoint is not None)
    home = next(itertools.chain(model.parameters(), model.buffers()), None)
    pairs = endless(batches, pair, None if home is None else home.device)

    with gradients(), Checkpoint(checkpoint, parts, lambda: configure(core, loss_fn, batches, optimizer, scheduler), together) as state:
        history = state.load()
        done = history[-1]["step"] if history else 0
        if done > steps:
            raise ValueError(f"checkpoint {checkpoint} is at step {done}, beyond steps={steps}; ask for more steps or delete it")
        total, since = _unfinished(history, steps, every)
        model.train()
        quiet = bool(os.environ.get("TQDM_DISABLE")) or together.rank > 0  # the notebook bar of tqdm does not read it
        for step in tqdm(range(done + 1, steps + 1), initial=done, total=steps, unit="step", leave=None, disable=quiet):
            inputs, labels = next(pairs)
            loss = loss_fn(model(inputs), labels)
            _check_loss(loss, step)
            optimizer.zero_grad()
            loss.backward()
            gradients_of = {name: weights.grad for name, weights in names.items()}
            if step == done + 1:
                _check_reached(gradients_of)
            _check_finite("gradient", gradients_of, step)
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            total += loss.item()
            if step == steps or step % every == 0:
                _check_finite("value", names, step)
                row = {"step": step, "loss": total / (step - since)}
                total, since = 0.0, step
                if evaluate is not None:
                    model.eval()
                    with torch.no_grad():
                        row |= row_of(evaluate(core))
                    model.train()
                history.append(row)
                state.save(history)
    model.eval()
    return pd.DataFrame(history)


def _unfinished(history: list[dict[str, Any]], steps: int, every: int) -> tuple[float, int]:
    """Sum of the losses since the last row that stays, and its step: where a shorter training ended is no row of a longer one."""
    done = history[-1]["step"] if history else 0
    if done == steps or done % every == 0:
        return 0.0, done
    loss = history.pop()["loss"]
    since = history[-1]["step"] if history else 0
    return loss * (done - since), since


def _check_shared(loss_fn: Any, together: Together) -> None:
    """Weights of the loss are shared as those of the model are, or each process would train others."""
    alone = isinstance(loss_fn, nn.Module) and unwrapped(loss_fn) is loss_fn
    if together.count > 1 and alone and any(weights.requires_grad for weights in loss_fn.parameters()):
        raise ValueError(
            f"loss_fn has weights of its own, which {together.count} processes must share as they share the model's; "
            "try torch.nn.parallel.DistributedDataParallel(loss_fn)"
        )


def _names_of_weights(model: nn.Module, loss_fn: Any, optimizer: Optimizer, *, complete: bool) -> dict[str, Tensor]:
    """What the optimizer trains, by name. ``complete``: all of it must be part of the model or of the loss."""
    of_loss = loss_fn.named_parameters(prefix="loss_fn") if isinstance(loss_fn, nn.Module) else ()
    known = {weights: name for name, weights in (*of_loss, *model.named_parameters())}
    trained = [weights for group in optimizer.param_groups for weights in group["params"]]
    if complete and any(weights not in known for weights in trained):
        raise ValueError(
            "optimizer trains a parameter that neither model nor loss_fn holds, so a checkpoint would lose it; make it part of the "
            "model, or of a loss that is a torch.nn.Module"
        )
    return {known.get(weights, f"parameter {place} of the optimizer"): weights for place, weights in enumerate(trained)}


def _check_step(name: str, part: Any, example: str) -> Any:
    """Return an optimizer or a scheduler whose step needs no argument."""
    _, *takes = inspect.signature(type(part).step).parameters.values()  # of its type: a scheduler wraps the optimizer's own
    needed = [one.name for one in takes if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    if needed:
        raise TypeError(f"{name} must be one whose step() needs no {needed[0]}, such as {example}, got {type(part).__name__}")
    return part


def _check_reached(gradients_of: dict[str, Tensor | None]) -> None:
    """Training that moves no weight is none."""
    if all(gradient is None for gradient in gradients_of.values()):
        raise ValueError(
            f"optimizer must train a weight that the loss depends on, but none of its {len(gradients_of)} parameters has a gradient; "
            "give it those of this model, torch.optim.Adam(model.parameters()), unfrozen"
        )


def _check_loss(loss: Any, step: int) -> None:
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
        got = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        got += " without a gradient" if isinstance(loss, Tensor) and not loss.requires_grad else ""
        raise TypeError(f"loss_fn must return one number with a gradient, got {got}; look at its reduction, and at detach()")
    if not math.isfinite(loss.item()):
        raise FloatingPointError(f"the loss is {loss.item()} at step {step}; try a lower learning rate or look at the batch")


def _check_finite(what: str, tensors: dict[str, Tensor | None], step: int) -> None:
    """One norm, read once: only if that is not finite are the tensors looked at one by one."""
    dense = {name: x.detach().coalesce().values() if x.is_sparse else x.detach() for name, x in tensors.items() if x is not None}
    norms = [torch.linalg.vector_norm(x) for x in dense.values()]
    if not norms or math.isfinite(torch.stack([norm.to(norms[0].device) for norm in norms]).sum()):
        return
    for name, tensor in dense.items():
        if not tensor.isfinite().all():
            raise FloatingPointError(
                f"the {what} of {name} is not finite at step {step}, while the loss is; try a lower learning rate, or look for a "
                "division by zero, a root of 0 or an overflow in the model"
            )
