# make demo   installs into .venv and runs the main job on the phantom
# make test   installs into .venv and runs the tests, JOBS at a time
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
TEST := $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal

.PHONY: demo test test-slow lint install clean

install: $(VENV)/installed

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

demo: install
	$(BIN)/keras-isample phantom demo/data --cases 12 --shape 96,96,96 --overwrite
	$(BIN)/keras-isample inspect demo/data --labels kidney
	$(BIN)/keras-isample fit --config apps/demo/config.toml --data demo/data --run demo/run --overwrite
	$(BIN)/keras-isample evaluate demo/run --split test --overwrite

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

test: lint
	$(TEST) -m "not slow"

test-slow: install
	$(TEST) -m slow

clean:
	rm -rf $(VENV) demo
