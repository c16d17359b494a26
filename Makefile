# Needs python3 (3.11 or newer) with its venv module, git and make; everything else is
# installed into .venv by pip. `make help` lists what there is to make.

PYTHON ?= python3
SIZE ?= 1
WORKERS ?= 2
SCALE ?= 1
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin

# the same order of sets in every process: pytest-xdist compares the names its workers collect
export PYTHONHASHSEED ?= 0
# halves of neighbours, which share servers and tables, until one worker has nothing left to do
SPREAD := -n $(WORKERS) --dist worksteal
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
COMPILE := $(BIN)/python -m compileall -q api planner engine io scheduler

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' \
		| awk -F '\t' '{ printf "  make %-10s %s\n", $$1, $$2 }'
	@echo "Settings: PYTHON=$(PYTHON)  SIZE=$(SIZE) (GB, demo)  SCALE=$(SCALE) (TPC-H, bench)  WORKERS=$(WORKERS) (tests)"

.PHONY: setup
setup: $(VENV)/.installed-dev ## make .venv with everything that tests and checks need

.PHONY: demo
demo: $(VENV)/.installed ## generate a year of taxi trips (SIZE=1 GB) and analyse it twice
	@$(BIN)/plait demo --folder data/demo --size $(SIZE)

.PHONY: test
test: setup ## fast tests
	$(BIN)/python -m pytest $(SPREAD) -m "not heavy" $(PYTEST_ARGS)

.PHONY: test-all
test-all: setup ## fast and heavy tests: TPC-H at scale factor 1, long searches
	$(BIN)/python -m pytest $(SPREAD) $(PYTEST_ARGS)

.PHONY: test-heavy
test-heavy: setup ## heavy tests alone
	$(BIN)/python -m pytest $(SPREAD) -m heavy $(PYTEST_ARGS)

.PHONY: check
check: setup lint types arrows wheel ## all that CI checks beside the tests

.PHONY: lint
lint: setup ## ruff: lint and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: setup ## mypy strict
	@$(BIN)/python .ci/typing_view.py
	cd .typing && ../$(BIN)/mypy --config-file ../pyproject.toml

.PHONY: arrows
arrows: setup ## who may import whom, sizes, public names
	$(BIN)/python -m pytest tests/architecture $(PYTEST_ARGS)

.PHONY: wheel
wheel: setup ## the built wheel answers queries in a clean environment
	@.ci/check_wheel $(BIN)/python

.PHONY: format
format: setup ## let ruff rewrite what it can
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

.PHONY: mutants
mutants: setup ## faults put into the cluster's state machines: the tests must find each (some minutes)
	$(BIN)/python -m tests.scheduler.state.mutants

.PHONY: bench
bench: $(VENV)/.installed-bench ## race DuckDB, Polars, DataFusion, Dask and pandas; writes data/bench/*.json
	$(BIN)/python -m benchmarks.startup --json data/bench/startup.json
	$(BIN)/python -m benchmarks.planning --json data/bench/planning.json
	$(BIN)/python -m benchmarks.latency --json data/bench/latency.json
	$(BIN)/python -m benchmarks.tpch --scale $(SCALE) --first --json data/bench/tpch.json
	$(BIN)/python -m benchmarks.tpch --scale $(SCALE) --first --source memory --json data/bench/tpch_memory.json
	$(BIN)/python -m benchmarks.shapes --scale $(SCALE) --json data/bench/shapes.json
	$(BIN)/python -m benchmarks.h2o --json data/bench/h2o.json
	$(BIN)/python -m benchmarks.taxi_csv --size $(SIZE) --json data/bench/taxi_csv.json
	$(BIN)/python -m benchmarks.storage --scale $(SCALE) --json data/bench/storage.json

.PHONY: clean
clean: ## remove .venv, caches, builds and generated data
	rm -rf $(VENV) .typing build dist *.egg-info data
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than pyproject.toml when .venv holds what pyproject.toml names; a second call
# then does nothing. The sources are linked (`-e`), so editing them needs no new install. pip
# compiles what it installs, but not what it links: without that, a first start is slow.

# Of all that `python -m venv` makes, pip comes last: an interrupted one is made again.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { \
		echo "plait needs Python 3.11 or newer, and there is no '$(PYTHON)'."; \
		echo "  Debian, Ubuntu:   sudo apt install python3 python3-venv"; \
		echo "  another Python:   make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "plait needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version)."; \
		echo "  make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments: its venv module is not installed."; \
		echo "  Debian, Ubuntu:   sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	@echo "installing plait and what it needs into $(VENV)"
	@$(PIP) -e .
	@$(COMPILE)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/pip
	@echo "installing plait, its tests and its checks into $(VENV)"
	@$(PIP) -e '.[test,check]'
	@$(COMPILE)
	@touch $(VENV)/.installed $@

$(VENV)/.installed-bench: pyproject.toml | $(BIN)/pip
	@echo "installing plait and those it races into $(VENV)"
	@$(PIP) -e '.[bench]'
	@$(COMPILE)
	@touch $(VENV)/.installed $@
