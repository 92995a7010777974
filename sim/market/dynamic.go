package market

import (
	"math/rand/v2"
	"slices"

	"github.com/mutirao/mutirao/protocol/market/auction"
)

// Job is work that arrives: it needs units for some batches, and leaves if it has not begun when its patience is over.
type Job struct {
	Arrival  int
	Duration int
	Owner    uint32
	Bid      auction.Bid // its owner is Owner; limits are for a unit and a batch
}

// Machine is a seller with its ask. It fails now and then, and is away for a while.
type Machine struct {
	Ask    auction.Ask
	Outage []bool // by batch
}

// World is a load and the machines that it meets, the same for every mechanism.
type World struct {
	Batches  int
	Classes  int
	Patience int // batches
	Jobs     []Job
	Machines []Machine
}

// Course is what became of a world under one mechanism.
type Course struct {
	Welfare     float64   // value of the work done less its cost
	Done        float64   // of the work that was asked for, in units and batches
	Utilisation float64   // of machines that were there
	Price       float64   // mean of what a unit paid for a batch, MUT
	Wait        float64   // mean batches until a job begins, of those that began
	Late        float64   // 95th percentile of that
	Jain        float64   // of the share of their work that owners got done
	Broken      int       // leases that ended with a machine
	Prices      []float64 // by batch, mean of what units that began pay
}

// running is a job on machines.
type running struct {
	job    int
	until  int
	trades []Trade // asks are machines
}

// state is a world under way.
type state struct {
	*World
	left    []int // batches of work that a job still needs
	began   []int // -1 before
	waiting []int // jobs, by arrival
	going   []running
	busy    []uint32 // units by machine
	course  Course
	paid    float64
	sold    float64
	used    float64
	there   float64
}

// Run plays a world.
func (w *World) Run(m Mechanism, seed uint64) Course {
	s := &state{World: w, left: make([]int, len(w.Jobs)), began: make([]int, len(w.Jobs)), busy: make([]uint32, len(w.Machines))}
	for i, j := range w.Jobs {
		s.left[i], s.began[i] = j.Duration, -1
	}
	next := 0
	for t := range w.Batches {
		s.end(t)
		s.fail(t)
		for ; next < len(w.Jobs) && w.Jobs[next].Arrival <= t; next++ {
			s.waiting = append(s.waiting, next)
		}
		s.waiting = slices.DeleteFunc(s.waiting, func(i int) bool { return s.began[i] < 0 && t-w.Jobs[i].Arrival > w.Patience })
		s.trade(t, m, rand.New(rand.NewPCG(seed, uint64(t))))
		s.count(t)
	}
	return s.finish()
}

// end frees the machines of jobs that are done.
func (s *state) end(t int) {
	s.going = slices.DeleteFunc(s.going, func(r running) bool {
		if r.until > t {
			return false
		}
		s.release(r)
		return true
	})
}

// fail ends the leases of machines that are away; what is left of their jobs waits again, before the others.
func (s *state) fail(t int) {
	var back []int
	s.going = slices.DeleteFunc(s.going, func(r running) bool {
		if !slices.ContainsFunc(r.trades, func(x Trade) bool { return s.Machines[x.Ask].Outage[t] }) {
			return false
		}
		s.release(r)
		s.left[r.job] = r.until - t
		back = append(back, r.job)
		s.course.Broken++
		return true
	})
	s.waiting = append(back, s.waiting...)
}

func (s *state) release(r running) {
	for _, x := range r.trades {
		s.busy[x.Ask] -= x.Units
	}
}

