package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestParallelPanicsInItsCaller lets every goroutine panic, whichever gets a range: each panic must reach the caller's
// recover, and only after the others have ended.
func TestParallelPanicsInItsCaller(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for range 100 {
		var running atomic.Int32
		got := func() (p any) {
			defer func() { p = recover() }()
			parallel(64, 1, func(lo, hi int) {
				running.Add(1)
				defer running.Add(-1)
				runtime.Gosched()
				if lo >= 4 {
					panic("range")
				}
			})
			return nil
		}()
		if got != "range" {
			t.Fatalf("recovered %v", got)
		}
		if n := running.Load(); n != 0 {
			t.Fatalf("%d goroutines still run", n)
		}
	}
}

// TestParallelNested calls parallel from within and from many goroutines: every index is done once, in calls that follow
// each other at once and after pauses longer than a helper's patience.
func TestParallelNested(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var callers sync.WaitGroup
	for caller := range 6 {
		callers.Go(func() {
			for round := range 150 {
				const outer, inner = 7, 33
				var done [outer * inner]atomic.Int32
				parallel(outer, 2, func(lo, hi int) {
					for i := lo; i < hi; i++ {
						parallel(inner, 4, func(lo, hi int) {
							for k := lo; k < hi; k++ {
								done[i*inner+k].Add(1)
							}
						})
					}
				})
				for i := range done {
					if n := done[i].Load(); n != 1 {
						t.Errorf("index %d was done %d times", i, n)
						return
					}
				}
				if round%50 == caller {
					time.Sleep(3 * patience)
				}
			}
		})
	}
	callers.Wait()
}

// TestParallelSleeps: a caller that waits longer than its patience is woken.
func TestParallelSleeps(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for range 20 {
		var first atomic.Bool
		var done atomic.Int32
		parallel(2, 1, func(lo, hi int) {
			if first.CompareAndSwap(false, true) {
				time.Sleep(5 * patience)
			}
			done.Add(1)
		})
		if done.Load() != 2 {
			t.Fatal("returned before the last range was done")
		}
	}
}

// TestHelpersEnd: nothing runs for long after the last call.
func TestHelpersEnd(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	parallel(64, 1, func(lo, hi int) { time.Sleep(patience) })
	for range 1000 {
		none := true
		for i := range helpers {
			none = none && helpers[i].Load() == nil
		}
		if none {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("a helper still looks out for work after a second")
}

// TestRunKeepsHelpers: within a run a helper is still there after a pause that is longer than its patience.
func TestRunKeepsHelpers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	run := StartRun()
	defer run.End()
	kept := 0
	for range 50 {
		parallel(2, 1, func(lo, hi int) { time.Sleep(patience) })
		time.Sleep(patience)
		if helpers[0].Load() == lookout {
			kept++
		}
	}
	if kept == 0 {
		t.Error("no helper waited")
	}
}
