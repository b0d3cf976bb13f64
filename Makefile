# Everything runs in .venv/, which `setup` makes; once it is there, setup costs a fraction of a second.
# Another interpreter: PYTHON=python3.12 make test
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint

FIT := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for p in .venv/bin/python python3 python3.12 python3.11 python3.10; do \
	"$$p" -c '$(FIT)' >/dev/null 2>&1 && echo "$$p" && exit; done; echo python3)
RUN := .venv/bin/python

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name what; do \
		printf '  make %-10s %s\n' "$$name" "$$what"; done

setup: ## install the pinned stack into .venv/ and compile the mmcv operators, once
	@p='$(PYTHON)'; command -v "$$p" >/dev/null || { \
		echo "Set-up needs Python 3.10, 3.11 or 3.12, and there is no '$$p' here."; \
		echo "Type: PYTHON=/path/to/python3.12 make $(firstword $(MAKECMDGOALS) setup)"; exit 1; }; \
	exec "$$p" tools/bootstrap.py

demo: setup ## train teacher, baseline and student on the digit scenes, and compare them
	@$(RUN) tools/demo.py $(ARGS)

test: setup ## run the tests, the slow tier left out (ARGS='-k gate' narrows it)
	@$(RUN) -m pytest -m 'not slow' $(ARGS)

test-slow: setup ## run the slow tier
	@$(RUN) -m pytest -m slow $(ARGS)

lint: setup ## format, lint and type-check
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m mypy
