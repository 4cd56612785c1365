# SPDX-License-Identifier: Apache-2.0
# The front door. `make` lists what there is; each target installs what it needs (with apt-get) and says so.

PRESET  ?= release
DESTDIR ?=
PREFIX  ?= /usr/local
FUZZ_SECONDS ?= 30
N ?= 50000
SEED ?= 1
SEEDS ?= 300
FROM ?= 1

BUILD = build
NINJA = cmake --build --preset release
# Warnings are errors where CI is set, as CI systems do.

.PHONY: help deps build convergence demo test test-cluster test-fresh verdicts lint format sanitize fuzz bench bench-load bench-status coverage install clean

help: ## show this list
	@echo "kstatusd: tells over gRPC whether Kubernetes objects have reached their desired state, and if not, why not."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

deps: ## install the Debian packages that building, testing and checking need
	@scripts/install-deps build test check

$(BUILD)/.configured: CMakeLists.txt CMakePresets.json
	@scripts/install-deps build
	@cmake --preset release --log-level=WARNING -DCMAKE_INSTALL_PREFIX=$(PREFIX) $(if $(CI),-DKS_WERROR=ON)
	@touch $@

build: $(BUILD)/.configured ## build kstatusd, kstatus and kubesim into build/bin
	@scripts/install-deps build
	@$(NINJA)

demo: ## build, then watch a small rollout on the embedded cluster (KEEP=1 leaves it running)
	@scripts/install-deps build
	@$(MAKE) --no-print-directory build >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@scripts/demo

test: ## build and run all tests but those on a real control plane
	@scripts/install-deps build test
	@$(MAKE) --no-print-directory build
	@scripts/run-tests release

test-cluster: ## test against a real control plane (needs Go >= 1.26; the first run builds it)
	@scripts/install-deps build test
	@$(MAKE) --no-print-directory build
	@tests/e2e/run

convergence: ## run SEEDS (300) faulty runs from FROM (1) and compare with the API server; REPLAY=N tells all of one
	@scripts/install-deps build test
	@$(MAKE) --no-print-directory build
	@$(BUILD)/bin/convergence $(if $(REPLAY),--seed $(REPLAY),--seeds $(SEEDS) --from $(FROM))

test-fresh: ## prove `make demo` and `make test` in a bare Debian 12 made by debootstrap (needs root)
	@scripts/install-deps check
	@scripts/test-fresh

verdicts: $(BUILD)/.configured ## compare N (50000) verdicts with the reference's, on objects of SEED (needs Go >= 1.26)
	@scripts/install-deps build test
	@scripts/verdicts $(N) $(SEED)

lint: ## check format, house rules, shell scripts, clang-tidy, and warnings of clang
	@scripts/install-deps build test check
	@scripts/lint

format: ## format the C code
	@scripts/install-deps check
	@scripts/format

sanitize: ## run the tests under ASan+UBSan and under TSan
	@scripts/install-deps build test check
	@scripts/sanitize

fuzz: ## fuzz every target for FUZZ_SECONDS (30)
	@scripts/install-deps build check
	@scripts/fuzz $(FUZZ_SECONDS)

bench: ## measure what the README states
	@scripts/install-deps build test
	@$(MAKE) --no-print-directory build
	@scripts/bench

bench-load: ## load and leaks in full size: streams, cycles, stalled readers, a restart of the API server
	@scripts/install-deps build test
	@$(MAKE) --no-print-directory build
	@scripts/load

bench-roll: ## measure rolling restarts on a real control plane, the Go watcher beside (needs Go >= 1.26)
	@scripts/install-deps build test
	@$(MAKE) --no-print-directory build
	@tests/cluster/build >/dev/null
	@tests/cluster/roll

bench-status: $(BUILD)/.configured ## measure parse + verdict beside the Go reference and jsmn alone (needs Go >= 1.26)
	@scripts/install-deps build test
	@scripts/bench-status

coverage: ## line and branch coverage of the tests
	@scripts/install-deps build test check
	@scripts/coverage

install: build ## install under PREFIX (/usr/local), below DESTDIR
	@DESTDIR=$(DESTDIR) cmake --install $(BUILD) --prefix $(PREFIX)

clean: ## remove what was built
	@rm -rf $(BUILD)
