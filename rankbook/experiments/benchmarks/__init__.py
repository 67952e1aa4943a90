"""Time, memory and values next to peers: ``python -m rankbook.experiments.benchmarks`` says what it would do."""
