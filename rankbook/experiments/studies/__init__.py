"""The studies of the book, data only, one file each: a module with a ``STUDY``. A new one is found by being there."""

from __future__ import annotations

import importlib
import pkgutil

from rankbook.experiments.study import Study


def studies() -> dict[str, Study]:
    """Every study, by name.

    >>> from rankbook.experiments.studies import studies
    >>> "smooth_ap" in studies()
    True
    """
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return {module.STUDY.name: module.STUDY for module in modules}
