# make demo   installs into .venv and runs the main job on the phantom
# make test   installs into .venv and runs the tests, JOBS at a time
# make test-slow, make test-long   tests of minutes, and of hours
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
# Unbuffered: a dot for each test as it ends, in files and pipes too.
TEST := PYTHONUNBUFFERED=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal

# Seconds between two signs of life of commands that are silent.
SIGN ?= 25

# $(call shown,WHAT,COMMAND) says what begins and, while it lasts, that it goes
# on. The sleep gets no pipe: a reader of the output would wait for its end.
define shown
@echo "$(1)"; \
( n=0; while sleep $(SIGN) </dev/null >/dev/null 2>&1 && kill -0 $$$$ 2>/dev/null; \
  do n=$$((n + $(SIGN))); echo "  still at it after $$n s"; done ) & \
trap "kill $$! 2>/dev/null" EXIT; trap "exit 130" INT; trap "exit 143" TERM; \
$(2)
endef

.PHONY: demo test test-slow test-long lint install clean

install: $(VENV)/installed

$(VENV)/installed: setup.cfg pyproject.toml
	$(call shown,installing (1 of 3): creating the environment $(VENV),\
		$(PYTHON) -m venv $(VENV))
	$(call shown,installing (2 of 3): upgrading pip,\
		$(BIN)/python -m pip install --quiet --upgrade pip)
	$(call shown,installing (3 of 3): TensorFlow and the package (this takes about a minute with a warm cache),\
		$(BIN)/python -m pip install --quiet --editable ".[test]")
	@touch $@

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
	$(call shown,running the slow tests (some take minutes),\
		$(TEST) -m slow)

# Hours: many kills at random moments. To be run before an issue is closed.
test-long: install
	$(call shown,running kills at random moments (hours),\
		KERAS_ISAMPLE_KILLS=30 $(TEST) -m slow -k "killed" tests/training)

clean:
	rm -rf $(VENV) demo
