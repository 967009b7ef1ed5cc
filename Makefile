# Set-up and the common tasks. `make demo` and `make test` need nothing but Python 3.11 to 3.13.
# `make check` is for the inner loop: the linters, and the quick tests without Ray on all cores.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint check lock clean
demo: .venv/installed
	$(BIN)/galaxytune demo

test: .venv/installed
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto -m "not ray and not slow"

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Resolve what is new: needs `uv` on the path. Names no registry, so any mirror serves it. Pins
# stay as they are; `make lock UPGRADE=--upgrade` takes the newest of all.
UPGRADE ?=
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	    --quiet $(UPGRADE) --output-file requirements.lock

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache demo
