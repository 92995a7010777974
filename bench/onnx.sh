#!/usr/bin/env bash
# Models run by the engine beside ONNX Runtime, in one run on the same cores: times, ratios (above 1 ours is faster) and the
# largest difference between outputs.
#   bench/onnx.sh [MODEL...]     models of bench/onnx/models.py, each with sizes of named dimensions: resnet18,N=1
# ONNX Runtime is installed with pip into a folder of its own, and the models are written there; the engine needs neither.
# THREADS (1 2), DIR (a folder that is kept for the next time), TURN (600ms) and TURNS (3) may be set.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${DIR:-${TMPDIR:-/tmp}/mutirao-bench-onnx}
if [ ! -x "$dir/bin/pip" ]; then
	python3 -m venv "$dir"
fi
"$dir/bin/pip" install -q --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy
models=("$@")
if [ ${#models[@]} -eq 0 ]; then
	mapfile -t models < <("$dir/bin/python" bench/onnx/models.py --list)
fi
"$dir/bin/python" bench/onnx/models.py "$dir" $(printf '%s\n' "${models[@]%%,*}" | sort -u)
tests=$(mktemp -d) # not in $dir, which two checkouts may share
trap 'rm -rf "$tests"' EXIT
go test -c -o "$tests/onnx.test" ./engine/onnx
for t in ${THREADS:-1 2}; do
	GOMAXPROCS=$t "$tests/onnx.test" -test.run '^TestBesidePeers$' -test.count=1 -peer "$dir/bin/python bench/onnx/peer.py" \
		-peer.models "$(printf "$dir/%s " "${models[@]/,/.onnx,}")" -peer.turn "${TURN:-600ms}" -peer.turns "${TURNS:-3}"
done
