#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each, those that there are: tools/fuzz.sh 1m. Inputs are hardly minimised: a target
# whose coverage depends on chance (signatures verified in batches) would spend all its time on that.
set -euo pipefail
cd "$(dirname "$0")/.."
each=${1:-1m}
grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do
  grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | awk '{print $2}' | sort -u | while read -r target; do
    echo "== $dir $target ($each)"
    go test -fuzzminimizetime 1s -run '^$' -fuzz "^${target}\$" -fuzztime "$each" "$dir"
  done
done
