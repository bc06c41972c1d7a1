# Lapse: everything from a bare `python3` to erased fields. Nothing is installed outside this directory.
#
#   CONFIG=dev|prod|local   environment of samconfig.toml (make build, make deploy)
#   LAPSE_ARCH=arm64|x86_64|host   what the artifact is built for; by default what samconfig.toml deploys
#   LAPSE_POLICY=FILE       a policy to put into the artifact instead of shared/policy.toml
#   FUNCTION=, EVENT=       what `make invoke` runs and with which event

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
CONFIG ?= dev
LAPSE_POLICY ?=
BUILD_DIR ?= .aws-sam/build
ifeq ($(origin LAPSE_ARCH),undefined)
LAPSE_ARCH := $(or $(shell sed -n '/^\[$(CONFIG)\.deploy\.parameters\]/,/^\[/s/.*Architecture=\([a-z0-9_]*\).*/\1/p' samconfig.toml),host)
endif
export CONFIG LAPSE_ARCH LAPSE_POLICY

UV := .envs/uv/bin/uv
SAM := .envs/sam/bin/sam
PY := .venv/bin/python
CHECKED := functions shared lapse tests bench audit
SOURCES = $(foreach top,$(CHECKED),$(if $(wildcard $(top)/*.py $(top)/*/*.py),$(top)))
export SAM_CLI_TELEMETRY := 0

.PHONY: help demo test lint fix simulate guarantee local local-down build invoke deploy bench mutants fuzz envs lock docs clean

help: ## List what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: envs ## Show it all: deploy to the embedded local stack, ship an order, watch its contact fields go
	$(PY) -m lapse.demo

test: lint ## Lint, then the whole test suite (ARGS= for pytest)
	$(PY) -m pytest -n 2 --dist loadgroup $(ARGS)

lint: envs ## Ruff, mypy, cfn-lint and sam validate
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy $(SOURCES)
	.venv/bin/cfn-lint template.yaml
	$(SAM) validate --lint --template template.yaml --region eu-west-1

fix: envs ## Format, and fix what ruff can fix
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

simulate: envs ## Simulate faults: SEEDS=2000 STEPS=0 (at least so many), or SEED=17 (one again, with its trace)
	$(PY) -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),2000) --steps $(or $(STEPS),0))

guarantee: envs ## The full simulation and all planted bugs, into docs/guarantee.md (SEEDS=)
	$(PY) -m tests.simulation.guarantee $(if $(SEEDS),--seeds $(SEEDS))

local: envs ## Deploy to a local stack and leave it running; see .local/env and .local/outputs.json
	$(PY) -m lapse.local up

local-down: envs ## Stop what `make local` started
	$(PY) -m lapse.local down

build: .envs/sam/.ready .deps ## sam build into .aws-sam/build (CONFIG=, LAPSE_ARCH=, LAPSE_POLICY=)
	PATH="$(CURDIR)/.envs/lambda/bin:$$PATH" $(SAM) build --config-env $(CONFIG) --build-dir $(BUILD_DIR)

invoke: envs ## Run a built function under the Lambda runtime emulator (FUNCTION=, EVENT=); needs `make local`
	$(if $(and $(FUNCTION),$(EVENT)),,$(error say which: make invoke FUNCTION=PurgeFunction EVENT=events/purge_scheduler.json))
	$(PY) -m lapse.rie $(FUNCTION) $(EVENT)

deploy: build ## sam build and sam deploy to your AWS account (CONFIG=dev, or CONFIG=prod, which asks first)
	$(SAM) deploy --config-file $(CURDIR)/samconfig.toml --config-env $(CONFIG) \
	  --template-file $(BUILD_DIR)/template.yaml

bench: envs ## Run the benchmarks
	$(PY) -m bench
	$(PY) -m bench.sweep
	$(PY) -m bench.officer_report
	$(PY) -m bench.ledger

mutants: envs .envs/mutants/.ready ## Mutate the pure part, the guard and the ledger (ONLY=shared/retention.py, JOBS=)
	$(PY) -m tests.mutants $(if $(JOBS),--jobs $(JOBS)) $(ONLY)

