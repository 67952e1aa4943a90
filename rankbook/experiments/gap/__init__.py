"""The decomposability gap while a model trains: three tables, ``python -m rankbook.experiments.gap``."""
