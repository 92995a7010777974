package graph

import (
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
)

// stump is a tree with one inner node, whose parts a test may change.
type stump struct {
	features, targets            int
	aggregate                    string
	nodes, roots, starts, owners []int32
}

func (s *stump) infer() (uint64, error) {
	b := NewBuilder("stump")
	x := b.Input("x", tensor.Float32, 5, s.features)
	ints := func(name string, list []int32, shape ...int) Ref {
		return b.Initializer(name, tensor.From(list, shape...))
	}
	b.Output("y", b.Op("TreeEnsemble", Attrs{"targets": s.targets, "aggregate": s.aggregate}, x,
		b.Initializer("thresholds", tensor.New(tensor.Float32, len(s.nodes)/4)), ints("nodes", s.nodes, len(s.nodes)/4, 4), ints("roots", s.roots, len(s.roots)),
		ints("starts", s.starts, len(s.starts)), ints("targets", s.owners, len(s.owners)), b.Initializer("weights", tensor.New(tensor.Float32, len(s.owners)))))
	g, err := b.Graph()
	if err != nil {
		return 0, err
	}
	return MACs(g)
}

// TestTreeEnsemble: a walk through a valid ensemble ends and stays inside; its cost is that of the longest one.
func TestTreeEnsemble(t *testing.T) {
	valid := func() *stump {
		return &stump{3, 2, "SUM", []int32{0, 1, -1, 0, 2, -1, -2, 1}, []int32{0, -2}, []int32{0, 1, 3}, []int32{1, 0, 1}}
	}
	macs, err := valid().infer()
	if err != nil {
		t.Fatal(err)
	}
	if want := uint64(5 * (2*2 + 2 + 2)); macs != want { // two nodes deep and a leaf of two weights; the leaf itself
		t.Errorf("%d multiply-accumulates, want %d", macs, want)
	}
	for name, c := range map[string]struct {
		change func(*stump)
		want   string
	}{
		"feature":   {func(s *stump) { s.nodes[0] = 3 }, "feature 3 of 3"},
		"loop":      {func(s *stump) { s.nodes[1] = 0 }, "children 0"},
		"backwards": {func(s *stump) { s.nodes[5] = 0 }, "children 0"},
		"no node":   {func(s *stump) { s.nodes[1] = 2 }, "children 2"},
		"no leaf":   {func(s *stump) { s.nodes[2] = -3 }, "and -3"},
		"least":     {func(s *stump) { s.nodes[2] = -1 << 31 }, "children"},
		"NaN":       {func(s *stump) { s.nodes[3] = 2 }, "2 for NaN"},
		"root":      {func(s *stump) { s.roots[1] = 2 }, "begins at 2"},
		"order":     {func(s *stump) { s.starts[1] = 4 }, "begin at 4"},
		"first":     {func(s *stump) { s.starts[0] = 1 }, "leaf 0 begin at 1"},
		"rest":      {func(s *stump) { s.starts[2] = 2 }, "2 of 3 weights"},
		"target":    {func(s *stump) { s.owners[2] = 2 }, "target 2 of 2"},
		"aggregate": {func(s *stump) { s.aggregate = "MEDIAN" }, "MEDIAN"},
		"targets":   {func(s *stump) { s.targets = 0 }, "0 targets"},
		"columns":   {func(s *stump) { s.features = maxFeatures + 1 }, "features"},
	} {
		s := valid()
		c.change(s)
		if _, err := s.infer(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	b := NewBuilder("moving")
	x := b.Input("x", tensor.Float32, 1, 1)
	ints := b.Initializer("ints", tensor.New(tensor.Int32, 2))
	b.Op("TreeEnsemble", Attrs{"targets": 1}, x, b.Input("thresholds", tensor.Float32, 1), b.Initializer("nodes", tensor.New(tensor.Int32, 1, 4)), ints, ints, ints, b.Initializer("w", tensor.New(tensor.Float32, 2)))
	if b.Err() == nil || !strings.Contains(b.Err().Error(), "static") {
		t.Errorf("thresholds that a run decides: error %v", b.Err())
	}
}
