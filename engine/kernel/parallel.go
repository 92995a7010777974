package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// serial reports whether n elements are better done without parallel, which then need not be given a function: that costs memory.
func serial(n, grain int) bool { return n < 2*grain || runtime.GOMAXPROCS(0) == 1 }

// parallel calls f on ranges that cover [0, n), each of grain elements (the last may be shorter), on up to
// GOMAXPROCS goroutines that all end before it returns, or on the active Gang. f must write each output from one range
// only, by a rule that does not depend on the range: then the number of goroutines does not show in the bits. A panic of
// f, in whichever goroutine, becomes a panic of parallel after all have ended, so that the caller can recover from it.
func parallel(n, grain int, f func(lo, hi int)) {
	ranges := (n + grain - 1) / grain
	workers := min(runtime.GOMAXPROCS(0), ranges)
	if workers <= 1 {
		for lo := 0; lo < n; lo += grain {
			f(lo, min(lo+grain, n))
		}
		return
	}
	j := &job{n: n, grain: grain, ranges: ranges, f: f}
	if g := activeGang.Load(); g == nil || !g.do(j) {
		var wg sync.WaitGroup
		for range workers - 1 {
			wg.Go(j.work)
		}
		j.work()
		wg.Wait()
	}
	if p := j.failed.Load(); p != nil {
		panic(*p)
	}
}

// Parallel is parallel for other packages of the engine.
func Parallel(n, grain int, f func(lo, hi int)) { parallel(n, grain, f) }

// job is one call of parallel.
type job struct {
	n, grain, ranges int
	f                func(lo, hi int)
	next             atomic.Int64        // the range to take next
	inside           atomic.Int32        // members of a gang that may be at work
	failed           atomic.Pointer[any] // the first panic
}

// work takes ranges until none is left.
func (j *job) work() {
	defer func() {
		if p := recover(); p != nil {
			j.failed.CompareAndSwap(nil, &p)
		}
	}()
	for {
		i := int(j.next.Add(1)) - 1
		if i >= j.ranges {
			return
		}
		j.f(i*j.grain, min((i+1)*j.grain, j.n))
	}
}
