package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestGang does many small jobs, some of them within others and some from a second goroutine: each range is done once.
func TestGang(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for round := range 20 {
		g := Gather()
		if g == nil {
			t.Fatal("no gang")
		}
		if Gather() != nil {
			t.Fatal("two gangs")
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for n := range 100 {
					var sum, inner atomic.Int64
					parallel(n, 3, func(lo, hi int) {
						for i := lo; i < hi; i++ {
							sum.Add(int64(i))
						}
						if lo == 0 {
							parallel(10, 1, func(lo, hi int) { inner.Add(int64(hi - lo)) })
						}
					})
					if want := int64(n * (n - 1) / 2); sum.Load() != want || n > 0 && inner.Load() != 10 {
						t.Errorf("the sum below %d is %d, want %d; %d of 10 within", n, sum.Load(), want, inner.Load())
					}
				}
			})
		}
		if round%2 == 0 { // somebody may still be at work
			wg.Wait()
		}
		g.Dismiss()
		wg.Wait()
		parallel(10, 1, func(lo, hi int) {})
	}
}

// TestGangSleeps: a member that has found nothing to do for long is woken.
func TestGangSleeps(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	g := Gather()
	defer g.Dismiss()
	parallel(2, 1, func(lo, hi int) {})
	for range 1000 {
		if g.sleepers.Load() == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if g.sleepers.Load() != 1 {
		t.Fatal("the member does not sleep")
	}
	var both sync.WaitGroup
	both.Add(2)
	parallel(2, 1, func(lo, hi int) { // returns only if two goroutines are here
		both.Done()
		both.Wait()
	})
}

// TestGangPanics: a panic of any member reaches the caller, and the gang goes on.
func TestGangPanics(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	g := Gather()
	defer g.Dismiss()
	for range 50 {
		got := func() (p any) {
			defer func() { p = recover() }()
			parallel(64, 1, func(lo, hi int) {
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
	}
}
