# The front door. `make help` lists what there is; each target works on a fresh Debian 12 with root or sudo.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
# `make test LABEL=unit`, `make test TESTS=rms_norm`
LABEL ?=
TESTS ?=
ctest_filter = $(if $(LABEL),-L '$(LABEL)',-LE slow) $(if $(TESTS),-R '$(TESTS)')
ctest_run = --parallel $(JOBS) --timeout 300 --no-tests=error

.PHONY: help setup configure build quickstart quickstart-ranks test fuzzers fuzz bench bench-memory bench-pairs \
        bench-ranks bench-large lint tidy format install asan tsan clang clean

help: ## this list
	@echo "headroom: train and run language models inside a memory budget"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make test LABEL=unit         one label: unit, backend, e2e, mpi, fuzz, slow"
	@echo "  make test TESTS=rms_norm     tests whose name matches"
	@echo "  make install PREFIX=~/.local"
	@echo "  JOBS=N                       build and test with N processes (now $(JOBS))"

setup: ## install the Debian packages that are missing (packages.txt)
	@scripts/setup.sh build test lint

configure: setup
	@cmake --preset release --log-level=WARNING

build: configure ## build the command, build/headroom
	cmake --build build --parallel $(JOBS) --target headroom_cli

quickstart: build ## train a small model on real text under 256 MiB and let it write
	scripts/quickstart.sh

quickstart-ranks: build ## the same, trained by two ranks that divide weights, gradients and states
	@scripts/setup.sh test
	QUICKSTART_RANKS=2 scripts/quickstart.sh

# The fuzzers are for whole runs and for LABEL=fuzz, not for one test by name.
test_fuzzers = $(if $(filter-out fuzz,$(LABEL))$(TESTS),,fuzzers)
test: configure $(test_fuzzers) ## build everything and run the tests (without label slow)
	cmake --build build --parallel $(JOBS)
	ctest --preset release $(ctest_run) $(ctest_filter)

fuzzers: setup
	@scripts/setup.sh fuzz
	@cmake --preset fuzz --log-level=WARNING
	cmake --build --preset fuzz --parallel $(JOBS)

# SECONDS_EACH=60 for a short run
SECONDS_EACH ?= 600
fuzz: fuzzers ## fuzz the readers of files for ten minutes each, and print what each did
	tests/fuzz/run.py --build build/fuzz --seconds $(SECONDS_EACH)

bench: configure ## the machine's limits and the kernels' share of them; planning and tokenizing
	cmake --build build --parallel $(JOBS)
	build/headroom bench
	@for bench in build/bench/bench_*; do [ ! -f $$bench -o ! -x $$bench ] || { echo "== $$bench"; $$bench; }; done

bench-memory: build ## predicted against measured peak over a random matrix of runs
	python3 bench/memory.py --headroom build/headroom

bench-pairs: build ## two runs at once in one container, a hundred times: none is killed
	python3 bench/pairs.py --headroom build/headroom

# PYTHON=~/peers/bin/python for PyTorch's DDP and FSDP2 beside
bench-ranks: build ## jobs of several ranks: bits, memory, bytes sent; a step of each stage, and over weak links
	python3 bench/ranks.py --headroom build/headroom
	python3 bench/ranks_speed.py --headroom build/headroom $(if $(PYTHON),--python $(PYTHON))
	python3 bench/weak_links.py --headroom build/headroom

# ONLY=llama-1b-full for one of them; SMALL=1 for a small stand-in of each
bench-large: build ## the large shapes inside their budgets: minutes to an hour each, up to 60 GB of disk
	python3 bench/large.py --headroom build/headroom $(if $(ONLY),--only $(ONLY)) $(if $(SMALL),--small)

lint: setup ## formatting, file lengths, floors, ASCII
	@python3 scripts/lint.py

tidy: setup ## clang-tidy on what differs from main (BASE=..., or FILES="...")
	@scripts/setup.sh tidy
	@cmake --preset tidy --log-level=WARNING
	@scripts/tidy.sh $(FILES)

format: setup ## rewrite the C++ files with clang-format
	@python3 scripts/lint.py --fix

install: configure ## install to PREFIX (default /usr/local): command, library, headers, completion
	cmake --build build --parallel $(JOBS) --target headroom_cli headroom_shared
	cmake --install build --prefix $(PREFIX)

asan: setup ## unit and backend tests under AddressSanitizer and UBSan
	@cmake --preset asan --log-level=WARNING
	cmake --build --preset asan --parallel $(JOBS)
	UBSAN_OPTIONS=print_stacktrace=1 ctest --preset asan $(ctest_run) -LE slow

# ThreadSanitizer of GCC 12 cannot map its shadow where the kernel randomises addresses with 32 bits.
tsan: setup ## unit and backend tests under ThreadSanitizer
	@cmake --preset tsan --log-level=WARNING
	fixed=""; if setarch -R true 2>/dev/null; then fixed="setarch -R"; fi; \
	  $$fixed cmake --build --preset tsan --parallel $(JOBS); \
	  $$fixed ctest --preset tsan $(ctest_run) -LE slow

clang: setup ## build everything with clang, each file alone, and run the unit tests
	@scripts/setup.sh clang
	@cmake --preset clang --log-level=WARNING
	cmake --build --preset clang --parallel $(JOBS)
	ctest --test-dir build/clang --output-on-failure $(ctest_run) -L unit

clean: ## remove build/
	rm -rf build
