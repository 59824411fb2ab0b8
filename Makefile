# The targets a developer and CI call. Everything runs from .venv, which `make setup` keeps up to date.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
DISTRIBUTIONS := $(patsubst %/,%,$(dir $(wildcard protos/pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml)))
PYPROJECTS := $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))
OWN := cavra-protos $(addprefix cavra-,$(notdir $(wildcard libs/* services/*)))

# Registry hosts and switches, and absolute paths below a home, scratch or work folder.
FOREIGN := pypi\.(org|io)|pythonhosted\.org|npmjs\.(org|com)|--(find-links|(extra-)?index-url)|(^|[^A-Za-z0-9_.])/(home|Users|root|tmp|work|workspace)/

# What tries at random, and for long.
LONG := tests/fuzz tests/model

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command 'make lock'

.PHONY: help setup proto lock lint format test test-long demo up bench

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: .venv/.stamp ## Create or update .venv with everything pinned, and the cavra command in it

# The uv that installs everything else is itself pinned by hash, so it comes through pip.
.venv/.uv: requirements-uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "CAVRA needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | tail -n 1). Name another with: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-uv.txt
	@touch $@

.venv/.stamp: .venv/.uv requirements-dev.txt $(PYPROJECTS)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ./,$(DISTRIBUTIONS))
	@touch $@

proto: setup ## Regenerate the Python code of the contracts
	$(BIN)/python tools/generate_protos.py

lock: .venv/.uv ## Recompile the pinned requirements from the pyproject.toml files
	$(COMPILE) --upgrade requirements-uv.in -o requirements-uv.txt
	$(COMPILE) --upgrade --all-extras $(addprefix --no-emit-package ,$(OWN)) --constraint requirements-uv.txt requirements-dev.in $(PYPROJECTS) -o requirements-dev.txt
	for distribution in $(DISTRIBUTIONS); do \
	  $(COMPILE) --constraint requirements-dev.txt $(addprefix --no-emit-package ,$(OWN)) $$distribution/pyproject.toml -o $$distribution/requirements.txt; \
	done

lint: setup ## Check style, types, imports, contracts, and that generated code is up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy libs services $(wildcard bench tests tools)
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	tools/check_breaking.sh
	$(BIN)/python tools/generate_protos.py --check
	$(BIN)/python tools/generate_registry.py --check
	@# A tracked file names no download address and no path of somebody's machine.
	@git grep --untracked -nIE '$(FOREIGN)' && exit 1 || test $$? -eq 1

format: setup ## Put code and contracts into their canonical layout
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format --write

test: setup ## Run the test-suite but for its long part; ARGS go to pytest
	$(BIN)/pytest -n auto $(addprefix --ignore=,$(LONG)) $(ARGS)

test-long: setup ## Run the rest of it: odd requests by the thousand, and approvals against a model
	$(BIN)/pytest -n auto $(LONG) $(ARGS)

demo: setup ## Walk the whole operator flow over HTTP and check the evidence
	$(BIN)/cavra demo

up: ## Build and start the four services as containers
	docker compose up --build

bench: setup ## Measure what the design promises and print a table
	$(BIN)/python bench/run.py
