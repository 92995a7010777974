package market

import (
	"math/rand/v2"
)

// table is one table of the report: a CSV file whose first column is what is varied.
type table struct {
	name, about string
	head        []string
	rows        [][]float64
}

// warm books let a posted price find its level; what counts are the measured books after them.
const (
	warm     = 40
	measured = 20
)

// efficiency compares welfare with the dual bound on books of growing size, the same for all mechanisms.
func efficiency(seed uint64, name, about string, base shape, sizes []int) table {
	t := table{name: name, about: about, head: []string{"jobs"}}
	for _, m := range Mechanisms() {
		t.head = append(t.head, m.Name())
	}
	for _, n := range sizes {
		s := base
		s.jobs, s.sellers = n, max(2, n/2)
		row := []float64{float64(n)}
		for _, m := range Mechanisms() {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			got, possible := 0.0, 0.0
			for i := range warm + measured {
				book := s.draw(r)
				trades := m.Trade(book, rand.New(rand.NewPCG(seed, uint64(i))))
				if i >= warm {
					got += welfare(book, trades)
					possible += bound(book)
				}
			}
			row = append(row, got/possible)
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// exactness compares welfare with the true optimum of small books.
func exactness(seed uint64, sizes []int) table {
	t := table{name: "exact", about: "Welfare over the optimum, by trying everything, small books of whole jobs and single machines, 2 classes",
		head: []string{"jobs"}}
	for _, m := range Mechanisms() {
		t.head = append(t.head, m.Name())
	}
	t.head = append(t.head, "dual bound")
	for _, n := range sizes {
		s := shape{jobs: n, sellers: n + n/2, classes: 2, alternatives: 2, whole: true}
		row := []float64{float64(n)}
		var dual float64
		for k, m := range Mechanisms() {
			r := rand.New(rand.NewPCG(seed, uint64(1000+n)))
			got, best := 0.0, 0.0
			for i := range warm + measured {
				book := s.draw(r)
				trades := m.Trade(book, rand.New(rand.NewPCG(seed, uint64(i))))
				if i < warm {
					continue
				}
				got += welfare(book, trades)
				best += optimum(book)
				if k == 0 {
					dual += bound(book)
				}
			}
			row = append(row, got/best)
			if k == len(Mechanisms())-1 {
				row = append(row, dual/best)
			}
		}
		t.rows = append(t.rows, row)
	}
	return t
}
