#!/usr/bin/env bash
# Ensembles of decision trees beside ONNX Runtime, in one run on the same cores: bench/trees.sh [bin/mutirao]
# The peers are installed with pip into a folder of their own. Each figure is the least of TURNS medians of single runs, ours and theirs in turn, each
# in a process of its own. THREADS ("1 2"), TURNS (5), MS (200) and DIR (a folder that is kept for the next time) may be set.
set -euo pipefail
program=$(realpath "${1:-bin/mutirao}")
cd "$(dirname "$0")/.."
dir=${DIR:-${TMPDIR:-/tmp}/mutirao-bench-trees}
[ -x "$dir/bin/pip" ] || python3 -m venv "$dir"
"$dir/bin/pip" install -q --disable-pip-version-check scikit-learn==1.9.1 skl2onnx==1.20.0 onnxruntime==1.32.0
[ -f "$dir/forest.onnx" ] || "$dir/bin/python" bench/trees/peer.py make "$dir"
ms=${MS:-200}
echo "model rows threads | ms: ours, ONNX Runtime, ratio"
for model in boosting forest; do
	for rows in 1 100 1000; do
		for threads in ${THREADS:-1 2}; do
			for _ in $(seq "${TURNS:-5}"); do
				"$program" model bench "$dir/$model.onnx" --input "$dir/$model$rows.npy" --threads "$threads" --time "${ms}ms" --json | sed -E 's/.*"p50_ms":([0-9.e+-]+).*/ours \1/'
				"$dir/bin/python" bench/trees/peer.py run "$dir/$model" "$rows" "$threads" "$ms" | sed 's/^/peer /'
			done | awk -v model="$model" -v rows="$rows" -v threads="$threads" '
				!($1 in ms) || $2 < ms[$1] { ms[$1] = $2 }
				END { printf "%s %s %s | %.4f %.4f %.2f\n", model, rows, threads, ms["ours"], ms["peer"], ms["peer"] / ms["ours"] }'
		done
	done
done
