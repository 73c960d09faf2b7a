# Every target builds the environment it needs first: from requirements.lock, pinned and hashed, into .venv.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NODE_READY := tests/node/node_modules/.package-lock.json

.PHONY: help bench load serve test lint types lock clean
.DEFAULT_GOAL := help

help:  ## what there is to make
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

# --without-pip: on Debian, `venv` alone lacks ensurepip, so the pip that is there installs into the new environment.
$(READY): requirements.lock pyproject.toml
	@rm -rf $(VENV)
	@$(PYTHON) -m venv --without-pip $(VENV)
	@echo "Installing the environment into $(VENV) ..."
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $(READY)

# The official Socket.IO server and client, for the tests. Node itself comes with the environment.
$(NODE_READY): tests/node/package-lock.json $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix tests/node --silent
	@touch $@

bench: $(READY)  ## latency: run `pytest bench`, store the JSON under results/latency, print the table
	$(BIN)/pytest bench

load: $(READY)  ## load: 20 s of Locust without its page, against the service that it starts itself
	$(BIN)/locust -f locustfile.py --headless --users 50 --spawn-rate 50 --run-time 20s --only-summary

serve: $(READY)  ## the FOO→BAR service on http://127.0.0.1:8000
	$(BIN)/python -m app

# Most of the time the tests wait for processes: two at a time take little more than half as long.
test: $(READY) $(NODE_READY)  ## the tests
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(READY)  ## ruff, lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

# The lock file names no index, and holds for every Python from 3.11 on.
lock: $(READY)  ## resolve requirements.lock anew
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-annotate --upgrade --extra dev pyproject.toml -o requirements.lock

clean:  ## remove the environment and the caches; results stay
	rm -rf $(VENV) tests/node/node_modules .pytest_cache .mypy_cache .ruff_cache *.egg-info build
