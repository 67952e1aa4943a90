"""How the shipped sorters are made and what they can do: ``python -m rankbook.experiments.sorters`` says what it would do."""
