#!/usr/bin/env bash
# Runs the tests of engine/kernel and the vectors of engine/exec, published ones included, on every road to the same bits: each instruction set,
# pure Go, GOAMD64=v3 and a compiler forbidden to fuse, and other processors under qemu-user. What cannot run here is
# named, and makes the exit status 1 if STRICT=1 is set.
#   Debian: apt-get install qemu-user
set -u
cd "$(dirname "$0")/.."
pkg=./engine/kernel
all="$pkg ./engine/exec"
go=${GO:-go}
tests='Vectors|Values|SelfTest|Same|FMA|Threads|Uniform|Philox|ConvBatch'
failed=() missing=()
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

check() { # name command...
	local name=$1
	shift
	if "$@" >"$tmp/log" 2>&1; then
		echo "same      $name"
	else
		echo "DIFFERENT $name"
		sed 's/^/          /' "$tmp/log" | tail -n 30
		failed+=("$name")
	fi
}

absent() { # name reason
	echo "NOT RUN   $1: $2"
	missing+=("$1")
}

for kernel in portable avx2 avx512; do
	# The tests run what the machine has; whether the wish is met is asked first.
	if MUTIRAO_KERNEL=$kernel $go test -count=1 -run '^TestActiveIsWanted$' $pkg >/dev/null 2>&1; then
		check "$kernel" env MUTIRAO_KERNEL=$kernel "$go" test -count=1 -run "$tests" $all
	else
		absent "$kernel" "this processor lacks it"
	fi
done
check "one thread" env GOMAXPROCS=1 "$go" test -count=1 -run "$tests" $all
check "purego" "$go" test -count=1 -tags purego -run "$tests" $all
check "without fusing (fmahash=n)" "$go" test -count=1 '-gcflags=all=-d=fmahash=n' -run "$tests" $all
case "$($go env GOHOSTARCH)" in
amd64)
	if grep -qw bmi2 /proc/cpuinfo 2>/dev/null && grep -qw fma /proc/cpuinfo; then
		check "GOAMD64=v3" env GOAMD64=v3 "$go" test -count=1 -run "$tests" $all
		check "GOAMD64=v3, purego" env GOAMD64=v3 "$go" test -count=1 -tags purego -run "$tests" $all
	else
		absent "GOAMD64=v3" "this processor lacks it"
	fi
	;;
*) absent "GOAMD64=v3" "not an amd64 machine" ;;
esac

# One line per processor: GOARCH and the name that qemu gives it. All have a fused multiply-add that the compiler uses for
# x*y + z, and NaN of their own; s390x stores the high byte first.
while read -r arch cpu; do
	qemu=$(command -v "qemu-$cpu" || command -v "qemu-$cpu-static")
	if [ "$($go env GOHOSTARCH)" = "$arch" ]; then
		continue
	elif [ -z "$qemu" ]; then
		absent "$arch" "qemu-$cpu is not installed"
	elif ! GOARCH=$arch CGO_ENABLED=0 $go test -c -o "$tmp/$arch.test" $pkg >"$tmp/log" 2>&1 ||
		! GOARCH=$arch CGO_ENABLED=0 $go test -c -o "$tmp/$arch.exec.test" ./engine/exec >"$tmp/log" 2>&1; then
		echo "DIFFERENT $arch does not compile"
		cat "$tmp/log"
		failed+=("$arch")
	else
		check "$arch under qemu" sh -c "cd $pkg && $qemu $tmp/$arch.test -test.run '$tests'"
		check "$arch under qemu, operators" sh -c "cd engine/exec && $qemu $tmp/$arch.exec.test -test.run Vectors"
	fi
done <<-'END'
	arm64 aarch64
	riscv64 riscv64
	s390x s390x
END

echo
echo "${#failed[@]} different, ${#missing[@]} not run"
[ ${#failed[@]} -eq 0 ] || exit 1
[ "${STRICT:-0}" != 1 ] || [ ${#missing[@]} -eq 0 ] || exit 1
