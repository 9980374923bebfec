# Everything a contributor runs. A bare `make` lists the targets.
# Choose another interpreter with `make test PYTHON=python3.12`; it gets an environment of its own.
# Tests run in WORKERS processes, 0 for this one alone: only many tests are worth the start of more.

PYTHON ?= python3
UV ?= uv
VERSION = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(VERSION))
RUN := $(VENV)/bin/python
TESTS ?=
WORKERS ?= $(if $(TESTS),0,auto)
WRITE ?=

# The environment is rebuilt when a lock or the interpreter changes, and else left alone.
LOCKS := requirements/build.txt requirements/development.txt
KEY = $(shell { cat $(LOCKS); $(PYTHON) -VV; } 2>&1 | cksum | cut -d' ' -f1)
STAMP = $(VENV)/.installed-$(KEY)
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --no-deps
COMPILE := $(UV) pip compile --universal --generate-hashes --no-annotate --no-header --no-config \
	--python-version 3.11 --quiet

.DEFAULT_GOAL := help
.PHONY: help setup check format imports types architecture dead-code spelling fix test unit quick demo \
	bench simulate experiments mutants fuzz disks kill soak vectors lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## create the environment from the hash-locked requirements
	@test -f $(STAMP) || $(MAKE) --no-print-directory $(STAMP)

$(VENV)/.installed-%:
	@echo "Creating $(VENV) with $$($(PYTHON) --version), about a minute"
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) --require-hashes --only-binary :all: --requirement requirements/build.txt
	$(PIP) --require-hashes --no-build-isolation --requirement requirements/development.txt
	$(PIP) --no-build-isolation --editable .
	@touch $@

check: format imports types architecture dead-code spelling ## every static check, under 20 s

format: setup ## formatting and lint rules (ruff)
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .

imports: setup ## who may import whom (import-linter)
	$(VENV)/bin/lint-imports --no-logo

types: setup ## static types (mypy, strict)
	$(RUN) -m mypy

architecture: setup ## sizes, names, docstrings, purity
	$(RUN) -m pytest -q tests/test_architecture.py

dead-code: setup ## code that nothing uses (vulture)
	$(RUN) -m tests.support.dead_code

spelling: setup ## common misspellings (codespell)
	$(VENV)/bin/codespell

fix: setup ## format and repair what ruff can repair
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

test: setup ## the whole test suite, in parallel; TESTS="path -k name" narrows it
	$(RUN) -m pytest --numprocesses $(WORKERS) $(TESTS)

unit: setup ## the unit tests of the protocol: no process, no server, under 20 s
	$(RUN) -m pytest --numprocesses $(WORKERS) -m "not slow" tests/protocol tests/fuzz $(TESTS)

quick: setup ## every test that takes less than about a second
	$(RUN) -m pytest -m "not slow" $(TESTS)

demo: setup ## a local network runs one job from submission to settlement
	$(RUN) -m p2pnode testnet demo

bench: setup ## measure throughput and latency
	$(RUN) -m tests.benchmarks

simulate: setup ## 500 small seeded networks in virtual time, and 20 large ones
	$(RUN) -m protocol.simulator --seeds 500
	$(RUN) -m protocol.simulator --scenario large --seeds 20

experiments: setup ## questions whose answers are known, full size; WRITE=--write renews the page
	$(RUN) -m p2pnode.lab.experiments $(WRITE)

mutants: setup ## plant small mistakes; stored DAGs and attacks must catch each one
	$(RUN) -m pytest tests/simulation/test_mutants.py tests/simulation/test_slips.py \
		tests/simulation/test_canaries.py tests/simulation/test_split_brain.py
	$(RUN) -m tests.simulation.mutants --count 3000
	$(RUN) -m tests.simulation.slips --seeds 100
	$(RUN) -m tests.simulation.split_brain --seeds 20

fuzz: setup ## feed hostile bytes and artefacts to everything that takes them, random DAGs to the commit rule
	$(RUN) -m pytest tests/fuzz tests/properties --hypothesis-profile thorough
	$(RUN) -m tests.hostile
	$(RUN) -m tests.hostile.decoding --count 1000000
	$(RUN) -m tests.hostile.malformed --count 2000
	$(RUN) -m tests.simulation.dags --count 10000 --members 4
	$(RUN) -m tests.simulation.dags --count 3000 --members 7

disks: setup ## 2,000 losses of power under the journal's own code, 2,000 flipped bits
	$(RUN) -m tests.support.fault_vfs.losses --seeds 2000
	$(RUN) -m tests.support.fault_vfs.flips --flips 2000

kill: setup ## kill 100 real nodes and 200 writers of a journal, start ten twins, and demand recovery
	KILLS=20 SNAPSHOT_KILLS=20 UPGRADES=5 STORAGE_KILLS=200 TWINS=10 $(RUN) -m pytest -s \
		tests/integration tests/p2pnode/storage -k "kill or crash or same_key"

soak: setup ## 3,000 seeded networks, old copies, every crash, interleavings of money, 260 killed nodes
	$(RUN) -m protocol.simulator --seeds 3000
	$(RUN) -m tests.simulation.old_copies --seeds 1000
	$(RUN) -m tests.simulation.crash_points
	$(RUN) -m tests.properties.interleaving --count 10000
	$(RUN) -m tests.properties.self_dealing
	$(RUN) -m tests.properties.seed_grinding
	KILLS=100 SNAPSHOT_KILLS=20 $(RUN) -m pytest -s tests/integration/test_kills.py \
		tests/integration/test_snapshot_kills.py

vectors: setup ## regenerate the golden vectors and compare
	$(RUN) -m tests.vectors.generate --check

lock: ## resolve the requirements anew (needs uv)
	$(COMPILE) requirements/build.in --output-file requirements/build.txt
	$(COMPILE) --override requirements/overrides.txt --constraint requirements/build.txt --extra dev \
		--extra lab --extra vulkan pyproject.toml --output-file requirements/development.txt
	$(COMPILE) --override requirements/overrides.txt --constraint requirements/development.txt \
		pyproject.toml --output-file requirements/runtime.txt

clean: ## remove environments, caches and build results
	rm -rf .venv .venv-* build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
