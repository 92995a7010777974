package market

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/mutirao/mutirao/protocol/market/auction"
)

// Terms of synthetic worlds. A day has 100 batches; its load goes up and down in a triangle.
const (
	day       = 100
	owners    = 20
	worldRate = 24 // jobs that arrive in a batch at a load of 100 %
	meanStay  = 20 // batches of a job
)

// synthetic makes a world whose mean load is some percent of what the machines can do, and in which each machine fails once in so many
// batches and is away for 5 to 25.
func synthetic(seed uint64, batches, load, failsOnceIn int) *World {
	r := rand.New(rand.NewPCG(seed, uint64(load)))
	s := shape{classes: 4, alternatives: 3}
	w := &World{Batches: batches, Classes: s.classes, Patience: 10}
	capacity := 0
	for i := range 60 {
		c := uint32(i % s.classes)
		m := Machine{Ask: auction.Ask{Owner: uint32(1_000_000 + i), Class: c, Units: uint32(8 + r.IntN(25)), Reserve: price(10+r.IntN(50), r) * speed(c) / 4}, Outage: outages(r, batches, failsOnceIn)}
		capacity += int(m.Ask.Units)
		w.Machines = append(w.Machines, m)
	}
	perJob := 5 * meanStay / 2 // units and batches of a job, about
	rate := capacity * load / perJob
	for t := range batches {
		up := t % day // 50 % to 150 % of the mean, in parts of 100
		if up >= day/2 {
			up = day - up
		}
		n := rate * (50 + 2*up) / 100
		count := n / 100
		if r.IntN(100) < n%100 {
			count++
		}
		for range count {
			owner := uint32(r.IntN(owners))
			b := job(s, owner, r)
			b.Whole = true
			w.Jobs = append(w.Jobs, Job{Arrival: t, Duration: stay(r), Owner: owner, Bid: b})
		}
	}
	return w
}

// stay is a number of batches with the mean meanStay and a long tail: a fifth of the jobs have most of the work.
func stay(r *rand.Rand) int {
	if r.IntN(5) == 0 {
		return 1 + r.IntN(4*meanStay+meanStay)
	}
	return 1 + r.IntN(meanStay)
}

func outages(r *rand.Rand, batches, onceIn int) []bool {
	out := make([]bool, batches)
	for t := 0; t < batches; t++ {
		if onceIn > 0 && r.IntN(onceIn) == 0 {
			for k := 5 + r.IntN(21); k > 0 && t < batches; k-- {
				out[t] = true
				t++
			}
		}
	}
	return out
}

var errTrace = errors.New("not a trace")

// Bounds of a trace, which is a stranger's file.
const (
	maxTraceJobs  = 1_000_000
	maxTraceUnits = 4096
	maxMachines   = 1000 // of a class
)

// readTrace makes a world of a CSV file with the columns arrival and duration (in seconds), resources (units) and constraint (a class by
// name, or empty for any). A batch is so many seconds that the trace has about 1,000. What jobs are worth is drawn from the seed, as a
// trace does not say; machines are made so that the load is 90 % of them.
func readTrace(r io.Reader, seed uint64) (*World, error) {
	rows, classes, err := parseTrace(r)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b traced) int { return int(a.arrival - b.arrival) })
	span := rows[len(rows)-1].arrival - rows[0].arrival + 1
	batch := max(1, span/1000)
	w := &World{Batches: int(span/batch) + 1, Classes: max(1, len(classes)), Patience: 10}
	rnd := rand.New(rand.NewPCG(seed, 5))
	work := make([]int64, w.Classes)
	for _, row := range rows {
		j := Job{Arrival: int((row.arrival - rows[0].arrival) / batch), Duration: int(max(1, row.duration/batch)), Owner: uint32(rnd.IntN(owners))}
		j.Bid = auction.Bid{Owner: j.Owner, Whole: true}
		value := price(20+rnd.IntN(80), rnd)
		for c := range w.Classes {
			if row.class < 0 || row.class == c {
				j.Bid.Alternatives = append(j.Bid.Alternatives, auction.Alternative{Class: uint32(c), Units: row.units, Limit: value})
			}
			if len(j.Bid.Alternatives) == auction.MaxAlternatives {
				break
			}
		}
		work[j.Bid.Alternatives[rnd.IntN(len(j.Bid.Alternatives))].Class] += int64(j.Duration) * int64(row.units)
		w.Jobs = append(w.Jobs, j)
	}
	for c := range w.Classes {
		need := work[c]*10/9/int64(w.Batches) + 1
		each := min(need/15+1, auction.MaxUnits)
		for k := 0; need > 0 && k < maxMachines; k++ {
			n := uint32(min(need, each))
			need -= int64(n)
			w.Machines = append(w.Machines, Machine{Ask: auction.Ask{Owner: uint32(1_000_000 + len(w.Machines)), Class: uint32(c), Units: n, Reserve: price(10+rnd.IntN(50), rnd)}, Outage: outages(rnd, w.Batches, 500)})
		}
	}
	return w, nil
}

type traced struct {
	arrival, duration int64
	units             uint32
	class             int // -1 for any
}

func parseTrace(r io.Reader) ([]traced, []string, error) {
	c := csv.NewReader(bufio.NewReader(r))
	c.Comment, c.TrimLeadingSpace = '#', true
	head, err := c.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errTrace, err)
	}
	if got := strings.ToLower(strings.Join(head, ",")); got != "arrival,duration,resources,constraint" {
		return nil, nil, fmt.Errorf("%w: the first line is %.80q, not arrival,duration,resources,constraint", errTrace, got)
	}
	var rows []traced
	var classes []string
	for {
		line, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errTrace, err)
		}
		row, err := parseRow(line, &classes)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: job %d: %w", errTrace, len(rows)+1, err)
		}
		if rows = append(rows, row); len(rows) > maxTraceJobs {
			return nil, nil, fmt.Errorf("%w: more than %d jobs", errTrace, maxTraceJobs)
		}
	}
	if len(rows) == 0 {
		return nil, nil, fmt.Errorf("%w: no jobs", errTrace)
	}
	return rows, classes, nil
}

func parseRow(line []string, classes *[]string) (traced, error) {
	const maxSeconds = 1 << 40
	number := func(s string, most int64) (int64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err == nil && !(v >= 0 && v <= float64(most)) {
			err = fmt.Errorf("%q is not between 0 and %d", s, most)
		}
		return int64(v), err
	}
	arrival, err := number(line[0], maxSeconds)
	if err != nil {
		return traced{}, err
	}
	duration, err := number(line[1], maxSeconds)
	if err != nil {
		return traced{}, err
	}
	units, err := number(line[2], maxTraceUnits)
	if err != nil {
		return traced{}, err
	}
	row := traced{arrival, duration, max(1, uint32(units)), -1}
	if name := strings.TrimSpace(line[3]); name != "" {
		if row.class = slices.Index(*classes, name); row.class < 0 {
			if len(*classes) == 64 {
				return row, errors.New("more than 64 classes")
			}
			row.class, *classes = len(*classes), append(*classes, name)
		}
	}
	return row, nil
}
