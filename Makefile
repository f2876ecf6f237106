# Everything a contributor runs. `make` alone lists it.
#
# uv is used when the machine has it and is otherwise installed into .tools, inside this folder.
# Locks hold hashes and name no host: what an index serves is checked, whichever index it is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup runtime test lint format types layers units demo bench lock clean

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= >=3.11
WORKERS ?= 2
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .tools/bin/uv)
UV_RUN := UV_PYTHON_DOWNLOADS=never $(UV)
# Compiled now, so that the first command does not spend half a second on it (nor every one, where writing is off).
INSTALL := $(UV_RUN) pip install --python $(BIN)/python --quiet --compile-bytecode
DEMO ?= demo

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv

$(BIN)/python: | $(filter .tools/bin/uv,$(UV))
	$(UV_RUN) venv --quiet --allow-existing --python '$(PYTHON)' $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

runtime: $(VENV)/.runtime ## install Lakewright alone, without the tools to develop it

setup: $(VENV)/.dev ## make .venv with everything that developing needs

lint: setup ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup ## ruff: repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup ## mypy --strict
	$(BIN)/mypy

layers: setup ## import-linter: imports go one way
	$(BIN)/lint-imports --no-logo

units: setup ## the tests alone; ARGS="-k name" chooses
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test: lint types layers units ## all of the above: what has to pass before a change lands

demo: runtime ## generate a retailer's data, build its lake and star schema from files, a database and an API, publish it
	@if [ -e $(DEMO) ] && [ ! -e $(DEMO)/lakewright.yaml ]; then echo "$(DEMO) is not a demo of ours; DEMO=FOLDER names another" >&2; exit 2; fi
	rm -rf $(DEMO)
	$(BIN)/lakewright init $(DEMO) --template retail
	cd $(DEMO) && export PATH="$(abspath $(BIN)):$$PATH" && \
	  export PAYMENTS_API="http://127.0.0.1:$$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')" && \
	  { python api.py > api.log 2>&1 & api=$$!; trap "kill $$api" EXIT; } && \
	  lakewright plan && \
	  lakewright run && \
	  lakewright quality && \
	  lakewright pii scan raw.customers processed.customer_changes && \
	  lakewright query "select category, sum(items) as items, sum(revenue) as revenue from curated.monthly_sales group by category order by revenue desc" && \
	  python -c "import duckdb; print(duckdb.connect('bi.duckdb', read_only=True).sql('select * from best_products order by revenue desc limit 5'))"
	@printf '%s\n' 'The last table is read from the warehouse, bi.duckdb, which knows nothing of Lakewright.' '' 'Try next:' \
	  '  cd $(DEMO) && export PATH="$(abspath $(BIN)):$$PATH"' \
	  '  lakewright query "select * from quarantine.processed_orders limit 5"   # bad rows, and why' \
	  '  lakewright query "select * from curated.dim_customer order by customer_id, valid_from limit 5"' \
	  '  lakewright lineage curated.monthly_sales --columns' \
	  '  lakewright catalog curated.fact_sales' \
	  '  lakewright pii reveal --help                                           # see behind tokens, if you may' \
	  '  python api.py &                                                        # the payment provider, for the next runs' \
	  '  lakewright run                                                         # nothing new: no work'

bench: setup ## measure against DuckDB, Spark, Polars, dlt and Great Expectations; ARGS="--only build"
	$(BIN)/python benchmarks/run.py $(ARGS)

COMPILE := $(UV_RUN) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

lock: | $(filter .tools/bin/uv,$(UV)) ## write the two locks anew; ARGS=--upgrade takes newer versions
	$(COMPILE) $(ARGS) pyproject.toml --extra postgres --extra rest --extra locations --group build -o requirements.lock
	$(COMPILE) $(ARGS) pyproject.toml --all-extras --group build --group dev -c requirements.lock -o requirements-dev.lock

clean: ## remove what the targets made, but not the environments
	rm -rf demo benchmarks/.data .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist build
