# Everything a newcomer needs: `make run` and `make test`; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
SYNC := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
ARGS ?=
WORKERS ?= 0
SOAK_TESTS ?= tests/tailrace/broker/durability tests/compatibility/test_crash.py tests/tailrace/streams/chaos

.PHONY: help run test soak fuzz check format provision peers check-peers requirements clean
help:                       ## this list
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

.venv/run: requirements/build.txt requirements/run.txt pyproject.toml
	@echo "preparing .venv (once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(SYNC) -r requirements/build.txt
	@$(SYNC) -r requirements/run.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/run requirements/dev.txt
	@$(SYNC) -r requirements/dev.txt
	@touch $@

.venv/fuzz: .venv/dev requirements/fuzz.txt
	@$(SYNC) -r requirements/fuzz.txt
	@touch $@

.venv-peers/done: requirements/peers.txt
	@echo "preparing .venv-peers (once) ..."
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/peers.txt
	@touch $@

run: .venv/run              ## start the exchange; options through ARGS="--port 8090"
	@exec $(BIN)/agio up $(ARGS)

test: .venv/dev             ## all tests the machine allows; REQUIRE_ALL=1 makes a skip a failure, WORKERS=3 is faster
	@exec $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

soak: .venv/dev             ## hours of crashes, damage and kills, of which make test runs a sample; SEED=n repeats
	@SOAK=1 exec $(BIN)/python -m pytest -s --timeout=0 -o faulthandler_timeout=0 $(SOAK_TESTS) $(ARGS)

check: .venv/dev            ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/tailrace/streams/typed.py examples/fraud/*.py
	$(BIN)/lint-imports

format: .venv/dev           ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

provision: .venv/dev        ## install Apache Kafka, kcat, PostgreSQL and Chromium for the tests that need them
	@tools/provision

bench-%: .venv/dev          ## a benchmark: make bench-exchange, QUICK=1 for a short one
	@exec $(BIN)/python -m benchmarks.$* $(ARGS)

peers: .venv/dev .venv-peers/done    ## other libraries for stream processing, to compare with; needs make provision
	@$(BIN)/python -m benchmarks.peers.commands

check-peers: peers          ## whether those do the jobs of the benchmark; ARGS=--kill to kill them in the middle
	@exec $(BIN)/python -m benchmarks.peers.check $(ARGS)

bench-streams: .venv-peers/done

fuzz: .venv/fuzz            ## fuzz the broker; SECONDS_EACH=600 for longer, ARGS="request" for some targets only
	@exec $(BIN)/python -m tests.tailrace.broker.fuzz $(ARGS)

# What runs is what was tested: run.txt has the versions of dev.txt.
requirements:               ## pin again what pyproject.toml asks for
	@$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-header requirements/build.in -o requirements/build.txt
	$(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-header requirements/fuzz.in -o requirements/fuzz.txt
	$(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-header requirements/peers.in -o requirements/peers.txt
	$(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-header --extra dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-header -c requirements/dev.txt pyproject.toml -o requirements/run.txt

clean:                      ## remove what was built, not your data
	rm -rf .venv .venv-peers benchmarks/peers/kafka_streams/target .mypy_cache .ruff_cache .pytest_cache .hypothesis artifacts benchmarks/results
