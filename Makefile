# Each target does all of its own set-up on a fresh machine: it needs Python >= 3.10, a JDK >= 17 and Maven.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-full lint types bench lock wheel-demo clean

help:
	@echo "make demo       catalogue to measured search on a real engine"
	@echo "make test       the test suite, on a real engine"
	@echo "make test-full  the same with the slow tests"
	@echo "make lint       ruff, import-linter; make types: mypy"
	@echo "make bench      the benchmarks, as JSON lines in benchmarks/results/"
	@echo "make wheel-demo the demo from a built wheel in an environment of its own"
	@echo "make lock       pin requirements/*.txt again (needs uv)"

$(READY): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed (set PYTHON=)")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)
	@$(BIN)/kokeshi demo

test: $(READY)
	@$(BIN)/python -m pytest -m "not slow"

test-full: $(READY)
	@$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/mypy

bench: $(READY)
	@$(BIN)/python -m benchmarks.search

wheel-demo: $(READY)
	@rm -rf build/wheel
	@mkdir -p build/wheel
	$(BIN)/python -m build --wheel --no-isolation --outdir build/wheel . > build/wheel/log
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	build/wheel/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps build/wheel/*.whl
	cd build/wheel && venv/bin/kokeshi demo
	@rm -rf build/wheel

lock:
	uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate --group dev --extra text --extra eval pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate --extra text --extra eval -c requirements/dev.txt pyproject.toml -o requirements/runtime.txt

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
