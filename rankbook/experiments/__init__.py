"""The long runs behind the stored results, one module each: ``python -m rankbook.experiments.NAME``."""
