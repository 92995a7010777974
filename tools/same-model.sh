#!/usr/bin/env bash
# Runs the whole demo with the same seed on every kind of arithmetic that this machine has and compares the model roots.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

go build -o "$out/plain" ./cmd/mutirao
GOAMD64=v3 go build -o "$out/v3" ./cmd/mutirao

roots=""
show() { # name program [variable=value]
  local name=$1 program=$2
  shift 2
  if ! env "$@" "$out/$program" demo --json --seed 7 >"$out/report.json" 2>"$out/progress"; then
    echo "$name: the demo failed" >&2
    tail -n 5 "$out/progress" >&2
    exit 1
  fi
  local root seconds kernel
  root=$(sed -nE 's/^ "model_root": "([0-9a-f]+)",?$/\1/p' "$out/report.json")
  kernel=$(sed -nE 's/^ "kernel": "([a-z0-9]+)",?$/\1/p' "$out/report.json")
  seconds=$(sed -nE 's/^ "seconds": ([0-9.]+).*$/\1/p' "$out/report.json")
  printf '%-22s kernels %-9s %s  %.0f s\n' "$name" "$kernel" "$root" "$seconds"
  roots+="$root"$'\n'
}

if grep -qw avx512f /proc/cpuinfo 2>/dev/null; then show avx512 plain MUTIRAO_KERNEL=avx512; else echo "avx512: this machine has none, not run"; fi
if grep -qw avx2 /proc/cpuinfo 2>/dev/null; then show avx2 plain MUTIRAO_KERNEL=avx2; else echo "avx2: this machine has none, not run"; fi
show portable plain MUTIRAO_KERNEL=portable
show GOMAXPROCS=1 plain GOMAXPROCS=1
show GOMAXPROCS=2 plain GOMAXPROCS=2
show GOAMD64=v3 v3 MUTIRAO_KERNEL=
show "GOAMD64=v3 portable" v3 MUTIRAO_KERNEL=portable

if [ "$(printf %s "$roots" | sort -u | wc -l)" != 1 ]; then
  echo "the model roots differ" >&2
  exit 1
fi
echo "one model root"
