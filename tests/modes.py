"""The ambient modes of torch, which change no result: one list for the contracts of rankers, metrics, losses and sorters.

Each is a function that gives a context manager.
"""

import contextlib
import warnings
from functools import partial

import torch

import rankbook as rb


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextlib.contextmanager
def anomaly():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Anomaly Detection has been enabled")
        with torch.autograd.detect_anomaly():
            yield


MODES = {
    "autocast bfloat16": partial(torch.autocast, "cpu", torch.bfloat16),
    "autocast float16": partial(torch.autocast, "cpu", torch.float16),
    "default dtype float64": partial(default_dtype, torch.float64),
    "default dtype float16": partial(default_dtype, torch.float16),
    "default device meta": partial(torch.device, "meta"),
    "deterministic": deterministic,
    "anomaly": anomaly,
    "values not read": rb.checks.off,
}
#: In these there is no gradient.
WITHOUT_GRADIENT = {"no_grad": torch.no_grad, "inference": torch.inference_mode}
