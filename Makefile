# All commands use .venv/, which `setup` creates. Once it is there, setup takes a fraction of a second.
# To choose the interpreter: PYTHON=python3.12 make test
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-slow lint lint-check

FIT := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for p in .venv/bin/python python3 python3.12 python3.11 python3.10; do \
	"$$p" -c '$(FIT)' >/dev/null 2>&1 && echo "$$p" && exit; done; echo python3)
RUN := .venv/bin/python
# Number of pytest processes: one per processor, at most 8. 0 runs the tests in one process (for --pdb).
PYTEST_WORKERS ?= logical
PYTEST = OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(PYTEST_WORKERS) --maxprocesses 8 --dist worksteal

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name what; do \
		printf '  make %-10s %s\n' "$$name" "$$what"; done

setup: ## install the pinned packages into .venv/ and compile mmcv, once
	@p='$(PYTHON)'; command -v "$$p" >/dev/null || { \
		echo "Set-up needs Python 3.10, 3.11 or 3.12, but '$$p' was not found."; \
		echo "Run: PYTHON=/path/to/python3.12 make $(firstword $(MAKECMDGOALS) setup)"; exit 1; }; \
	exec "$$p" tools/bootstrap.py

demo: setup ## train a teacher, a baseline and a student on the digit scenes, and compare them
	@$(RUN) -m w2s_mm demo $(ARGS)

test: setup ## run all tests (ARGS='-k gate' selects some)
	@$(PYTEST) $(ARGS)

test-fast: setup ## run the fast tests only: minutes
	@$(PYTEST) -m 'not slow' $(ARGS)

test-slow: setup ## run the slow tests only: complete runs, subprocesses, model zoo
	@$(PYTEST) -m slow $(ARGS)

lint: setup ## format the code, fix what ruff can fix, and check types
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m mypy

lint-check: setup ## check format, style and types without changing a file
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
