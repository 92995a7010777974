#!/usr/bin/env bash
# Runs the tests of engine/kernel and the vectors of engine/exec, published ones included, on every road to the same bits: each
# instruction set, pure Go, GOAMD64=v3 and a compiler forbidden to fuse, and other processors under qemu-user, where assembly also
# repeats a golden run of training. What cannot run here is named, and makes the exit status 1 if STRICT=1 is set.
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

kernels="portable avx2 avx512"
[ "$($go env GOHOSTARCH)" != arm64 ] || kernels="portable neon"
for kernel in $kernels; do
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

# One line per road: GOARCH, the name that qemu gives the processor, the kernels, and which model if not the one that has everything. All
# have a fused multiply-add that the compiler uses for x*y + z, and NaN of their own; s390x stores the high byte first. The tests of
# kernels compare each that there is with the definition, so that other kernels than the first are asked for vectors alone.
while read -r arch cpu kernel model; do
	qemu=$(command -v "qemu-$cpu" || command -v "qemu-$cpu-static")
	name="$arch ${kernel}${model:+ on $model}"
	if [ "$($go env GOHOSTARCH)" = "$arch" ]; then
		continue
	elif [ -z "$qemu" ]; then
		absent "$name" "qemu-$cpu is not installed"
		continue
	fi
	if [ ! -e "$tmp/$arch.test" ]; then
		if ! GOARCH=$arch CGO_ENABLED=0 $go test -c -o "$tmp/$arch.test" $pkg >"$tmp/log" 2>&1 ||
			! GOARCH=$arch CGO_ENABLED=0 $go test -c -o "$tmp/$arch.exec.test" ./engine/exec >"$tmp/log" 2>&1; then
			echo "DIFFERENT $arch does not compile"
			cat "$tmp/log"
			failed+=("$name")
			continue
		fi
		some=$tests
		if [ "$kernel" != portable ]; then
			GOARCH=$arch CGO_ENABLED=0 $go test -c -o "$tmp/$arch.round.test" ./learn/round >"$tmp/log" 2>&1
			check "$name under qemu, training" sh -c "cd learn/round && MUTIRAO_KERNEL=$kernel $qemu $tmp/$arch.round.test -test.run Golden"
		fi
	else
		some='^TestVectors$|SelfTest|Values|Int8Same'
	fi
	run="${model:+QEMU_CPU=$model} MUTIRAO_KERNEL=$kernel $qemu"
	check "$name under qemu" sh -c "cd $pkg && $run $tmp/$arch.test -test.run '$some|^TestActiveIsWanted$'"
	check "$name under qemu, operators" sh -c "cd engine/exec && $run $tmp/$arch.exec.test -test.run Vectors"
done <<-'END'
	arm64 aarch64 neon
	arm64 aarch64 neon cortex-a72
	arm64 aarch64 portable
	riscv64 riscv64 portable
	s390x s390x portable
END

echo
echo "${#failed[@]} different, ${#missing[@]} not run"
[ ${#failed[@]} -eq 0 ] || exit 1
[ "${STRICT:-0}" != 1 ] || [ ${#missing[@]} -eq 0 ] || exit 1
