package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// serial reports whether n elements are better done without parallel, which then need not be given a function: that costs memory.
func serial(n, grain int) bool { return n < 2*grain || runtime.GOMAXPROCS(0) == 1 }

// parallel calls f on ranges that cover [0, n), each of grain elements (the last may be shorter), on up to
// GOMAXPROCS goroutines, none of which is in f when it returns. f must write each output from one range only, by a rule that
// does not depend on the range: then the number of goroutines does not show in the bits. A panic of f, in whichever
// goroutine, becomes a panic of parallel after all have ended, so that the caller can recover from it.
//
// Waking a sleeping processor takes longer than many a layer does. A helper therefore looks out for more work for some
// microseconds before it ends. If all helpers are busy, as in calls from within f, the caller does what there is.
func parallel(n, grain int, f func(lo, hi int)) {
	ranges := (n + grain - 1) / grain
	wanted := min(runtime.GOMAXPROCS(0), ranges, maxHelpers) - 1
	if wanted <= 0 {
		for lo := 0; lo < n; lo += grain {
			f(lo, min(lo+grain, n))
		}
		return
	}
	j := jobs.Get().(*job)
	j.n, j.grain, j.f = n, grain, f
	j.next.Store(0)
	j.left.Store(1)
	places := helpers[:wanted]
	j.offer(places)
	j.work()
	j.withdraw(places)
	j.wait()
	failed := j.failed.Swap(nil)
	j.f = nil
	jobs.Put(j)
	if failed != nil {
		panic(*failed)
	}
}

// Parallel is parallel for other packages of the engine.
func Parallel(n, grain int, f func(lo, hi int)) { parallel(n, grain, f) }

// job is one call of parallel.
type job struct {
	n, grain int
	f        func(lo, hi int)
	next     atomic.Int64        // range that nobody has taken yet
	left     atomic.Int32        // members, the caller among them, that are not done
	failed   atomic.Pointer[any] // the first panic
	asleep   atomic.Bool         // the caller waits for done
	done     chan struct{}
}

var jobs = sync.Pool{New: func() any { return &job{done: make(chan struct{}, 1)} }}

const (
	maxHelpers = 64
	// patience is how long a member looks before it goes to sleep: about what waking takes. Within a run there will be
	// more work, so a helper looks for longer.
	patience    = 50 * time.Microsecond
	runPatience = time.Millisecond
)

// helpers has a place for each helper: nil if there is none, lookout if it looks out for work, a job that it is offered, or
// working.
var (
	helpers [maxHelpers]atomic.Pointer[job]
	lookout = new(job)
	working = new(job)
)

// offer gives the job to helpers that look out, and to new ones.
func (j *job) offer(places []atomic.Pointer[job]) {
	for i := range places {
		place := &places[i]
		state := place.Load()
		if state != nil && state != lookout {
			continue
		}
		j.left.Add(1)
		if !place.CompareAndSwap(state, j) {
			j.left.Add(-1)
		} else if state == nil {
			go help(place)
		}
	}
}

// withdraw takes the job back from those who have not begun, since there is nothing left to do.
func (j *job) withdraw(places []atomic.Pointer[job]) {
	for i := range places {
		if places[i].CompareAndSwap(j, lookout) {
			j.left.Add(-1)
		}
	}
}

// help does the jobs that are offered at a place until none has come for a while.
func help(place *atomic.Pointer[job]) {
	for {
		j := place.Load()
		switch {
		case j != lookout:
			if place.CompareAndSwap(j, working) {
				j.member(place)
			}
		case !soon(func() bool { return place.Load() != lookout }, true) && place.CompareAndSwap(lookout, nil):
			return
		}
	}
}

// member does its part of the job, then looks out for the next.
func (j *job) member(place *atomic.Pointer[job]) {
	j.work()
	place.Store(lookout)
	if j.left.Add(-1) == 0 && j.asleep.Load() {
		select {
		case j.done <- struct{}{}:
		default: // the caller has yet to take the last one
		}
	}
}

// work takes ranges until there are no more. A panic ends it.
func (j *job) work() {
	defer func() {
		if p := recover(); p != nil {
			j.failed.CompareAndSwap(nil, &p)
		}
	}()
	for {
		lo := int(j.next.Add(1)-1) * j.grain
		if lo >= j.n {
			return
		}
		j.f(lo, min(lo+j.grain, j.n))
	}
}

// wait returns when every member is done. A helper of an earlier use of j may still knock, so it looks again.
func (j *job) wait() {
	if j.left.Add(-1) == 0 || soon(func() bool { return j.left.Load() == 0 }, false) {
		return
	}
	j.asleep.Store(true)
	for j.left.Load() != 0 {
		<-j.done
	}
	j.asleep.Store(false)
}

// soon reports whether something happens before patience ends, that of runs if there are any and they count.
func soon(happens func() bool, runsCount bool) bool {
	const looks = 128 // between two looks at the clock, about 5 µs
	start := time.Now()
	for {
		for range looks {
			if happens() {
				return true
			}
			relax()
		}
		waited := time.Since(start)
		if waited > runPatience || waited > patience && !(runsCount && runs.Load() > 0) {
			return false
		}
		runtime.Gosched()
	}
}

// Run is a time in which many calls of parallel follow each other, as the layers of a network.
type Run struct{}

// runs is how many there are now.
var runs atomic.Int32

// StartRun begins a run, so that helpers wait for longer from one call to the next. The caller must End it.
func StartRun() Run {
	runs.Add(1)
	return Run{}
}

// End ends the run.
func (Run) End() { runs.Add(-1) }
