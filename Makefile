# Every task of the project. A machine needs Rust, Python 3.11 and make; the rest goes into .venv, target and .make.
#
# `make help` lists the targets. Stamps in .make say what is up to date, so that a second run does only what changed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The steps share one target folder, whose lock would serialise them anyway.
.NOTPARALLEL:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
CARGO ?= cargo
SOURCES := Cargo.toml Cargo.lock pyproject.toml README.md LICENSE \
	$(shell find src python -type f -not -name '*.pyc' -not -path '*/__pycache__/*' 2>/dev/null)

# pyo3's build script asks this interpreter; one answer for every step means one build of pyo3.
export PYO3_PYTHON := $(BIN)/python
# The build backend must not download what cargo has not locked.
export CARGO_TERM_COLOR ?= auto
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .make/venv .make/wheel ## make .venv, build the package and install it there

.PHONY: demo
demo: .make/wheel ## deploy a real Wagtail site to the emulator, change it, deploy again
	$(BIN)/pya demo

.PHONY: build
build: .make/wheel ## build the release wheel into dist/

.PHONY: fmt
fmt: .make/venv ## format Rust and Python
	$(CARGO) fmt
	$(BIN)/ruff format
	$(BIN)/ruff check --fix-only --quiet

.PHONY: lint
lint: lint-rust lint-python ## every check that needs no built package

.PHONY: lint-rust
lint-rust: .make/venv ## rustfmt, clippy with and without Python, the core alone, licences
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --no-default-features --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) check --locked --no-default-features
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		set -x; $(CARGO) deny --offline check bans licenses sources; \
	else \
		echo "cargo-deny is not installed: licences, bans and sources are not checked"; \
	fi

.PHONY: lint-python
lint-python: .make/venv ## ruff
	$(BIN)/ruff format --check
	$(BIN)/ruff check

.PHONY: types
types: .make/wheel ## mypy, pyright on the examples, and the stubs against the built module
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/python -m mypy.stubtest pythonanywhere_api $(addprefix --allowlist ,$(wildcard tests/stubtest_allowlist.txt))

.PHONY: test-rust
test-rust: ## the Rust tests
	$(CARGO) test --locked --no-default-features

.PHONY: test-python
test-python: .make/wheel ## the Python tests (PYTEST_ARGS="-k name" for some)
	$(BIN)/python -m pytest $(or $(PYTEST_ARGS),--numprocesses 2 --dist worksteal)

.PHONY: test
test: lint test-rust types docs test-python ## every check, every test and the documentation site

.PHONY: bench
bench: .make/wheel ## print the table of speed ratios
	$(BIN)/python tests/benchmarks

.PHONY: docs
docs: .make/wheel ## build the documentation site into docs/_build/html; a warning is an error
	@# All of it each time: pages that did not change would not repeat the warnings that the last run ended with.
	$(BIN)/python -m sphinx --quiet --builder html --fresh-env --write-all --fail-on-warning --keep-going --nitpicky \
		docs docs/_build/html

.PHONY: clean
clean: ## remove all that the other targets made
	rm -rf .make $(VENV) dist target docs/_build

.make/venv: requirements-dev.txt
	@mkdir -p .make
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or later is needed: make PYTHON=python3.11"'
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

# No path of the machine that built it belongs in a wheel: neither its user's name nor its folders. Flags are separated
# by the byte 0x1f, since paths may hold spaces.
.make/wheel: .make/venv $(SOURCES)
	@mkdir -p .make
	rm -f dist/*.whl
	flags="--remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo"; \
	flags+=$$'\x1f'"--remap-path-prefix=$(CURDIR)=/pythonanywhere-api"; \
	flags+=$$'\x1f'"--remap-path-prefix=$$(rustc --print sysroot)=/rust"; \
	CARGO_ENCODED_RUSTFLAGS="$$flags" $(BIN)/maturin build --release --locked --interpreter $(BIN)/python --out dist
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps dist/*.whl
	@touch $@
