# Two commands for people: `make demo` and `make test`. Each makes .venv and installs what it needs first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types docs dist clean

demo: .venv/installed
	$(BIN)/understudy demo --out demo

test: .venv/installed
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/pyright --pythonpath $(BIN)/python

# The pages that are written from the code are true, and the site of all of them builds without a warning, into site/.
docs: .venv/installed
	$(BIN)/python docs/pages.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# What goes to a package index, checked; needs `pip install build twine`.
dist:
	$(PYTHON) -m build --outdir dist && $(PYTHON) -m twine check --strict dist/*

# The whole tested set, pinned. On Linux pip takes the torch build with CUDA (several GB); the README says how to get the CPU one.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv demo runs dist site
