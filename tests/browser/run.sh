#!/usr/bin/env bash
# The console in a real browser, against the real server with real weights and the sample history.
# Takes the program as its argument; leaves screenshots in OUT/shots.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(readlink -f "$1")
out=$2
mkdir -p "$out/modules"
# Outside the checkout, and only when they have changed.
if ! cmp -s "$here/package-lock.json" "$out/modules/package-lock.json"; then
  cp "$here/package.json" "$here/package-lock.json" "$out/modules/"
  (cd "$out/modules" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error) \
    || { rm -f "$out/modules/package-lock.json"; exit 1; }
fi
chromium=${DESKHAND_TEST_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}
export DESKHAND_BIN=$program BROWSER_OUT=$out BROWSER_PROGRAM=$chromium
exec node --test --test-reporter=spec "$here/console.test.mjs"
