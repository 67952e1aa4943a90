# Each target is a short list of plain commands; README.md prints them for those without make.
PYTHON ?= python3
PY := $(if $(filter Windows_NT,$(OS)),.venv/Scripts/python.exe,.venv/bin/python)

# One thread: two test workers share two cores, and sums come out in the same order everywhere.
export OMP_NUM_THREADS = 1
export MKL_NUM_THREADS = 1
export TQDM_DISABLE = 1
export PYTHONHASHSEED = 0

.DEFAULT_GOAL := help
.PHONY: help setup book read test unit nbval pages notebooks lint bench gpu clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv and install the pinned packages, if they are not there
	@$(PYTHON) tools/bootstrap.py

book: setup ## build the book strictly, if anything changed, and print where it is
	@$(PY) tools/build_book.py

read: book ## build, serve and open the book
	@$(PY) tools/read_book.py

test: lint unit nbval pages ## everything that must hold: lint, unit tests, every notebook's numbers, strict build, browser tests

unit: setup ## unit tests
	$(PY) -m pytest tests --ignore=tests/pages -n 2 --dist loadfile -q

nbval: setup ## run every notebook from the wheel, alone and offline, and compare with the stored outputs
	$(PY) tools/check_notebooks.py

pages: book ## browser tests of the built pages
	$(PY) -m pytest tests/pages -n 2 --dist loadfile -q -rs

notebooks: setup ## execute the notebooks and store normalised outputs
	$(PY) tools/refresh_notebooks.py

lint: setup ## ruff on code and notebooks
	$(PY) -m ruff check .

bench: setup ## time and memory of the losses next to their peers
	$(PY) -m rankbook.experiments.benchmarks all

gpu: ## tests and times on a CUDA GPU, with the torch of your own Python (PYTHON=...); nothing is installed
	$(PYTHON) -m rankbook.experiments.benchmarks.gpu

clean: ## remove what was built; .venv stays
	rm -rf _build build book/_static/rb .pytest_cache .ruff_cache .hypothesis
