# make run     the chat page with the demo bot, trained when it is missing
# make test    the whole suite
# make check   format, lint, types, known vulnerabilities of the pinned packages
# make bench   measure again and write the tables: README, docs/speed.md, docs/ablation.md; two hours
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: run test check audit bench clean
.DEFAULT_GOAL := run

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 run")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --constraint constraints.txt $(TORCH_INDEX) --editable '.[dev]'
	@touch $@

run: $(STAMP)
	$(BIN)/python app.py

# the accessibility checker of the page tests, where there is npm; without it they are skipped and say so
AXE := $(if $(shell command -v npm),node_modules/.package-lock.json)
node_modules/.package-lock.json: package.json package-lock.json
	npm ci --no-audit --no-fund

test: $(STAMP) $(AXE)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not browser and not demo and not alone"
	$(BIN)/python -m pytest -m "browser or demo or alone"

check: $(STAMP) audit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

audit: $(STAMP)
	$(BIN)/python .ci/audit.py

bench: $(STAMP)
	$(BIN)/pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python benchmarks/quality.py --again
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/lexical.py
	$(BIN)/python benchmarks/scale.py --encoded 102000
	$(BIN)/python benchmarks/explain.py
	$(BIN)/python benchmarks/privacy.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python -m venv $(VENV)-peers && $(VENV)-peers/bin/pip install -q chatterbot==1.2.15
	$(BIN)/python benchmarks/peers.py --chatterbot $(VENV)-peers/bin/python
	$(BIN)/python benchmarks/tables.py

clean:
	rm -rf $(VENV) $(VENV)-peers build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
