# Two commands for people: `make run` and `make test`. Both set a fresh Debian 12 machine up first
# (system packages, virtual environment, native parts); repeated, the set-up costs a second.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SUDO   := $(if $(filter 0,$(shell id -u)),,sudo)

APT_PACKAGES := gcc git libc6-dev libfuse3-dev fuse3 pkg-config python3 python3-dev python3-venv
# Other people's servers, which the tests serve from too; a run does without.
SERVER_PACKAGES := bindfs fuse-overlayfs
# A compiler that brings a fuzzer.
FUZZ_PACKAGES := clang-14 libclang-rt-14-dev
# To build and boot the lab kernel; its tests need them, a run on this machine's kernel does not.
LAB_PACKAGES := bc bison btrfs-progs cpio e2fsprogs flex kmod libelf-dev libssl-dev \
    linux-source-6.12 patch qemu-system-x86 xfsprogs xz-utils

NATIVE := $(wildcard */_native/*.[ch] bench/*/_native/*.[ch])
SOURCES := pyproject.toml setup.py constraints.txt $(NATIVE)
C_SOURCES := $(NATIVE) $(wildcard tests/fuzz/*.c)

.PHONY: run test test-matrix in-a-clone fuzz faults sanitize sanitize-address lint format types setup apt lab servers bytecode clean
.DEFAULT_GOAL := help

help:
	@echo "make run    measure passthrough and what it is compared with on the default tree, write a report"
	@echo "make test   lint, types, and all tests (mount tests need root and /dev/fuse)"
	@echo "make sanitize  the tests of the native parts, built with ASan and UBSan, then of the mirror with TSan"
	@echo "make fuzz   coverage-guided fuzzing of every C parser, a few minutes (ARGS=RUNS=10000000: hours)"
	@echo "make test-matrix  unit tests on Python 3.11 to 3.13, and with the lowest versions allowed"
	@echo "make faults 500 faults by dice put into runs, what they leave, and the runs resumed (ARGS='--injections 50')"
	@echo "make clean  remove what was built; results and trees stay"

run: setup
	$(SUDO) $(BIN)/python -m bench run --daemon passthrough $(ARGS)

# Guests run beside all other tests: see tests/conftest.py. One process more than two CPUs, for those
# that wait. The checks before are of one process each.
PYTESTS ?= 3
test: setup lab servers
	$(MAKE) --no-print-directory -j2 types sanitize-address lint
	$(SUDO) $(BIN)/python -m pytest -n $(PYTESTS) --dist loadscope --durations 25 --durations-min 10 $(ARGS)

# Built from a copy, so that no sanitized object is ever taken for an up-to-date one.
SANITIZED := build/sanitized
MIRROR_TESTS := $(wildcard tests/mount/test_posix_*.py tests/mount/test_server_*.py) \
    $(addprefix tests/mount/test_,passthrough.py mirror_threads.py differential.py)
comma := ,
define sanitized
	rm -rf $(SANITIZED) && mkdir -p $(SANITIZED)
	cp -r setup.py pyproject.toml $(wildcard README.md) LICENSE report.py bench daemons workloads matrices kernel $(SANITIZED)
	FUSE_BENCH_CFLAGS="-fsanitize=$(1) -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1" \
	    $(BIN)/python -m pip wheel -q --no-deps -w $(SANITIZED) $(SANITIZED)
	cd $(SANITIZED) && $(CURDIR)/$(BIN)/python -m zipfile -e *.whl wheel
	chmod +x $(SANITIZED)/wheel/daemons/_native/mirror
	$(SUDO) env DIFFERENTIAL_OPERATIONS=2000 \
	    FUSE_BENCH_MIRROR=$(CURDIR)/$(SANITIZED)/wheel/daemons/_native/mirror \
	    $(BIN)/python -m pytest -q $(MIRROR_TESTS) $(ARGS) \
	    -k "(plain-c or passthrough-c or threads or [c]) and not (plain-cached or passthrough-cached)"
endef

# What CI runs of it: TSan takes too long there. The extensions and the shim are loaded by a Python
# that was built without: it gets the sanitizer first, and leaks of its own are not looked for.
PART_TESTS := $(addprefix tests/unit/test_,opdriver.py tree.py shim_bytes.py)
sanitize-address: setup
	$(call sanitized,address$(comma)undefined)
	cp -r tests $(SANITIZED)/wheel/
	cd $(SANITIZED)/wheel && $(SUDO) env ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=. \
	    LD_PRELOAD=$$(gcc -print-file-name=libasan.so) \
	    $(CURDIR)/$(BIN)/python -m pytest -q -c $(CURDIR)/pyproject.toml --rootdir=. $(PART_TESTS) $(ARGS)

sanitize: sanitize-address
	$(call sanitized,thread)

# Coverage-guided fuzzing of the C parsers: results/self/fuzz.txt has the long run.
fuzz: setup
	$(call install,$(FUZZ_PACKAGES))
	$(MAKE) --no-print-directory -C tests/fuzz run $(ARGS)

# Unit tests on every Python that is allowed and here, and with the lowest versions of what is needed.
# Each in a clone of its own, of what is committed.
PYTHONS ?= python3.11 python3.12 python3.13
test-matrix: $(addprefix matrix-,$(PYTHONS)) matrix-lowest

matrix-%: apt
	@if [ "$*" = lowest ] || $* -c pass 2>/dev/null; then \
	    $(MAKE) --no-print-directory in-a-clone CLONE=build/matrix/$* \
	        WITH=$(if $(filter lowest,$*),$(PYTHON),$*) \
	        VERSIONS=constraints$(if $(filter lowest,$*),-lowest).txt; \
	else echo "$*: left out, as it is not here"; fi

in-a-clone:
	rm -rf $(CLONE) && git clone -q . $(CLONE)
	$(WITH) -m venv $(CLONE)/.venv
	cd $(CLONE) && .venv/bin/python -m pip install -q -c $(VERSIONS) -e '.[dev]'
	cd $(CLONE) && .venv/bin/python -m pytest -q tests/unit $(ARGS)

# Faults by dice, one in ten into guests where there is a lab kernel; make test plays three of them.
faults: setup servers
	$(SUDO) $(BIN)/python -m tests.mount.campaign $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/clang-format --dry-run -Werror $(C_SOURCES)

format: setup
	$(BIN)/clang-format -i $(C_SOURCES)

types: setup
	$(BIN)/mypy

setup: apt $(VENV)/.installed bytecode

define install
@missing=$$(for p in $(1); do \
    dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q '^install ok' || echo $$p; done); \
if [ -n "$$missing" ]; then \
    echo "installing system packages:" $$missing; \
    $(SUDO) apt-get update -qq && \
    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
fi
endef

apt:
	$(call install,$(APT_PACKAGES))

lab:
	$(call install,$(LAB_PACKAGES))

servers:
	$(call install,$(SERVER_PACKAGES))

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# A guest cannot write them down, and takes longer to compile than to boot.
bytecode: apt $(VENV)/.installed
	@$(BIN)/python -m compileall -q bench daemons workloads

clean:
	rm -rf build $(VENV) *.egg-info
	find . -name '*.so' -path '*_native*' -delete
	rm -f daemons/_native/mirror