fuzz: .envs/fuzz/.ready ## Feed hostile input to all that reads, guided by coverage (TARGET=, SECONDS= for each)
	.envs/fuzz/bin/python -m tests.fuzz $(if $(TARGET),--target $(TARGET)) $(if $(SECONDS),--seconds $(SECONDS))

docs: envs ## Make docs/cli.md anew, of the commands themselves
	$(PY) -m lapse.cli_reference > .cli.md && mv .cli.md docs/cli.md

clean: ## Remove everything that make made
	if [ -d .local ] && [ -x $(PY) ]; then $(PY) -m lapse.local down; fi
	rm -rf .aws-sam .build .envs .hypothesis .local .mutants .mypy_cache .pytest_cache .ruff_cache .venv

# --- environments: one per requirements file, because their pins conflict -------------------------------------

envs: .venv/.ready .envs/sam/.ready .envs/stack/.ready .envs/lambda/.ready

.envs/uv/.ready: requirements/uv.txt
	$(PYTHON) -m venv --clear .envs/uv
	.envs/uv/bin/python -m pip install --quiet --require-hashes --requirement $<
	touch $@

.venv/.ready: requirements/dev.txt .python-version | .envs/uv/.ready
	$(UV) venv --quiet --clear .venv
	$(UV) pip install --quiet --python .venv --require-hashes --requirement $<
	ln -sf ../../bin/lapse .venv/bin/lapse
	touch $@

.envs/%/.ready: requirements/%.txt .python-version | .envs/uv/.ready
	$(UV) venv --quiet --clear .envs/$*
	$(UV) pip install --quiet --python .envs/$* --require-hashes --requirement $<
	touch $@

LOCKED := runtime dev lambda sam stack uv mutants fuzz
lock: .envs/uv/.ready ## Pin the newest versions of requirements/*.in in requirements/*.txt
	cd requirements && for name in $(LOCKED); do \
	  ../$(UV) pip compile --quiet --upgrade --universal --python-version 3.13 --generate-hashes --no-header \
	    --no-annotate --no-emit-index-url --no-emit-find-links $$name.in --output-file $$name.txt; done

# --- the functions' artifact; `sam build` calls build-<LogicalId> in this directory ---------------------------

PLATFORM_arm64 := --python-platform aarch64-manylinux2014
PLATFORM_x86_64 := --python-platform x86_64-manylinux2014
PLATFORM_host :=
DEPS := .build/deps-$(LAPSE_ARCH)
# Dates mean nothing in SAM's zip files (all are of 1980), so bytecode is marked as never to be compared.
COMPILE := .envs/lambda/bin/python -m compileall -q -f --invalidation-mode unchecked-hash -p /var/task -s

.PHONY: .deps
.deps: $(DEPS)/.ready

$(DEPS)/.ready: requirements/runtime.txt .envs/lambda/.ready
	$(if $(filter undefined,$(origin PLATFORM_$(LAPSE_ARCH))),$(error LAPSE_ARCH must be arm64, x86_64 or host))
	rm -rf $(DEPS)
	$(UV) pip install --quiet --require-hashes --requirement $< --target $(DEPS)/python --python .envs/lambda \
	  --python-version 3.13 $(PLATFORM_$(LAPSE_ARCH)) --only-binary :all: --no-compile
	rm -rf $(DEPS)/python/bin $(DEPS)/python/.lock
	$(COMPILE) $(DEPS)/python $(DEPS)/python
	touch $@

build-%: .deps
	cp -R $(DEPS)/python/. "$(ARTIFACTS_DIR)"
	tar -cf - --exclude=__pycache__ --exclude=tests functions shared | tar -xf - -C "$(ARTIFACTS_DIR)"
	$(if $(LAPSE_POLICY),cp "$(LAPSE_POLICY)" "$(ARTIFACTS_DIR)/shared/policy.toml")
	$(COMPILE) "$(ARTIFACTS_DIR)" "$(ARTIFACTS_DIR)/functions" "$(ARTIFACTS_DIR)/shared"
