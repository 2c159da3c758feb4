# Set-up is two commands: `make run` and `make test`. Both install what they need into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help client-go client-react client-typescript stripe-mock examples front front-clients front-calls front-fuzz front-wheels run test unit explore two-releases bench bench-check bench-cluster bench-dashboard memory soak locust lint types format protos vendor clean
.DEFAULT_GOAL := help

help: ## list these commands
	@awk -F ': .*## ' '/^[a-z-]+:.* ## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## run everything on examples/catalog, with a private Valkey, until Ctrl-C
	@$(BIN)/quotad dev

# One more than there are cores, up to four: many tests wait for processes. Not reordered: tests/docs comes
# first, as its files take longest and have few tests.
TEST_PROCESSES ?= $(shell cores=$$(nproc); echo $$((cores < 4 ? cores + 1 : 4)))
test: $(VENV)/.test ## run every test; PYTEST_ARGS='tests/store -k expiry' for some of them
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

unit: $(VENV)/.test ## run the quick tests of pure code, in half a minute
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --quiet tests/unit $(PYTEST_ARGS)

explore: $(VENV)/.test ## run the property tests on examples that no run has had yet
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest --numprocesses 2 tests/thorough tests/unit \
		tests/integration/test_verbs_model.py $(PYTEST_ARGS)

two-releases: $(VENV)/.test ## run servers of an earlier release beside these, on every kind of store; needs the history
	TWO_RELEASES=1 $(BIN)/python -m pytest tests/integration/test_two_releases.py $(PYTEST_ARGS)

bench: $(VENV)/.load ## measure throughput and latency beside reference points; see loadtests/README.md
	$(BIN)/python -m loadtests.bench $(BENCH_ARGS)

bench-cluster: $(VENV)/.load ## measure one server beside clusters of it, and numbers of shards
	$(BIN)/python -m loadtests.bench.clusters $(CLUSTER_ARGS)

bench-check: $(VENV)/.test ## compare what a decision costs, counted, with the stored figures
	$(BIN)/python -m loadtests.bench.check $(CHECK_ARGS)

bench-dashboard: $(VENV)/.test ## walk every page of the dashboard among 100,000 customers
	$(BIN)/python -m loadtests.bench.dashboard $(DASHBOARD_ARGS)

locust: $(VENV)/.load ## open locust's page on 127.0.0.1:8089
	$(BIN)/python -m locust -f loadtests/locustfile.py --web-host 127.0.0.1 --class-picker $(LOCUST_ARGS)

memory: $(VENV)/.load ## measure memory of views, counters and workers
	$(BIN)/python -m loadtests.bench.memory

SECONDS ?= 600
soak: $(VENV)/.load ## keep up load for ten minutes and watch memory; SECONDS=120 for less
	$(BIN)/python -m loadtests.bench.soak --seconds $(SECONDS) $(SOAK_ARGS)

front: $(VENV)/.front ## build the fast front into .venv, for the next start; needs cargo (Rust)

FRONT_TARGETS ?= x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
front-wheels: $(VENV)/.python ## build wheels of the fast front for x86_64 and aarch64 into dist; needs rustup
	$(BIN)/python -m pip install --disable-pip-version-check --quiet 'maturin[zig]>=1.9,<2'
	rustup target add $(FRONT_TARGETS)
	for target in $(FRONT_TARGETS); do \
		PATH="$(CURDIR)/$(BIN):$$PATH" CARGO_TARGET_DIR=$(CURDIR)/$(VENV)/front $(BIN)/maturin build --release --locked \
			--zig --compatibility manylinux2014 --target $$target -m front/Cargo.toml --out dist || exit 1; \
	done

FUZZ_SECONDS ?= 60
front-fuzz: ## try random bytes on what reads messages in the fast front; needs cargo-fuzz and a nightly Rust
	cd front && CARGO_TARGET_DIR=$(CURDIR)/$(VENV)/fuzz cargo +nightly fuzz run message -- -max_total_time=$(FUZZ_SECONDS)

