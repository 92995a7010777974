package quant

import (
	"fmt"
	"math"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Change says how far the outputs of one graph are from those of another on the same samples.
type Change struct {
	Output    string  `json:"output"`
	Largest   float64 `json:"largest"` // error of an element
	Mean      float64 `json:"mean"`    // error of an element
	Ratio     float64 `json:"ratio"`   // power of the output over that of the error; 0 if there is no error
	Rows      int     `json:"rows"`    // of the last axis, if it is longer than 1
	Agreement float64 `json:"agreement"`
	// Accuracy is the part of rows whose greatest element stands at the row's label, before and after; only with labels.
	Accuracy, AccuracyBefore float64 `json:"-"`
}

// Compare runs both graphs, which have the same inputs and float32 outputs, on samples. labels, if there are any, are those of the
// rows of output 0 over all samples.
func Compare(before, after *graph.Graph, samples []Inputs, labels []int) ([]Change, error) {
	p, err := exec.Compile(before)
	if err != nil {
		return nil, err
	}
	q, err := exec.Compile(after)
	if err != nil {
		return nil, err
	}
	sums := make([]tally, len(before.Outputs))
	for i, in := range samples {
		want, err := p.Run(in)
		if err != nil {
			return nil, fmt.Errorf("sample %d: %w", i, err)
		}
		got, err := q.Run(in)
		if err != nil {
			return nil, fmt.Errorf("sample %d: %w", i, err)
		}
		for o, v := range before.Outputs {
			if v.DType != tensor.Float32 {
				continue
			}
			var of []int
			if o == 0 {
				of = labels
			}
			sums[o].add(want[v.Name], got[v.Name], of)
		}
	}
	if len(labels) > 0 && sums[0].rows != len(labels) {
		return nil, fmt.Errorf("%w: %d labels for %d rows of output %q", exec.ErrInput, len(labels), sums[0].rows, before.Outputs[0].Name)
	}
	var list []Change
	for o, v := range before.Outputs {
		if v.DType == tensor.Float32 {
			list = append(list, sums[o].change(v.Name))
		}
	}
	return list, nil
}

// tally adds up errors of one output.
type tally struct {
	largest, sum, power, noise float64
	elements, rows             int
	agree, right, rightBefore  int
}

func (t *tally) add(want, got *tensor.Tensor, labels []int) {
	w, g := want.Float32(), got.Float32()
	for i := range w {
		e := math.Abs(float64(w[i]) - float64(g[i]))
		t.largest, t.sum = max(t.largest, e), t.sum+e
		t.power += float64(float64(w[i]) * float64(w[i]))
		t.noise += float64(e * e)
	}
	t.elements += len(w)
	shape := want.Shape()
	if len(shape) == 0 || shape[len(shape)-1] < 2 {
		return
	}
	width := shape[len(shape)-1]
	for i := 0; i < len(w); i += width {
		a, b := greatest(w[i:i+width]), greatest(g[i:i+width])
		if a == b {
			t.agree++
		}
		if t.rows < len(labels) {
			if a == labels[t.rows] {
				t.rightBefore++
			}
			if b == labels[t.rows] {
				t.right++
			}
		}
		t.rows++
	}
}

// greatest is the index of the first greatest element.
func greatest(row []float32) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}

func (t *tally) change(name string) Change {
	c := Change{Output: name, Largest: t.largest, Rows: t.rows}
	if t.elements > 0 {
		c.Mean = t.sum / float64(t.elements)
	}
	if t.noise > 0 {
		c.Ratio = t.power / t.noise
	}
	if t.rows > 0 {
		c.Agreement = float64(t.agree) / float64(t.rows)
		c.Accuracy, c.AccuracyBefore = float64(t.right)/float64(t.rows), float64(t.rightBefore)/float64(t.rows)
	}
	return c
}
