#!/usr/bin/env bash
# Holds a running service to its OpenAPI document with schemathesis (PyPI), all checks on. What a
# run needs is set up in a temporary folder: a virtual environment, a desk with a month of the
# sample history, a key.
#
#   tests/schemathesis.sh [CASES_PER_OPERATION]
set -euo pipefail
cd "$(dirname "$0")/.."
cases=${1:-300}
target=${CARGO_TARGET_DIR:-target}
deskhand=${DESKHAND_BIN:-$target/release/deskhand}
work=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
server=

if ! command -v "${SCHEMATHESIS:-schemathesis}" >/dev/null; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet schemathesis==4.32.5
  SCHEMATHESIS=$work/venv/bin/schemathesis
fi

export DESKHAND__DATA__FOLDER=$work/data DESKHAND__LOG__LEVEL=error
export DESKHAND__SERVER__REQUESTS_PER_MINUTE=0
"$deskhand" import eval/sample/2025-01.jsonl --taxonomy models/taxonomy/sample.toml
key=$("$deskhand" keys create schemathesis --scope admin)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$deskhand" serve --listen "127.0.0.1:$port" &
server=$!
until "$deskhand" healthcheck --url "http://127.0.0.1:$port/readyz" 2>/dev/null; do sleep 0.3; done
"${SCHEMATHESIS:-schemathesis}" run "http://127.0.0.1:$port/openapi.json" --checks all --max-examples "$cases" --continue-on-failure --workers 2 --request-timeout 30 \
  --generation-database none -H "Authorization: Bearer $key" ${SCHEMATHESIS_FLAGS:-}
