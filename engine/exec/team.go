package exec

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// team runs work on goroutines of its own that wait for each other between steps of a few microseconds, too short for new goroutines.
type team struct {
	n       int32
	arrived atomic.Int32
	phase   atomic.Uint32
	broken  atomic.Bool // a member panicked: the others must not wait for it
}

// run calls f for each member from 0 to n-1, all at the same time. A panic of one becomes a panic of run after all have ended.
func (t *team) run(n int, f func(member int)) {
	t.n = int32(n)
	t.arrived.Store(0)
	t.broken.Store(false)
	if n == 1 {
		f(0)
		return
	}
	var failed atomic.Pointer[any]
	work := func(member int) {
		defer func() {
			if p := recover(); p != nil {
				failed.CompareAndSwap(nil, &p)
				t.broken.Store(true)
			}
		}()
		f(member)
	}
	var wait sync.WaitGroup
	for member := 1; member < n; member++ {
		wait.Go(func() { work(member) })
	}
	work(0)
	wait.Wait()
	if p := failed.Load(); p != nil {
		panic(*p)
	}
}

// spins is how often a member looks before it lets other goroutines run, about 20 us.
const spins = 1 << 14

// meet returns when every member has called it as often.
func (t *team) meet() {
	if t.n == 1 {
		return
	}
	phase := t.phase.Load()
	if t.arrived.Add(1) == t.n {
		t.arrived.Store(0)
		t.phase.Add(1)
		return
	}
	for i := 0; t.phase.Load() == phase; i++ {
		if t.broken.Load() {
			panic("exec: another member of the team failed")
		}
		if i >= spins {
			runtime.Gosched()
		}
	}
}
