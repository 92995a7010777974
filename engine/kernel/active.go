package kernel

import (
	"fmt"
	"os"
	"sync/atomic"
)

// implementation is one way to compute the definitions; all give the same bits.
type implementation uint32

const (
	portable implementation = iota
	avx2
	avx512
	neon
	implementations
)

func (i implementation) String() string {
	return [...]string{"portable", "avx2", "avx512", "neon"}[i]
}

// active is the implementation in use. It is chosen at start and changed only by SelfTest and by tests.
var active atomic.Uint32

// errChoice says why the choice made by MUTIRAO_KERNEL could not be followed; SelfTest returns it.
var errChoice error

func init() {
	choice, err := choose(os.Getenv("MUTIRAO_KERNEL"))
	active.Store(uint32(choice))
	errChoice = err
}

// choose returns the fastest implementation of this machine, or the wanted one if that is not "". A wish that cannot
// be met gives the portable one and an error.
func choose(wanted string) (implementation, error) {
	if wanted == "" {
		for i := implementations - 1; i > portable; i-- {
			if supported(i) {
				return i, nil
			}
		}
		return portable, nil
	}
	for i := portable; i < implementations; i++ {
		if i.String() != wanted {
			continue
		}
		if i != portable && !supported(i) {
			return portable, fmt.Errorf("kernel: MUTIRAO_KERNEL=%s is not supported by this machine or build", wanted)
		}
		return i, nil
	}
	return portable, fmt.Errorf("kernel: MUTIRAO_KERNEL=%q is not one of portable, avx2, avx512, neon", wanted)
}

func current() implementation { return implementation(active.Load()) }

// Active names the implementation in use: "avx512", "avx2", "neon" or "portable". The environment variable MUTIRAO_KERNEL,
// read once at start, forces one of them; the build tag purego leaves only the portable one.
func Active() string { return current().String() }
