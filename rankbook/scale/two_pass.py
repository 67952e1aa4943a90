"""A batch that the memory of the encoder cannot hold: every embedding first, then the graph of one chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rankbook.checks import check_callable, check_count, reads_values
from rankbook.precision import full_precision, gradients
from rankbook.scale.random_state import RandomState

#: By how much the embeddings of the two passes may differ: kernels that are not deterministic differ in the last digits.
_SAME = 1e-2


def two_pass_backward(
    encoder: Callable[..., Any],
    inputs: Any,
    loss_fn: Callable[..., Tensor],
    *,
    chunk_size: int,
    scaler: Any = None,
) -> Tensor:
    r"""``loss_fn(encoder(inputs)).backward()`` with the memory of a chunk: a loss sees the whole batch, a graph only a part of it.

    .. math:: \frac{\partial \mathcal{L}}{\partial \theta} = \sum_{c} \Big(\frac{\partial X_c}{\partial \theta}\Big)^{\!\top}
        \frac{\partial \mathcal{L}}{\partial X_c}

    The first pass embeds all chunks :math:`c` without a graph; the loss of all embeddings :math:`X` gives its gradient at each; the
    second pass embeds a chunk once more, with its graph, and hands it its share of the gradient.

    Args:
        encoder: a module or function, ``encoder(chunk) -> embeddings [rows, d]``. For several towers, a module that returns a tuple
            of embeddings, such as ``(images, texts)``.
        inputs: ``[b, ...]``; or a list of ``b`` things, a dictionary of such, of which each chunk gets a slice; or a tuple of
            such, which is handed over as several arguments: ``encoder(*chunks)``.
        loss_fn: ``loss_fn(embeddings) -> loss``, for several towers ``loss_fn(*embeddings)``: a batch loss with the labels bound,
            ``lambda x: loss(x, labels)``.
        chunk_size: items of a chunk. Smaller takes less memory, and more time as soon as the machine is no longer busy with one.
        scaler: a ``torch.amp.GradScaler`` for float16. The gradients are then scaled, the loss that is returned is not.

    Returns: the loss, detached. Gradients are added to ``.grad``, as ``backward`` does; step the optimizer, and set them to zero, as ever.

    The two passes are the same pass twice:

    - torch's random state, of the CPU and of the devices in use, is set back before each chunk, so dropout drops the same units;
      afterwards it is where the first pass and the loss have left it. Randomness of ``random`` or of numpy is not set back.
    - Buffers are set back before the second pass, which then changes them for good: running statistics move once for each chunk, in
      order. In training mode, batch normalization normalizes each *chunk*: that is another function than the whole batch at once (the
      gradient is exactly that of the chunks). In evaluation mode, and for all layers that treat items alone, the gradient is that of
      one pass.
    - Autocast of the caller holds in both, and in neither backward pass.

    If the embeddings of a chunk differ between the passes all the same, an error says so, before the gradient of the chunk is wrong.

    Under ``DistributedDataParallel`` (whatever has ``no_sync()``) the gradients of all processes are averaged once, with the last
    chunk. Then the processes may have different numbers of chunks. ``loss_fn`` may be a `DistributedLoss` with its labels.

    Cost: one forward pass more, so 4/3 of the time of an encoder whose backward pass takes twice its forward pass; memory for the graph
    of one chunk, the embeddings and their gradient.

    Raises:
        ValueError: inputs of different lengths or none, an encoder that returns other numbers of rows or embeddings without gradient.
        TypeError: a loss that is not one number with a gradient.
        RuntimeError: other embeddings in the second pass.

    Source: GradCache, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup (RepL4NLP 2021, 2101.06983).

    >>> encoder = torch.nn.Linear(4, 2, bias=False)
    >>> inputs, labels = torch.eye(4), torch.tensor([0, 0, 1, 1])
    >>> loss = rb.two_pass_backward(encoder, inputs, lambda x: rb.SmoothAPLoss(tau=0.1)(x, labels), chunk_size=2)
    >>> one_pass = rb.SmoothAPLoss(tau=0.1)(encoder(inputs), labels)
    >>> torch.allclose(encoder.weight.grad, torch.autograd.grad(one_pass, encoder.weight)[0])
    True
    """
    check_callable("encoder", encoder)
    check_callable("loss_fn", loss_fn)
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    rows = _rows(arguments)
    chunk_size = check_count("chunk_size", chunk_size)
    chunks = [slice(at, min(at + chunk_size, rows)) for at in range(0, rows, chunk_size)]
    module = encoder if isinstance(encoder, nn.Module) else None
    random = RandomState([*(() if module is None else module.parameters()), *_buffers(module).values(), *_tensors(arguments)])

    with gradients():
        # the averages over processes are the second pass's affair
        first = encoder.module if isinstance(encoder, DistributedDataParallel) else encoder
        before, states, parts = {name: buffer.clone() for name, buffer in _buffers(module).items()}, [], []
        with torch.no_grad():
            for chunk in chunks:
                states.append(random.get())
                parts.append(_embed(first, arguments, chunk))
            for name, buffer in _buffers(module).items():
                if name in before:
                    buffer.copy_(before[name])
        if len({len(part) for part in parts}) > 1:
            raise ValueError(f"encoder must return as many embeddings for each chunk, got {sorted({len(part) for part in parts})}")
        torch.clear_autocast_cache()  # in torch 2.4, weights that were cast without a graph would give none to the second pass
        leaves = [torch.cat(tower).requires_grad_() for tower in zip(*parts, strict=True)]
        del parts
        loss = _check_loss(loss_fn(*leaves))
        _backward(loss if scaler is None else scaler.scale(loss))
        grads = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
        after = random.get()

        for chunk, state in zip(chunks, states, strict=True):
            later = chunk is not chunks[-1]
            with encoder.no_sync() if later and hasattr(encoder, "no_sync") else nullcontext():
                random.set(state)
                towers = _embed(encoder, arguments, chunk)
                _check_same(towers, leaves, chunk)
                wanted = [(x, grad[chunk]) for x, grad in zip(towers, grads, strict=True) if x.requires_grad]
                if not wanted:
                    raise ValueError("encoder must return embeddings with a gradient; are all of its weights frozen?")
                _pull(towers[0], *zip(*wanted, strict=True))
            torch.clear_autocast_cache()  # what was cast for this chunk belongs to its graph, which is gone
        random.set(after)
    return loss.detach()


def _buffers(module: nn.Module | None) -> dict[str, Tensor]:
    return {} if module is None else dict(module.named_buffers())


def _embed(encoder: Callable[..., Any], arguments: tuple[Any, ...], chunk: slice) -> tuple[Tensor, ...]:
    """The embeddings of a chunk, one tensor a tower."""
    result = encoder(*(_cut(argument, chunk) for argument in arguments))
    towers = tuple(result) if isinstance(result, (tuple, list)) else (result,)
    rows = chunk.stop - chunk.start
    for tower in towers:
        if not isinstance(tower, Tensor) or tower.dim() == 0 or len(tower) != rows:
            got = f"shape {tuple(tower.shape)}" if isinstance(tower, Tensor) else type(tower).__name__
            raise ValueError(
                f"encoder must return embeddings [rows, d], a tensor or a tuple of tensors, for the {rows} rows of a chunk, got {got}"
            )
    return towers


def _cut(argument: Any, chunk: slice) -> Any:
    return {name: value[chunk] for name, value in argument.items()} if isinstance(argument, Mapping) else argument[chunk]


def _parts(arguments: tuple[Any, ...]) -> Iterator[Any]:
    for argument in arguments:
        yield from argument.values() if isinstance(argument, Mapping) else (argument,)


def _tensors(arguments: tuple[Any, ...]) -> list[Tensor]:
    return [part for part in _parts(arguments) if isinstance(part, Tensor)]


def _rows(arguments: tuple[Any, ...]) -> int:
    """How many items the inputs have, all of them."""
    parts = list(_parts(arguments))
    for part in parts:
        if not (isinstance(part, Tensor) and part.dim() > 0) and (isinstance(part, (str, bytes)) or not isinstance(part, Sequence)):
            raise TypeError(
                "inputs must be a tensor [b, ...], a list of b things, a dictionary of such, or a tuple of such for an encoder of "
                f"several arguments, got {type(part).__name__}"
            )
    lengths = {len(part) for part in parts}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"inputs must have the same number of items everywhere, at least one, got {sorted(lengths) or 'none'}")
    return lengths.pop()


def _check_loss(loss: Any) -> Tensor:
    if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
        got = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        got += " without a gradient" if isinstance(loss, Tensor) and not loss.requires_grad else ""
        raise TypeError(f"loss_fn must return one number with a gradient, got {got}; look at its reduction, and at detach()")
    return loss


def _check_same(towers: tuple[Tensor, ...], leaves: list[Tensor], chunk: slice) -> None:
    """Raise if the second pass gives other embeddings than the first."""
    for now, leaf in zip(towers, leaves, strict=True):
        now, then = now.detach(), leaf.detach()[chunk]
        if reads_values(now) and not torch.allclose(now, then, rtol=_SAME, atol=_SAME * float(then.abs().max()), equal_nan=True):
            raise RuntimeError(
                f"encoder gave other embeddings in the second pass, first in rows {chunk.start} to {chunk.stop - 1}; it draws random "
                "numbers from elsewhere than torch, or keeps something that is no buffer: move that out of the encoder"
            )


@full_precision
def _backward(loss: Tensor) -> None:
    loss.backward()


@full_precision
def _pull(first: Tensor, embeddings: tuple[Tensor, ...], grads: tuple[Tensor, ...]) -> None:
    """Backward from the embeddings of a chunk, of which ``first`` says the device."""
    torch.autograd.backward(embeddings, grads)
