package exec

import (
	"runtime"

	"github.com/mutirao/mutirao/engine/kernel"
)

// elementGrain is the least number of elementwise results worth a goroutine, about 10 us of work.
const elementGrain = 16384

// serial reports whether parallel would use one goroutine only. Calling f itself then spares the memory of a function value.
func serial(n, grain int) bool { return n <= grain || runtime.GOMAXPROCS(0) == 1 }

// parallel calls f on ranges that cover [0, n), of at most grain indices each, on up to GOMAXPROCS goroutines, which all end
// before it returns. f must compute what belongs to an index from that index alone. A panic of f, in whichever goroutine,
// becomes a panic of parallel after all have ended, so that the caller can recover from it.
func parallel(n, grain int, f func(lo, hi int)) {
	if serial(n, grain) {
		f(0, n)
		return
	}
	kernel.Parallel(n, grain, f)
}

// workers is how many goroutines parallel uses for n tasks.
func workers(n int) int { return min(runtime.GOMAXPROCS(0), n) }