// trade makes the book of a batch and begins the jobs that are served whole.
func (s *state) trade(t int, m Mechanism, r *rand.Rand) {
	book := auction.Book{Classes: s.Classes}
	var machines []uint32
	for i, x := range s.Machines {
		if free := x.Ask.Units - s.busy[i]; free > 0 && !x.Outage[t] {
			a := x.Ask
			a.Units = free
			book.Asks = append(book.Asks, a)
			machines = append(machines, uint32(i))
		}
	}
	for _, i := range s.waiting {
		book.Bids = append(book.Bids, s.Jobs[i].Bid)
	}
	trades := map[uint32][]Trade{}
	paid, sold := 0.0, 0.0
	for _, x := range m.Trade(book, r) {
		bid := x.Bid
		x.Ask = machines[x.Ask]
		trades[bid] = append(trades[bid], x)
		paid, sold = paid+float64(x.Units)*float64(x.Pays), sold+float64(x.Units)
	}
	var still []int
	for at, i := range s.waiting {
		got := trades[uint32(at)]
		if len(got) == 0 {
			still = append(still, i)
			continue
		}
		if s.began[i] < 0 {
			s.began[i] = t
		}
		for _, x := range got {
			s.busy[x.Ask] += x.Units
		}
		s.going = append(s.going, running{i, t + s.left[i], got})
	}
	s.waiting = still
	mean := 0.0
	if sold > 0 {
		mean = paid / sold / 1e9
	}
	s.course.Prices = append(s.course.Prices, mean)
}

// count adds up one batch of work.
func (s *state) count(t int) {
	for _, r := range s.going {
		for _, x := range r.trades {
			limit := s.Jobs[r.job].Bid.Alternatives[x.Alternative].Limit
			n := float64(x.Units)
			s.course.Welfare += n * (float64(limit) - float64(s.Machines[x.Ask].Ask.Reserve)) / 1e9
			s.paid, s.sold = s.paid+n*float64(x.Pays)/1e9, s.sold+n
			s.used += n
		}
	}
	for _, x := range s.Machines {
		if !x.Outage[t] {
			s.there += float64(x.Ask.Units)
		}
	}
}

func (s *state) finish() Course {
	c := s.course
	for _, r := range s.going { // cut off by the end of the world: what was done counts
		s.left[r.job] = max(0, r.until-s.Batches)
	}
	asked, done := map[uint32]float64{}, map[uint32]float64{}
	var waits []int
	all, got := 0.0, 0.0
	inFlight := map[int]bool{}
	for _, r := range s.going {
		inFlight[r.job] = true
	}
	waiting := map[int]bool{}
	for _, i := range s.waiting {
		waiting[i] = true
	}
	for i, j := range s.Jobs {
		if j.Arrival >= s.Batches {
			continue
		}
		w := float64(j.Bid.Alternatives[0].Units)
		d := 0.0
		if s.began[i] >= 0 {
			waits = append(waits, s.began[i]-j.Arrival)
			d = float64(j.Duration)
			if inFlight[i] || waiting[i] {
				d -= float64(s.left[i])
			}
		}
		asked[j.Owner] += w * float64(j.Duration)
		done[j.Owner] += w * d
		all, got = all+w*float64(j.Duration), got+w*d
	}
	c.Done, c.Utilisation, c.Price = got/all, s.used/s.there, s.paid/max(s.sold, 1)
	slices.Sort(waits)
	if n := len(waits); n > 0 {
		sum := 0
		for _, x := range waits {
			sum += x
		}
		c.Wait, c.Late = float64(sum)/float64(n), float64(waits[n*95/100])
	}
	c.Jain = jain(asked, done)
	return c
}

// jain is Jain's index of the owners' shares: 1 if all got the same part of what they asked for, 1/n if one got everything.
func jain(asked, done map[uint32]float64) float64 {
	owners := make([]uint32, 0, len(asked))
	for o := range asked {
		owners = append(owners, o)
	}
	slices.Sort(owners) // floats are summed in a fixed order
	sum, squares := 0.0, 0.0
	for _, o := range owners {
		x := done[o] / asked[o]
		sum, squares = sum+x, squares+x*x
	}
	if squares == 0 {
		return 0
	}
	return sum * sum / (float64(len(owners)) * squares)
}
