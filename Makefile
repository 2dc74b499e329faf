# PortSeal: `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup setup-demo setup-test demo test test-long serve agent pictures pictures-stale bench bench-scale lint audit clean

PY := .venv/bin/python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: setup-test ## install everything that demo, tests and development need

setup-demo:
	@scripts/setup.sh demo

setup-test:
	@scripts/setup.sh test

demo: setup-demo ## the whole journey, from key ceremony to revocation; results in var/demo/
	@.venv/bin/portseal demo

test: setup-test ## the tests, on real tokens and servers, but for those of test-long
	@.venv/bin/pytest -n 3 --dist loadfile

test-long: setup-test ## the tests that take minutes: large documents, large jobs, drills
	@.venv/bin/pytest -m long -n 3 --dist worksteal --timeout 1800

serve: setup-demo ## portal, signing, sign-in and status on loopback, with demo data
	@.venv/bin/portseal serve --demo

agent: setup-demo ## the key agent's own wheel, in dist/
	@$(PY) scripts/build_agent.py

pictures: setup-test ## every page in two languages and two widths, into docs/pictures/pages/
	@$(PY) -m tests.portseal.screenshots

pictures-stale: setup-test ## which pictures are out of date, and by which file
	@$(PY) -m tests.portseal.screenshots --list-stale

bench: setup-test ## measure against the raw limits; table on screen, var/bench.json
	@$(PY) -m tests.bench

bench-scale: setup-test ## the authority with up to 2.7 million certificates; table on screen, var/bench-scale.json
	@$(PY) -m tests.bench.scale

lint: setup-test ## style, types and the order of imports
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

audit: ## known vulnerabilities of what is pinned; needs the network
	@scripts/audit.sh

clean: ## remove the virtual environment, caches and everything under var/
	@rm -rf .venv var build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
