package exec

import (
	"runtime"
	"sync/atomic"
	"testing"
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
