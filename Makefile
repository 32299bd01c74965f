# The commands of the project. Everything lands in one target folder outside the checkout, so that
# a fresh clone builds unchanged dependencies once.
SHELL := /bin/bash
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/deskhand/target
export RUSTDOCFLAGS := -D warnings
CARGO := cargo --locked

# Whether the tests find a PostgreSQL, as tests/it/support/postgres.rs looks for it.
POSTGRES := test -n "$$DESKHAND_TEST_POSTGRES_URL" || command -v initdb >/dev/null \
  || ls -d /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb 2>/dev/null | grep -q .

# Whether the console can be tested in a browser, as tests/browser/run.sh looks for one.
NODE := command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'
CHROMIUM := test -n "$$DESKHAND_TEST_CHROMIUM" || command -v chromium chromium-browser google-chrome >/dev/null

# Installs Debian packages where that can be done: as root, with apt.
APT := [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -q \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends

.PHONY: test tools weights fmt lint doc unit browser deny deny-if-there check-long check-api faults fuzz accept bench-peers check-report clean

## Everything that must hold before a change lands.
test: tools weights fmt lint doc unit browser deny-if-there

## What the tests need besides cargo, said clearly where it is missing.
tools:
	@command -v cargo >/dev/null || { echo "make test needs Rust 1.95 or later: https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "make test needs a C compiler (Debian: apt-get install gcc)" >&2; exit 1; }
	@python3 -m pip --version >/dev/null 2>&1 || { echo "make test needs python3 with pip (Debian: apt-get install python3-pip); one test fetches a wheel with it" >&2; exit 1; }
	@$(POSTGRES) || { $(APT) postgresql; } \
	  || { echo "make test needs PostgreSQL's server programs (Debian: apt-get install postgresql), or DESKHAND_TEST_POSTGRES_URL" >&2; exit 1; }
	@$(NODE) || { $(APT) nodejs npm && $(NODE); } \
	  || { echo "make test needs Node.js 20 or later with npm (https://nodejs.org)" >&2; exit 1; }
	@$(CHROMIUM) || { $(APT) chromium fonts-dejavu-core; } \
	  || { echo "make test needs Chromium (Debian: apt-get install chromium), or DESKHAND_TEST_CHROMIUM" >&2; exit 1; }
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
	INSTA_UPDATE=no $(CARGO) test -p deskhand -p deskhand-eval -p deskhand-train

## The console in a real browser, with axe-core's rules on every page. Screenshots are left in the
## target folder under browser/shots, to be looked at.
browser: tools weights
	$(CARGO) build -p deskhand
	tests/browser/run.sh $(CARGO_TARGET_DIR)/debug/deskhand $(CARGO_TARGET_DIR)/browser

# Lock files of today cannot be read by versions before this one; the wheel on PyPI is older.
DENY_VERSION := 0.18.0
DENY := cargo deny --locked --workspace
deny_is_there = $$(printf '%s\n' $(DENY_VERSION) "$$(cargo deny --version 2>/dev/null | cut -d' ' -f2)" | sort -V | head -1)

## Licences, sources, bans and, where their database can be reached, known vulnerabilities.
deny:
	@if [ "$(deny_is_there)" != $(DENY_VERSION) ]; then \
	  echo "cargo-deny $(DENY_VERSION) or later is built first" >&2; \
	  cargo install --locked cargo-deny; \
	fi
	$(DENY) check --hide-inclusion-graph -A duplicate licenses bans sources
	@if $(DENY) fetch db; then \
	  set -x; $(DENY) --offline check advisories; \
	else \
	  echo "NOT CHECKED: the database of vulnerabilities cannot be reached from here" >&2; \
	fi

# Part of every test run on machines that have it.
deny-if-there:
	@if [ "$(deny_is_there)" = $(DENY_VERSION) ]; then \
	  set -x; $(CARGO) fetch --quiet && $(DENY) --offline check --hide-inclusion-graph -A duplicate licenses bans sources; \
	else \
	  echo "dependencies are not checked: no cargo-deny $(DENY_VERSION) or later (make deny)"; \
	fi

## The full fault suite: 50 clients, and 100 times SIGKILL in the middle of it all.
faults: weights
	DESKHAND_FAULT_ROUNDS=100 DESKHAND_FAULT_CLIENTS=50 \
	  $(CARGO) test --release --test it faults:: -- --nocapture --test-threads=1

## The service, held to its OpenAPI document by schemathesis with all checks: over 5,000 cases.
check-api: weights
	$(CARGO) build --release -p deskhand
	tests/schemathesis.sh 200

## 150 s for each target of the fuzz suite, two at a time.
fuzz: weights
	DESKHAND_FUZZ_SECONDS=150 $(CARGO) test --release --test fuzz -- --nocapture --test-threads=2

## Slow suites. DATA=DIR names a folder of data sets that the project does not ship; see
## CONTRIBUTING.md for where each can be had.
check-long: tools weights deny faults fuzz check-api
	PROPTEST_CASES=20000 $(CARGO) test --release --lib
	$(CARGO) run --release -p deskhand-eval -- sample
ifdef DATA
	for file in $(DATA)/*.jsonl $(DATA)/*.csv; do \
	  if [ -e "$$file" ]; then \
	    echo "== $$file"; $(CARGO) run --release -p deskhand-eval -- leave-one-out "$$file" || exit 1; \
	  fi; \
	done
endif

PEERS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/deskhand/peers

## Our encoder against ONNX Runtime, OpenVINO and sentence-transformers on the same texts, in turns.
## The first run sets up a Python environment of some gigabytes.
bench-peers: weights
	$(CARGO) build --release -p deskhand-eval
	test -x $(PEERS)/bin/python || python3 -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet -r eval/peers/requirements.txt
	$(PEERS)/bin/python eval/peers/run.py --ours $(CARGO_TARGET_DIR)/release/deskhand-eval

REPORT_CHECK := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/deskhand/report-check

## The report on the sample, and on DATA's files if named, in a real browser (CHROMIUM, by default
## Debian's): axe-core, three widths, light, dark and print. Pictures go to $(REPORT_CHECK)/pictures.
check-report: weights
	@command -v node npm >/dev/null || { echo "make check-report needs node and npm (Debian: apt-get install npm)" >&2; exit 1; }
	@test -x "$${CHROMIUM:-/usr/bin/chromium}" || { echo "make check-report needs a browser (Debian: apt-get install chromium), or CHROMIUM" >&2; exit 1; }
	$(CARGO) build --release -p deskhand-eval
	mkdir -p $(REPORT_CHECK)
	cp eval/report-check/package.json eval/report-check/check.mjs $(REPORT_CHECK)/
	npm install --silent --no-audit --no-fund --prefix $(REPORT_CHECK)
	$(CARGO_TARGET_DIR)/release/deskhand-eval report --out $(REPORT_CHECK)/sample.html
ifdef DATA
	for file in $(DATA)/*.jsonl* $(DATA)/*.csv $(DATA)/*.xlsx; do \
	  if [ -e "$$file" ]; then \
	    $(CARGO_TARGET_DIR)/release/deskhand-eval report "$$file" --out $(REPORT_CHECK)/$$(basename "$$file" | sed 's/[.].*//').html || exit 1; \
	  fi; \
	done
endif
	cd $(REPORT_CHECK) && node check.mjs pictures *.html

## Takes over changed snapshots; read the difference before you commit it.
accept:
	INSTA_UPDATE=always $(CARGO) test --test it

clean:
	$(CARGO) clean
