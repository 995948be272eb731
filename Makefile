# `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO ?= cargo
TARGET ?= $(or $(CARGO_TARGET_DIR),target)
LONGHAUL := $(TARGET)/release/longhaul

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## install what tests need and is missing (a C compiler, strace, Python, PostgreSQL, ...)
	@scripts/setup.sh

setup-run: ## install what running needs and is missing: a C compiler
	@scripts/setup.sh run

run: setup-run ## build the page and the server, start it with demo tasks, and say what to try next
	@scripts/build-web.sh --or-without
	$(CARGO) build --release --locked -p longhaul
	$(LONGHAUL) serve --demo

test: setup ## run every test
	@scripts/build-web.sh --or-without
	$(CARGO) test --workspace --locked
	scripts/test-clients.sh
	scripts/test-python.sh
	scripts/test-web.sh
	scripts/test-deploy.sh
	scripts/test-monitoring.sh

test-clients: setup ## run the tests with clients that are not ours (Python)
	scripts/test-clients.sh

test-python: setup ## check and test the Python package in clients/python
	scripts/test-python.sh

test-web: setup ## check and test the web page, in a browser too
	scripts/test-web.sh

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	scripts/package-crates.sh

package-crates: ## package the client and worker libraries for crates.io, and compile the packages
	scripts/package-crates.sh --verify

test-deploy: setup ## check the container file, the compose file, the chart, the unit and the package's parts
	scripts/test-deploy.sh

test-monitoring: setup ## check alert rules and dashboard with Prometheus, against a server under load
	scripts/test-monitoring.sh

deb: ## build the Debian package into target/debian; needs dpkg-dev
	scripts/build-deb.sh

deny: ## licences, sources, duplicates and known faults of the crates; needs cargo-deny 0.20
	$(CARGO) deny --locked check

simulate: ## drive the state machine through SEEDS of random faults (1,000,000 unless given)
	$(CARGO) run --release --locked -p longhaul-simulation -- --seeds $(or $(SEEDS),1000000) --threads $$(nproc)

bench: setup ## measure against the goals (30 minutes; QUICK=1 for a few)
	$(CARGO) build --release --locked -p longhaul -p longhaul-bench
	$(CARGO) test --release --locked -p longhaul-engine --lib longest_hold -- --ignored --nocapture
	$(TARGET)/release/longhaul-bench $(if $(QUICK),--quick) --longhaul $(LONGHAUL)

torture: setup ## kill the server 300 times and at every fsync
	$(CARGO) build --release --locked -p longhaul -p longhaul-proof
	$(TARGET)/release/torture --longhaul $(LONGHAUL) --python "$$(scripts/python-env.sh)/bin/python"

torture-quick: setup ## 20 kills and every tenth fsync
	$(CARGO) build --release --locked -p longhaul -p longhaul-proof
	$(TARGET)/release/torture --quick --longhaul $(LONGHAUL) --python "$$(scripts/python-env.sh)/bin/python"

soak: setup ## two hours of load with a kill each minute (MINUTES=120)
	$(CARGO) build --release --locked -p longhaul -p longhaul-proof
	$(TARGET)/release/torture --faults f32 --minutes $(or $(MINUTES),120) --longhaul $(LONGHAUL)

typed: ## 6,000 generated requests, each answer held against its declared type (CASES=6000, SEED=19)
	GENERATED_CASES=$(or $(CASES),6000) GENERATED_SEED=$(or $(SEED),19) \
	  $(CARGO) test --locked -p longhaul-server --test it -- --nocapture generated

fuzz: ## each fuzz target for some minutes (MINUTES=5); needs nightly and cargo-fuzz
	scripts/fuzz.sh $$(( $(or $(MINUTES),5) * 60 ))

.PHONY: help setup setup-run run test test-clients test-python test-web test-deploy test-monitoring deb lint package-crates deny simulate bench torture torture-quick soak typed fuzz
