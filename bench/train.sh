#!/usr/bin/env bash
# One training step (forward, backward, clip by the norm, AdamW) of the engine beside PyTorch, in one run on the same cores.
#   bench/train.sh [mlp cnn transformer]
# PyTorch is installed with pip into a folder of its own (some GB: its wheel for Linux brings CUDA). Each figure is the fastest step of
# TURNS turns of SECONDS seconds, ours and theirs in turn, each in a process of its own; memory is the peak resident set of that process
# less what it had before the network was made, PyTorch loaded. THREADS (1 2), TURNS (2), SECONDS_EACH (2) and DIR (a folder that is
# kept for the next time) may be set.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${DIR:-${TMPDIR:-/tmp}/mutirao-bench-train}
if [ ! -x "$dir/bin/pip" ]; then
	python3 -m venv "$dir"
fi
"$dir/bin/pip" install -q --disable-pip-version-check torch==2.15.0 numpy
go test -c -o "$dir/optim.test" ./learn/optim
seconds=${SECONDS_EACH:-2}
echo "network threads | step ms: ours, PyTorch, ratio | memory MB: ours, PyTorch, ratio"
for net in ${*:-mlp cnn transformer}; do
	for threads in ${THREADS:-1 2}; do
		for _ in $(seq "${TURNS:-2}"); do
			GOMAXPROCS=$threads "$dir/optim.test" -test.run '^TestMeasure$' -measure "$net" -measure.time "${seconds}s" | sed -n 's/^/ours /;1p'
			"$dir/bin/python" bench/train/peer.py "$net" "$threads" "$seconds" | sed 's/^/peer /'
		done | awk -v net="$net" -v threads="$threads" '
			!($1 in ms) || $4 < ms[$1] { ms[$1] = $4 }
			$5 > mb[$1] { mb[$1] = $5 }
			END { printf "%s %s | %.1f %.1f %.2f | %.0f %.0f %.2f\n", net, threads, ms["ours"], ms["peer"], ms["peer"] / ms["ours"], mb["ours"], mb["peer"], mb["ours"] / mb["peer"] }'
	done
done
"$dir/bin/pip" list --disable-pip-version-check 2>/dev/null | grep -iE '^torch '
