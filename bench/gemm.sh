#!/usr/bin/env bash
# Matrix products of the engine beside those of OpenBLAS and oneDNN, in one run on the same cores.
#   bench/gemm.sh [fp32|int8]
# The peers are installed with pip into a folder of their own, and linked into one small C program; the engine needs neither.
# THREADS (1 2) and DIR (a folder that is kept for the next time) may be set.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-fp32}
dir=${DIR:-${TMPDIR:-/tmp}/mutirao-bench-gemm}
threads=${THREADS:-1 2}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE # OpenBLAS chooses its kernels by the processor
if [ ! -x "$dir/bin/pip" ]; then
	python3 -m venv "$dir"
fi
"$dir/bin/pip" install -q --disable-pip-version-check scipy-openblas64 onednn-cpu-gomp onednn-devel-cpu-gomp
blas=$(dirname "$(find "$dir/lib/" -name libscipy_openblas64_.so | head -n 1)")
# gcc's OpenMP is found by its full name: the wheels bring others.
"${CC:-gcc}" -O2 -fopenmp -I"$dir/include" bench/gemm/peer.c -o "$dir/peer" \
	-L"$blas" -lscipy_openblas64_ -L"$dir/lib" -ldnnl -Wl,-rpath,"$blas:$dir/lib"
go test -c -o "$dir/kernel.test" ./engine/kernel
for t in $threads; do
	GOMAXPROCS=$t "$dir/kernel.test" -test.run '^TestBesidePeers$' -test.count=1 -peer "$dir/peer" -peer.kind "$kind"
done
"$dir/bin/pip" list --disable-pip-version-check 2>/dev/null | grep -iE 'openblas|^onednn-cpu'
