package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// serial reports whether n elements are better done without parallel, which then need not be given a function: that costs memory.
func serial(n, grain int) bool { return n < 2*grain || runtime.GOMAXPROCS(0) == 1 }

// parallel calls f on ranges that cover [0, n), each of grain elements (the last may be shorter), on up to
// GOMAXPROCS goroutines that all end before it returns. f must write each output from one range only, by a rule that
// does not depend on the range: then the number of goroutines does not show in the bits. A panic of f, in whichever
// goroutine, becomes a panic of parallel after all have ended, so that the caller can recover from it.
func parallel(n, grain int, f func(lo, hi int)) {
	ranges := (n + grain - 1) / grain
	workers := min(runtime.GOMAXPROCS(0), ranges)
	if workers <= 1 {
		for lo := 0; lo < n; lo += grain {
			f(lo, min(lo+grain, n))
		}
		return
	}
	var next atomic.Int64
	var failed atomic.Pointer[any] // the first panic
	work := func() {
		defer func() {
			if p := recover(); p != nil {
				failed.CompareAndSwap(nil, &p)
			}
		}()
		for {
			i := int(next.Add(1)) - 1
			if i >= ranges {
				return
			}
			f(i*grain, min((i+1)*grain, n))
		}
	}
	var wg sync.WaitGroup
	for range workers - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if p := failed.Load(); p != nil {
		panic(*p)
	}
}
