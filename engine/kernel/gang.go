package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Gang is goroutines that wait for the next piece of work while a caller has many in a row, as the layers of a network. Waking a
// processor takes tens of microseconds, about as long as a small layer; a member of the gang looks for work for a while before
// it sleeps. It does not show in the bits.
type Gang struct {
	job      atomic.Pointer[job]
	busy     atomic.Bool // a job is being done; another one at the same time, or within it, has goroutines of its own
	begun    bool        // members have been started; guarded by busy
	ended    atomic.Bool
	sleepers atomic.Int32
	wake     chan struct{}
	members  sync.WaitGroup
}

// activeGang is the one that parallel uses. There is one at most: a second program at the same time does without.
var activeGang atomic.Pointer[Gang]

// Gather makes a gang of GOMAXPROCS-1 members, which start with the first work, and makes it the active one. It returns nil if there is
// one already or nobody to gather. The caller must Dismiss it.
func Gather() *Gang {
	if runtime.GOMAXPROCS(0) == 1 || activeGang.Load() != nil {
		return nil
	}
	g := &Gang{wake: make(chan struct{}, 1)}
	if !activeGang.CompareAndSwap(nil, g) {
		return nil
	}
	return g
}

// Dismiss ends the gang and returns when its members have gone. g may be nil.
func (g *Gang) Dismiss() {
	if g == nil {
		return
	}
	activeGang.CompareAndSwap(g, nil)
	for !g.busy.CompareAndSwap(false, true) { // somebody else's job
		runtime.Gosched()
	}
	g.ended.Store(true) // and busy for ever
	close(g.wake)
	g.members.Wait()
}

// How long a member looks for work: spinChecks looks between two offers to other goroutines, spinRounds of which take about a
// millisecond.
const (
	spinChecks = 200
	spinRounds = 5000
)

// do does a job with the gang; false if it has one already.
func (g *Gang) do(j *job) bool {
	if !g.busy.CompareAndSwap(false, true) {
		return false
	}
	defer g.busy.Store(false)
	if !g.begun {
		g.begun = true
		for range runtime.GOMAXPROCS(0) - 1 {
			g.members.Go(g.member)
		}
	}
	g.job.Store(j)
	for range g.sleepers.Load() {
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
	j.work()
	g.job.Store(nil)
	// A member that comes later finds no range left.
	for i := 0; j.inside.Load() != 0; i++ {
		if i%spinChecks == spinChecks-1 {
			runtime.Gosched()
		}
	}
	return true
}

// member does its part of jobs until the gang is dismissed.
func (g *Gang) member() {
	var last *job
	for rounds := 0; !g.ended.Load(); rounds++ {
		for range spinChecks {
			if j := g.job.Load(); j != nil && j != last {
				last, rounds = j, 0
				j.inside.Add(1)
				j.work()
				j.inside.Add(-1)
			}
		}
		runtime.Gosched()
		if rounds > spinRounds {
			g.sleepers.Add(1)
			if g.job.Load() == nil {
				<-g.wake
			}
			g.sleepers.Add(-1)
			rounds = 0
		}
	}
}
