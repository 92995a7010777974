#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time each: tools/fuzz.sh 1m
set -euo pipefail
cd "$(dirname "$0")/.."
each=${1:-1m}
grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r dir; do
  grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | awk '{print $2}' | sort -u | while read -r target; do
    echo "== $dir $target ($each)"
    go test -run '^$' -fuzz "^${target}\$" -fuzztime "$each" "$dir"
  done
done
