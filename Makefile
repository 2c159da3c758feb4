# Set-up is two commands: `make run` and `make test`. Both install what they need into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test bench bench-check memory soak locust lint types protos clean

run: $(VENV)/.run
	@$(BIN)/quotad dev

test: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

bench: $(VENV)/.load
	$(BIN)/python -m loadtests.bench $(BENCH_ARGS)

bench-check: $(VENV)/.run
	$(BIN)/python -m loadtests.bench.check $(CHECK_ARGS)

locust: $(VENV)/.load
	$(BIN)/python -m locust -f loadtests/locustfile.py --web-host 127.0.0.1 --class-picker $(LOCUST_ARGS)

memory: $(VENV)/.run
	$(BIN)/python -m loadtests.bench.memory

SECONDS ?= 600
soak: $(VENV)/.load
	$(BIN)/python -m loadtests.bench.soak --seconds $(SECONDS) $(SOAK_ARGS)

lint: $(VENV)/.lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.lint $(VENV)/.test
	$(BIN)/mypy

protos: $(VENV)/.test
	$(BIN)/python scripts/gen_protos.py

$(VENV)/.python:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

$(VENV)/.test: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.load: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[load]'
	@touch $@ $(VENV)/.run

$(VENV)/.lint: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lint]'
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) build dist *.egg-info
