# A machine needs python3 with venv and pip; everything else is installed into .venv by the first target that wants it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PYTEST := $(BIN)/python -m pytest -n 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-long web e2e fidelity check bench lock clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r target line; do printf '  make %-10s %s\n' "$$target" "$$line"; done

demo: $(READY) ## move 2,000 telco customers into a database and two APIs [SYSTEMS=postgres]
	@scripts/dashboard --if-missing
	$(BIN)/python examples/telco/demo.py $(if $(SYSTEMS),--systems $(SYSTEMS))

test: $(READY) ## run the tests
	$(PYTEST) -m "not long and not e2e"

test-long: $(READY) ## run the slower rounds
	$(PYTEST) -m "long and not e2e"
	@scripts/dashboard
	$(BIN)/python -m pytest -m "long and e2e" tests/e2e

web: ## check and build the dashboard into the package (needs Node 20 or later)
	@scripts/dashboard

e2e: $(READY) ## build the dashboard, and use it in a browser against a real server and a real run (needs Node and Chromium)
	@scripts/dashboard
	$(BIN)/python -m pytest -m "e2e and not long" tests/e2e

fidelity: $(READY) ## move every nasty value between all systems, and write docs/reference/fidelity.md from it
	LUDB_WRITE_FIDELITY=docs/reference/fidelity.md $(PYTEST) tests/fidelity --deselect tests/fidelity/test_page.py::test_the_page_is_not_out_of_date

check: $(READY) ## run all that continuous integration runs: format, lint, types, layers, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -m "not long and not e2e"
	$(MAKE) e2e

bench: $(READY) ## measure: make bench [AREA=engine] [SCALE=0.1] [QUICK=1]; exits 1 where a bar does not hold
	$(BIN)/python -m bench $(AREA) --scale $(or $(SCALE),1) $(if $(QUICK),--quick)

lock: ## pin the dependencies of pyproject.toml again, with hashes, in requirements.lock
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/pip install --quiet --disable-pip-version-check uv
	.cache/lock/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --extra dev pyproject.toml -o requirements.lock

clean: ## remove everything that can be made again
	rm -rf web/node_modules src/ludb/server/web .venv .cache build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis examples/telco/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
