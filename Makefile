# Five words: run, demo, test, lint, bench. Each makes its own .venv and installs what it needs.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8080
DATA ?= ./data
WORKERS ?=
PYTEST ?=
BENCH ?=
export PYTHON313 ?=

BIN := .venv/bin
APT := apt-get install --yes --quiet --no-install-recommends wrk orthanc orthanc-dicomweb
ORTHANC := /usr/share/orthanc/plugins/libOrthancDicomWeb.so

.PHONY: run demo test lint bench clean

run: .venv/.local  ## serve on http://127.0.0.1:8080 (HOST=, PORT=, DATA=, WORKERS= change that)
	$(BIN)/python -m local --host $(HOST) --port $(PORT) --data $(DATA) $(if $(WORKERS),--workers $(WORKERS))

demo: .venv/.local  ## store the images that pydicom ships through the running service
	$(BIN)/python -m local.demo --url http://$(HOST):$(PORT)

test: .venv/.dev .venv313/.installed tests/clients/node_modules/.installed tests/azure/node_modules/.installed  ## everything; PYTEST="-k word" for a part
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive function_app.py functions shared local

bench: .venv/.bench tests/azure/node_modules/.installed  ## side by side with Orthanc; BENCH="--short" for one minute, BENCH=--help for more
	@command -v wrk >/dev/null && test -e $(ORTHANC) || $(APT) || { apt-get update --quiet && $(APT); }
	$(BIN)/python -m benchmarks $(BENCH)

clean:
	rm -rf .venv .venv313 tests/clients/node_modules tests/azure/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.local: .venv/bin/python requirements.txt requirements-local.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-local.txt
	touch $@

.venv/.dev: .venv/.local requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

.venv/.bench: .venv/.local requirements-bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	touch $@

# The worker tests need the Python that the service runs on in Azure.
.venv313/.installed: requirements.txt tests/worker/requirements.txt | .venv/bin/python
	rm -rf .venv313
	python=$$($(BIN)/python tests/worker/find_python.py) && "$$python" -m venv .venv313
	.venv313/bin/python -m pip install --quiet --disable-pip-version-check -r tests/worker/requirements.txt
	touch $@

tests/%/node_modules/.installed: tests/%/package.json
	cd tests/$* && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	touch $@
