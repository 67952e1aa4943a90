"""The examples of all docstrings run, with nothing but `rb`, `torch` and `partial` at hand: what a reader would have imported."""

import doctest
import importlib
import inspect
from functools import partial
from pathlib import Path

import pytest
import torch

import rankbook as rb

PACKAGE = Path(rb.__file__).parent
MODULES = sorted(
    ".".join(["rankbook", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.name != "__main__.py"
)


def run(module) -> tuple[int, str]:
    """How many examples ran, and what the failed ones print."""
    said, ran = [], 0
    runner = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, globs={"rb": rb, "torch": torch, "partial": partial}):
        ran += runner.run(test, out=said.append).attempted
    return ran, "".join(said)


#: Modules that cannot be imported without what only some machines have.
NEEDS = {"rankbook.ranks.tiles": "triton"}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    _, said = run(importlib.import_module(name))
    assert not said, said


def test_a_broken_example_is_seen():
    module = type(rb)("broken")
    module.__doc__ = ">>> rb.exact_ranks(torch.tensor([0.2, 0.9]))\ntensor([1., 2.])\n"
    ran, said = run(module)
    assert ran == 1
    assert "tensor([2., 1.])" in said


# Figures are left out: an example of one prints nothing that says whether it is right.
PUBLIC = {n: getattr(rb, n) for n in rb.__all__} | {n: getattr(m, n) for m in (rb.checks, rb.datasets, rb.integrations) for n in m.__all__}


@pytest.mark.parametrize("name", sorted(n for n, value in PUBLIC.items() if callable(value)))
def test_every_public_name_has_an_example(name):
    assert ">>> " in (inspect.getdoc(PUBLIC[name]) or ""), f"rb.{name} has no example in its docstring"
