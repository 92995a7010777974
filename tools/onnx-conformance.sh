#!/usr/bin/env bash
# Runs ONNX's backend node tests and writes docs/onnx-conformance.md: those that Debian packages (libonnx-testdata, ONNX 1.12) and those of
# a newer version from PyPI, whose tests its own program writes. With --check the file must stay as it is.
#
#   tools/onnx-conformance.sh [--check] [DEBIAN_TESTS [NEWER_TESTS]]      folders that hold the tests' folders
#
# Without folders the tests are fetched into DIR (apt-get download, pip); nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
check=
if [ "${1-}" = --check ]; then
	check=yes
	shift
fi
dir=${DIR:-${TMPDIR:-/tmp}/mutirao-onnx-conformance}
version=1.23.2
mkdir -p "$dir"
debian=${1-}
newer=${2-}
if [ -z "$debian" ]; then
	debian=/usr/share/libonnx-testdata/data/node
	if [ ! -d "$debian" ]; then
		debian=$dir/debian/usr/share/libonnx-testdata/data/node
		if [ ! -d "$debian" ]; then
			(cd "$dir" && apt-get download libonnx-testdata && dpkg-deb -x libonnx-testdata_*.deb debian)
		fi
	fi
fi
if [ -z "$newer" ]; then
	newer=$dir/newer/node
	if [ ! -d "$newer" ]; then
		[ -x "$dir/bin/pip" ] || python3 -m venv "$dir"
		"$dir/bin/pip" install -q --disable-pip-version-check onnx==$version numpy
		"$dir/bin/python" tools/onnx-nodes.py "$dir/newer" 2>/dev/null
	fi
fi
mutirao=${MUTIRAO:-bin/mutirao}
for suite in debian newer; do # the exit code says that tests differ, which the file lists
	"$mutirao" model test --json "${!suite}" >"$dir/$suite.json" || [ -s "$dir/$suite.json" ]
done
python3 tools/onnx-conformance.py "Debian's libonnx-testdata (ONNX 1.12)=$dir/debian.json" "ONNX $version=$dir/newer.json" >"$dir/onnx-conformance.md"
if [ -n "$check" ]; then
	diff -u docs/onnx-conformance.md "$dir/onnx-conformance.md"
else
	cp "$dir/onnx-conformance.md" docs/onnx-conformance.md
fi
grep -h '^\*\*' "$dir/onnx-conformance.md"
