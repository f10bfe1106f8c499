# Each target does all of its own set-up on a fresh machine: it needs Python >= 3.10, a JDK >= 17 and Maven.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-full test-matrix test-clients lint types bench lock wheel-demo clean

help:
	@echo "make demo       catalogue to measured search on a real engine"
	@echo "make test       the test suite, on real engines"
	@echo "make test-full  the same with the slow tests"
	@echo "make test-matrix what depends on the engine, on the oldest supported versions"
	@echo "make test-clients the same with the oldest and the newest client libraries"
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

ENGINE_TESTS := tests/conformance tests/property/test_engines.py tests/integration/test_eval.py \
	tests/integration/test_eval_definitions.py tests/integration/test_eval_store.py \
	tests/integration/test_lifecycle.py tests/integration/test_icecat.py tests/integration/test_fashion.py \
	tests/integration/test_security.py

test-matrix: $(READY)
	@KOKESHI_TEST_OPENSEARCH_VERSION=2.19 KOKESHI_TEST_ELASTICSEARCH_VERSION=8.19 \
		$(BIN)/python -m pytest $(ENGINE_TESTS)

OLDEST_CLIENTS := elasticsearch==8.19.0 opensearch-py==2.8.0
NEWEST_CLIENTS := 'elasticsearch<10' 'opensearch-py<4'

test-clients: $(READY)
	@rm -rf build/clients
	@for clients in "$(OLDEST_CLIENTS)" "$(NEWEST_CLIENTS)"; do \
		$(PYTHON) -m venv --clear build/clients; \
		build/clients/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt; \
		build/clients/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
		eval build/clients/bin/python -m pip install --quiet --disable-pip-version-check --upgrade $$clients; \
		build/clients/bin/python -m pytest tests/conformance tests/unit/test_engine_errors.py tests/unit/test_engine_retry.py tests/unit/test_connection.py tests/unit/test_connection_secrets.py tests/integration/test_security.py; \
	done
	@rm -rf build/clients

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/mypy

bench: $(READY)
	@$(BIN)/python -m benchmarks.search
	@$(BIN)/python -m benchmarks.rank_eval

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
	uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate --group dev --extra text --extra onnx --extra async --extra aws --extra codes --extra metrics --extra parquet --extra kafka --extra ray --extra report pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate --extra text --extra async --extra metrics --extra report -c requirements/dev.txt pyproject.toml -o requirements/runtime.txt

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
