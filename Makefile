# The commands of this repository; `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
SEEDS ?= 1000
FAULTS ?= 200
TARGET ?= decoders
MINUTES ?= 5

.PHONY: help run desktop-demo test bench load soak faults simulate spec fuzz timing measure package advisories

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: ## a relay on this machine and the desktop client on it; without a display, two people who talk by the command line
	@tools/run

desktop-demo: ## two people install it, meet and talk, by real key presses without a screen; pictures in target/
	@tools/desktop-demo

test: ## formatting, clippy, licences, all tests
	@tools/test

bench: ## speed of the cryptography, the relay and the client, each beside its limit
	@. tools/setup.sh && need_packages && need_rust && \
		cargo bench --locked -p sotto-crypto && cargo bench --locked -p sotto-relay && \
		cargo build --locked --release -p sotto-relay && cargo bench --locked -p sotto-tests --bench client

load: ## the relay with a million mailboxes, and in storms: some minutes
	@. tools/setup.sh && need_packages && need_rust && \
		cargo bench --locked -p sotto-relay --bench relay -- million storm

soak: ## the relay for twenty minutes at 2,000 messages a second: its memory, a line a minute
	@. tools/setup.sh && need_packages && need_rust && \
		cargo bench --locked -p sotto-relay --bench relay -- soak

faults: ## a load whose history is checked, through 200 random faults: make faults FAULTS=200 [SEED=81b2]
	@. tools/setup.sh && need_packages tests && need_rust && \
		FAULTS=$(FAULTS) cargo test --locked --release -p sotto-relay --test process history_with -- --nocapture

simulate: ## many people, crashes and losses from seeds: make simulate SEEDS=1000
	@. tools/setup.sh && need_packages && need_rust && \
		SEEDS=$(SEEDS) cargo test --locked --release -p sotto-tests --test scenarios simulate -- --nocapture

spec: ## the specification against itself: known answers, the reference in Python, the formal models and their broken variants
	@tools/spec

fuzz: ## one fuzz target for some minutes: make fuzz TARGET=session MINUTES=20
	@tools/fuzz $(TARGET) $(MINUTES)

timing: ## whether what must take equal time does: tag comparison, decapsulation failure, denied
	@tools/timing

measure: ## start, memory and idle share of the desktop client, empty and with 100,000 messages
	@tools/measure-desktop

package: ## two Debian packages, the relay and the desktop client with the command line, in target/
	@tools/package-relay
	@tools/package

advisories: ## known weaknesses of our dependencies (needs a network)
	@. tools/setup.sh && need_rust && need_cargo_command cargo-deny "$$deny_version" && cargo deny check advisories
