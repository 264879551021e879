# `make run` and `make test` need nothing beforehand: they install what is missing.
SHELL := /bin/bash
PYTHON_IN_VENV := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help run test check lint format migrations-check pytest bench messages clean

# exec: Ctrl-C and a supervisor's SIGTERM reach the product itself.
run: ## start the product: web server, bridge and simulated FreeSWITCH (ESL_HOST=... for a real one)
	@.ci/sync run
	@exec $(PYTHON_IN_VENV) manage.py serve $(ARGS)

test: ## install what the tests need, then run every check and every test
	@.ci/install
	@.ci/sync dev
	@.ci/checks
	@.ci/tests $(ARGS)

check: ## every check that is not a test: lint, types, imports, migrations, OpenAPI
	@.ci/sync dev
	@.ci/checks

lint: ## ruff, mypy and the import contract
	@.ci/sync dev
	@.ci/checks static

migrations-check: ## migrations, Django's checks, OpenAPI
	@.ci/sync dev
	@.ci/checks project

format: ## rewrite the sources as ruff wants them
	@.ci/sync dev
	@$(PYTHON_IN_VENV) -m ruff check --fix .
	@$(PYTHON_IN_VENV) -m ruff format .

pytest: ## the tests alone, on both stacks (ARGS="-k name")
	@.ci/sync dev
	@.ci/tests $(ARGS)

bench: ## measure decoding and call throughput (ARGS="--json FILE")
	@.ci/sync dev
	@exec $(PYTHON_IN_VENV) -m bench $(ARGS)

messages: ## collect the interface texts and compile the translations
	@.ci/sync dev
	@for domain in django djangojs; do $(PYTHON_IN_VENV) manage.py makemessages --all --domain $$domain \
		--no-obsolete --no-wrap --add-location file \
		--ignore '.venv/*' --ignore 'var/*' --ignore 'tests/*' --ignore 'vendor/*' || exit 1; done
	@$(PYTHON_IN_VENV) manage.py compilemessages --ignore '.venv/*'

clean: ## remove everything that was installed or produced; var/ (your data) stays
	rm -rf .venv .uv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{ printf "  make %-18s %s\n", $$1, $$2 }'
