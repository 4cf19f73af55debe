# Everything runs in the project's own virtual environment; `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
STACK ?= local
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help up down test test-node survival faults clean-runs check tools lock schema bench clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(READY)  ## Start the embedded cluster, deploy STACK (local), check it, publish its seeds
	@$(BIN)/mina-infra local up --stack $(STACK)

down: $(READY)  ## Take the embedded cluster and everything in it away
	@$(BIN)/mina-infra local down

test: check tools  ## Lint, types, house rules and all tests, the real engine and API server included
	@$(BIN)/python -m tests.promtool
	@$(BIN)/python -m tests.chromium
	@$(BIN)/python -m tests.node
	@$(BIN)/python -m pytest -n $(JOBS) --no-loadscope-reorder

test-node: tools  ## Only the tests on a real kubelet with containerd (Debian, root; 3 minutes)
	@$(BIN)/python -m tests.node
	@$(BIN)/python -m pytest tests/node

survival: tools  ## Only the survival matrix: 200 nodes, or NODES=12, live through every mishap (8 minutes)
	@$(BIN)/python -m tests.world.matrix --nodes $(or $(NODES),200)

faults: $(READY)  ## Only the fault matrix: every named fault with SEEDS=20 seeds, detected and named right (20 minutes)
	@$(BIN)/python -m tests.guardian.matrix --seeds $(or $(SEEDS),20) --processes 2

clean-runs: $(READY)  ## Only the clean runs: days of healthy networks, one in ten daemons silent, no alarm (an hour)
	@$(BIN)/python -m tests.guardian.clean_runs --hours $(or $(HOURS),24) --seeds $(or $(SEEDS),20) --processes 2

check: $(READY)  ## Lint, types and house rules only (seconds)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

tools: $(READY)  ## Find or build the engine and the control plane (once, about 15 minutes)
	@$(BIN)/mina-infra local tools

lock: $(READY)  ## Renew requirements.lock from pyproject.toml
	@$(BIN)/python -m piptools compile -q --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --strip-extras --allow-unsafe --extra dev --output-file requirements.lock pyproject.toml

schema: $(READY)  ## Write what is generated and kept: JSON Schemas, the dashboard, the tables of docs/alerts.md
	@$(BIN)/python -m mina_infra.spec.schema
	@$(BIN)/python -m components.schema
	@$(BIN)/python -m tools.dashboard
	@$(BIN)/python -m tools.alert_tables

bench: $(READY)  ## Measure planning, the simulator, verdicts, then deployments of 12 and 200 nodes (minutes)
	@$(BIN)/python benchmarks/plan.py
	@$(BIN)/python benchmarks/simulate.py
	@$(BIN)/python benchmarks/verify.py
	@$(BIN)/python benchmarks/deploy.py

clean: down  ## Also remove the virtual environment
	rm -rf $(VENV) .mina-infra

$(READY): requirements.lock pyproject.toml
	@echo "virtual environment: $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mina-infra needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check --no-deps -e .
	@touch $@
