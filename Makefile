# Suivant. `make` alone prints the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := hub desk-button display ticket-printer
CATALOGUES := $(wildcard hub/web/locale/*/LC_MESSAGES/*.po nodes/locale/*/LC_MESSAGES/*.po demo/locale/*/LC_MESSAGES/*.po)

# npm comes with the environment's own Node, which it looks for on the path.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYGAME_HIDE_SUPPORT_PROMPT := 1
# Without cached bytecode, compiling would be a third of a hub's start, and the tests start hundreds of hubs.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install assets demo test torture check bench screenshots wheel requirements format clean

help: ## print these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

install: system-run $(VENV)/.installed $(VENV)/.assets ## install what Suivant needs: system packages, Python environment, front-end files

assets: $(VENV)/.assets ## build fonts, icons, scripts and catalogues, if something changed

demo: install ## play a morning in a town hall with nine desks (SPEED=1..10, SECONDS_LIMIT=n, PORT=n)
	@exec $(BIN)/python -m demo

# A file's tests run in one process and in order: they share servers, and the browser's tests come last. A third of the
# time is spent waiting for programs, so two more processes than cores are used.
test: install system-test ## run every test (ARGS= goes to pytest)
	$(BIN)/pytest --numprocesses $$(($$(nproc) + 2)) --dist loadfile --no-loadscope-reorder $(ARGS)

torture: install system-test ## run the long tests: 50 rounds of presses, 200 kills on both databases
	SUIVANT_TORTURE=1 $(BIN)/pytest -m torture --timeout 7200 $(ARGS)

check: install ## check format, style, types, import contracts and dead code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python provisioning/dead_code.py

bench: install system-test ## run the benchmarks; prints a table and writes a plot
	$(BIN)/python -m benchmarks $(ARGS)

screenshots: install system-test ## take the pictures in docs/
	$(BIN)/python -m demo.screenshots

wheel: install ## build dist/suivant-*.whl
	rm -rf dist
	$(BIN)/pyproject-build --wheel --no-isolation

requirements: $(BIN)/uv ## pin the dependencies of pyproject.toml again, with hashes
	provisioning/pin-requirements $(BIN)/uv $(EXTRAS)

format: $(VENV)/.installed ## format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what make built, including the environment
	rm -rf $(VENV) node_modules build dist .demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf hub/web/static/vendor hub/web/static/icons nodes/assets
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -f $(CATALOGUES:.po=.mo)

# --- what the targets above depend on ---

.PHONY: system-run system-test
system-run system-test: system-%:
	@provisioning/install-packages $*

$(BIN)/python: | system-run
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Suivant needs Python 3.11 to 3.13, and $(PYTHON) is another version. Choose one: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# --no-deps twice: the pinned list is complete, and nothing else may be installed.
$(VENV)/.installed: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/uv: | $(VENV)/.installed

$(VENV)/.npm: package-lock.json | $(VENV)/.installed
	npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(VENV)/.assets: provisioning/assets.py $(CATALOGUES) $(VENV)/.npm
	$(BIN)/python provisioning/assets.py
	@touch $@