front-clients: ## build clients in Go and JavaScript, and h2spec, for the tests of the fast front; needs go and npm
	mkdir -p $(VENV)/clients/js
	cd tests/clients/go && go build -o $(CURDIR)/$(VENV)/clients/go .
	cd tests/clients/go && go build -o $(CURDIR)/$(VENV)/clients/h2spec github.com/summerwind/h2spec/cmd/h2spec
	cp tests/clients/js/* $(VENV)/clients/js/
	cd $(VENV)/clients/js && npm ci --silent

front-calls: $(VENV)/.test ## make 100,000 calls with each of five kinds of clients; after front and front-clients
	FRONT_CALLS=100000 $(BIN)/python -m pytest tests/fronts/test_other_clients.py --durations=0 $(PYTEST_ARGS)

client-typescript: $(VENV)/.typescript ## build the TypeScript client, for use and for its tests; needs npm

client-react: $(VENV)/.react ## build the components for React, for use and for their tests; needs npm

examples: $(VENV)/.examples ## build the examples in examples/ and the pages of their tests; needs npm

client-go: $(VENV)/.test ## build the example in Go, for its test; needs go
	GOBIN=$(CURDIR)/$(VENV)/go go -C examples/go install tool
	$(BIN)/python scripts/gen_protos.py go
	go -C examples/go build -o $(CURDIR)/$(VENV)/clients/go-example .

STRIPE_MOCK := v0.203.0
stripe-mock: $(VENV)/.test ## build Stripe's own mock, which checks what an export sends; needs go
	GOBIN=$(CURDIR)/$(VENV)/clients go install github.com/stripe/stripe-mock@$(STRIPE_MOCK)

format: $(VENV)/.lint ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.lint ## check format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.lint $(VENV)/.test ## check types
	$(BIN)/mypy

protos: $(VENV)/.test ## regenerate quotad/v1 from protos/
	$(BIN)/python scripts/gen_protos.py

vendor: ## fetch what the dashboard's pages load, by the versions in its manifest; needs npm
	$(PYTHON) scripts/vendor.py

# Not quiet: this takes a minute or two, the first time, and people want to see that it goes on.
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check -e

$(VENV)/.python:
	@echo "Installing into $(VENV): a minute or two, the first time only."
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python pyproject.toml
	$(INSTALL) '.[dev]'
	@touch $@

$(VENV)/.test: $(VENV)/.python pyproject.toml
	$(INSTALL) '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.load: $(VENV)/.python pyproject.toml
	$(INSTALL) '.[load]'
	@touch $@ $(VENV)/.run

$(VENV)/.lint: $(VENV)/.python pyproject.toml
	$(INSTALL) '.[lint]'
	@touch $@ $(VENV)/.run

# What cargo builds is kept beside the packages, so that a change compiles only what it touches.
FRONT_SOURCES := front/Cargo.toml front/Cargo.lock front/pyproject.toml $(wildcard front/src/*.rs)
$(VENV)/.front: $(VENV)/.python $(FRONT_SOURCES)
	CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-$(CURDIR)/$(VENV)/front} \
		$(BIN)/python -m pip install --disable-pip-version-check --force-reinstall --no-deps ./front
	@touch $@

# The code below src/gen is made here and not checked in: it is never older than protos/.
TYPESCRIPT := clients/typescript
TYPESCRIPT_SOURCES := $(addprefix $(TYPESCRIPT)/,package.json tsconfig.json) \
	$(wildcard $(TYPESCRIPT)/src/*.ts protos/quotad/v1/*.proto) scripts/gen_protos.py
$(TYPESCRIPT)/node_modules/.package-lock.json: $(TYPESCRIPT)/package-lock.json
	cd $(TYPESCRIPT) && npm ci --silent --no-audit --no-fund
	@touch $@

$(VENV)/.typescript: $(VENV)/.test $(TYPESCRIPT)/node_modules/.package-lock.json $(TYPESCRIPT_SOURCES)
	rm -rf $(TYPESCRIPT)/dist $(TYPESCRIPT)/src/gen
	$(BIN)/python scripts/gen_protos.py typescript
	cd $(TYPESCRIPT) && npm run --silent build
	@touch $@

REACT := clients/react
REACT_SOURCES := $(addprefix $(REACT)/,package.json tsconfig.json) $(wildcard $(REACT)/src/*)
# Folders that npm fills by the package-lock.json in them.
NPM_FOLDERS := $(REACT) examples tests/clients/react
$(NPM_FOLDERS:=/node_modules/.package-lock.json): %/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --silent --no-audit --no-fund
	@touch $@

$(VENV)/.react: $(VENV)/.typescript $(REACT)/node_modules/.package-lock.json $(REACT_SOURCES)
	rm -rf $(REACT)/dist
	cd $(REACT) && npm run --silent build
	@touch $@

# A page with the components is built with each version of React that they are for.
EXAMPLES := $(wildcard $(addprefix examples/,*.json react/* react/src/* next-route/* next-route/lib/* next-route/app/api/exports/*))
PAGE_OF_TESTS := vite/bin/vite.js build --config tests/clients/react/vite.config.mjs
$(VENV)/.examples: $(VENV)/.react $(NPM_FOLDERS:=/node_modules/.package-lock.json) $(EXAMPLES) $(wildcard tests/clients/react/*)
	cd examples && npm run --silent build --workspaces --if-present
	REACT=examples OUT=$(VENV)/clients/react-19 node examples/node_modules/$(PAGE_OF_TESTS)
	REACT=tests/clients/react OUT=$(VENV)/clients/react-18 node examples/node_modules/$(PAGE_OF_TESTS)
	@touch $@

clean: ## remove .venv and what builds leave
	rm -rf $(VENV) build dist *.egg-info $(addprefix $(TYPESCRIPT)/,dist src/gen node_modules) examples/go/quotadv1 \
		$(REACT)/dist examples/react/dist examples/next-route/dist $(NPM_FOLDERS:=/node_modules)
