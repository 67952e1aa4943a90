"""Torch's random state of the devices in use, to be put back: dropout then drops the same units again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class RandomState:
    """The generators that work on these tensors may draw from: the CPU's, and those of their devices."""

    def __init__(self, tensors: Iterable[Tensor]):
        devices = {tensor.device for tensor in tensors}
        self.devices = [device for device in devices if device.type not in ("cpu", "meta")]

    def get(self) -> list[Tensor]:
        return [torch.get_rng_state(), *(_module(device).get_rng_state(*_place(device)) for device in self.devices)]

    def set(self, states: list[Tensor]) -> None:
        of_cpu, *others = states
        torch.set_rng_state(of_cpu)
        for device, state in zip(self.devices, others, strict=True):
            _module(device).set_rng_state(state, *_place(device))


def _module(device: torch.device) -> Any:
    return getattr(torch, device.type)


def _place(device: torch.device) -> tuple[torch.device, ...]:
    """MPS has one generator, and its functions take no device."""
    return () if device.type == "mps" else (device,)
