#!/usr/bin/env bash
# Runs training steps of the engine, exported as plain ONNX, in ONNX Runtime: 20 steps of a perceptron with each optimizer, of a small
# convolutional network and of a small transformer. Losses must agree. Peers are installed with pip into a folder of their own (DIR).
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${DIR:-${TMPDIR:-/tmp}/mutirao-onnx-step}
if [ ! -x "$dir/bin/pip" ]; then
	python3 -m venv "$dir"
fi
"$dir/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy
rm -rf "$dir/steps"
go test ./learn/optim -count=1 -run '^TestStandardStep$' -export "$dir/steps" >/dev/null
"$dir/bin/python" tools/onnx-step.py "$dir"/steps/*
