"""The long runs behind the stored results: studies (``python -m rankbook.experiments``), learned sorters, benchmarks."""
