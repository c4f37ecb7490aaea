# `make` alone lists the targets.  ARGS goes to the program: make run ARGS="--duration 60s"

PYTHON := .venv/bin/python
MAKEFLAGS += --no-print-directory
ARGS ?=
CORE = $(MAKE) -C csrc -j2

.DEFAULT_GOAL := help
.PHONY: help run test deps deps-dev deps-peers build lint format asan tsan fuzz stress differential bench clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## install what is missing, build, start the embedded Solana and trade on it (ARGS="--duration 60s")
	@.venv/bin/sniperforge run $(ARGS)

test: build deps-dev ## everything CI checks: C units, lint, pytest (ARGS="-k name" goes to pytest)
	@failed=0; $(CORE) check || failed=1; $(MAKE) lint || failed=1; \
	  tools/test.sh $(ARGS) || failed=1; exit $$failed

deps: ## install what building and running needs (system packages by apt, Python packages into .venv)
	@tools/deps.sh run

deps-dev: deps ## also what testing and linting needs
	@tools/deps.sh dev

deps-peers: deps ## the trading engines that `make bench` stands beside, into .venv-peers (some 1.4 GB)
	@tools/deps.sh peers

build: deps ## compile the C core, its Python binding and simnet's programs
	@$(PYTHON) setup.py -q build_ext --inplace
	@test -e .venv/bin/sniperforge -a .venv/bin/sniperforge -nt pyproject.toml || \
	  $(PYTHON) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation \
	    --config-settings editable_mode=compat --force-reinstall -e .

lint: deps-dev ## ruff, mypy --strict, clang-format
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@tools/format_c.sh --check

format: deps-dev ## put Python and C into the shape lint asks for
	@$(PYTHON) -m ruff check --fix-only -q .
	@$(PYTHON) -m ruff format .
	@tools/format_c.sh

asan: build deps-dev ## C units and the whole engine under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(CORE) FLAVOUR=asan check group
	@SNIPERFORGE_GROUP_PROGRAM=build/asan/sf-group $(PYTHON) -m pytest tests/integration/test_engine_single.py

tsan: build deps-dev ## C units and the whole engine in one process under ThreadSanitizer
	@$(CORE) FLAVOUR=tsan check group
	@SNIPERFORGE_GROUP_PROGRAM=build/tsan/sf-group $(PYTHON) -m pytest tests/integration/test_engine_single.py

fuzz: build deps-dev ## coverage-guided fuzzing of the C parsers (SECONDS_EACH=10)
	@tools/fuzz.sh $(or $(SECONDS_EACH),10) $(ARGS)

stress: build deps-dev ## real processes under random kill -9 and load (KILLS=100 MINUTES=5 TRIALS=10; ARGS goes to pytest)
	@SNIPERFORGE_KILLS=$(or $(KILLS),100) SNIPERFORGE_MINUTES=$(or $(MINUTES),5) SNIPERFORGE_TRIALS=$(or $(TRIALS),10) $(PYTHON) -m pytest tests/stress tests/integration/test_engine_venues.py -m "slow or not slow" $(ARGS)

differential: build deps-dev ## C core, Python reference and emulated programs on random swaps (CASES=1000000 of each VENUE=raydium_clmm)
	@$(PYTHON) -m tests.emulation_differential $(VENUE) --cases $(or $(CASES),20000) $(ARGS)

bench: build ## latency and throughput beside the machine's own limits (ARGS="link", "tick", ...)
	@$(PYTHON) -m bench $(ARGS)

clean: ## remove everything built, keep .venv and var
	@rm -rf build dist *.egg-info ipc/_core*.so ipc/_core.c ipc/bin sniperforge/simnet/programs \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
