package exec

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// picture is a value of a random network.
type picture struct {
	ref                  graph.Ref
	channels, rows, cols int
}

// randomNetwork makes a network of convolutions and of what stands between them, with one input x.
func randomNetwork(r *rand.Rand, images int) (*graph.Graph, *tensor.Tensor, error) {
	b := graph.NewBuilder("network")
	first := picture{channels: 1 + r.IntN(20), rows: 5 + r.IntN(12), cols: 5 + r.IntN(12)}
	x := random(r, images, first.channels, first.rows, first.cols)
	first.ref = b.Input("x", tensor.Float32, x.Shape()...)
	made := []picture{first}
	names := 0
	weights := func(shape ...int) graph.Ref {
		names++
		return b.Initializer(fmt.Sprint("w", names), random(r, shape...))
	}
	conv := func(p picture) picture {
		out, k, stride := 1+r.IntN(40), 1+2*r.IntN(2), 1+r.IntN(2)
		inputs := []graph.Ref{p.ref, weights(out, p.channels, k, k)}
		if r.IntN(2) == 0 {
			inputs = append(inputs, weights(out))
		}
		y := b.Op("Conv", graph.Attrs{"strides": []int{stride, stride}, "pads": []int{k / 2, k / 2, k / 2, k / 2}}, inputs...)
		return picture{y, out, (p.rows-1)/stride + 1, (p.cols-1)/stride + 1}
	}
	for range 6 + r.IntN(14) {
		p := made[max(0, len(made)-1-r.IntN(3))]
		var alike []picture
		for _, q := range made {
			if q.channels == p.channels && q.rows == p.rows && q.cols == p.cols {
				alike = append(alike, q)
			}
		}
		other := alike[r.IntN(len(alike))]
		q := p
		switch r.IntN(16) {
		case 0:
			q.ref = b.Op("Relu", nil, p.ref)
		case 1:
			q.ref = b.Op("Mul", nil, p.ref, b.Op("Sigmoid", nil, p.ref))
		case 2:
			q.ref = b.Op([]string{"Add", "Sub", "Max"}[r.IntN(3)], nil, p.ref, other.ref)
		case 3:
			q.ref = b.Op("Mul", nil, p.ref, weights(p.channels, 1, 1))
		case 4:
			q.ref = b.Op("MaxPool", graph.Attrs{"kernel_shape": []int{3, 3}, "strides": []int{1 + p.rows%2, 1}, "pads": []int{1, 1, 1, 1}}, p.ref)
			q.rows = (p.rows-1)/(1+p.rows%2) + 1
		case 5:
			q.ref, q.channels = b.Op("Concat", graph.Attrs{"axis": 1}, p.ref, other.ref, p.ref), 3*p.channels
		case 6:
			from := r.IntN(p.channels)
			q.ref, q.channels = b.Op("Slice", nil, p.ref, b.Ints(from), b.Ints(p.channels), b.Ints(1)), p.channels-from
		case 7:
			q.ref, q.rows = b.Op("Slice", nil, p.ref, b.Ints(0), b.Ints(p.rows), b.Ints(2), b.Ints(2)), (p.rows+1)/2
		case 8: // every place along an axis twice
			axis := 2 + r.IntN(2)
			perm := slices.Insert(slices.DeleteFunc([]int{0, 1, 2, 3}, func(a int) bool { return a == axis }), 0, axis)
			n := []int{0, 0, p.rows, p.cols}[axis]
			if n > 20 {
				continue
			}
			var at []int
			for i := range 2 * n {
				at = append(at, i/2-n*(i%3/2))
			}
			q.ref = b.Op("Transpose", graph.Attrs{"perm": inverse(perm)}, b.Op("Gather", nil, b.Op("Transpose", graph.Attrs{"perm": perm}, p.ref), b.Ints(at...)))
			if axis == 2 {
				q.rows *= 2
			} else {
				q.cols *= 2
			}
		case 9:
			b.Output(fmt.Sprint("mean", len(made)), b.Op([]string{"ReduceMean", "ReduceSum"}[r.IntN(2)], nil, p.ref, b.Ints(2, 3)))
		case 10:
			b.Output(fmt.Sprint("flat", len(made)), b.Op("Softmax", graph.Attrs{"axis": -1}, b.Op("Reshape", nil, p.ref, b.Ints(images, p.channels*p.rows*p.cols))))
		default:
			q = conv(p)
		}
		if q.channels*q.rows*q.cols <= 20000 {
			made = append(made, q)
		}
	}
	b.Output("y", b.Op("Identity", nil, made[len(made)-1].ref))
	g, err := b.Graph()
	return g, x, err
}

// TestLayoutsKeepBits: a network gives the same bits if every value is an output, which leaves all channels first.
func TestLayoutsKeepBits(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	changed := 0
	for trial := range 250 {
		g, x, err := randomNetwork(r, 1+r.IntN(3))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(plan.steps, func(s step) bool { return s.node.Name == layoutName }) {
			changed++
		}
		traced, err := CompileTraced(g)
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]*tensor.Tensor{"x": x}
		before := runtime.GOMAXPROCS(1 + trial%3)
		out, err := plan.Run(in)
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		all, err := traced.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range traced.Values() {
			if y := out[name]; y != nil && !same(y, all[i]) {
				t.Fatalf("trial %d: %q differs", trial, name)
			}
		}
	}
	if kernel.Active() != "portable" && changed < 100 {
		t.Errorf("layouts were chosen for %d of 250 networks only", changed)
	}
}
