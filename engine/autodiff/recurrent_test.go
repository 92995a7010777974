package autodiff

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// TestUnrolledKeepsBits: a recurrent layer gives the bits of the operators that it stands for, whatever shares the work.
func TestUnrolledKeepsBits(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	normal := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.Float32() {
			x.Float32()[i] = float32(r.NormFloat64())
		}
		return x
	}
	for _, c := range []struct {
		op, direction               string
		steps, batch, size, hidden  int
		bias, state, linear, frozen bool
	}{
		{"LSTM", "forward", 7, 1, 5, 96, true, true, false, true},
		{"LSTM", "reverse", 4, 1, 3, 70, true, false, false, false},
		{"LSTM", "bidirectional", 3, 5, 40, 20, false, true, false, true},
		{"LSTM", "forward", 3, 40, 8, 96, true, true, false, true},
		{"GRU", "forward", 7, 1, 5, 96, true, true, false, true},
		{"GRU", "reverse", 6, 2, 5, 130, true, true, true, true},
		{"GRU", "bidirectional", 3, 5, 40, 20, false, false, false, false},
		{"GRU", "forward", 3, 40, 8, 96, true, true, true, true},
		{"LSTM", "forward", 300, 1, 2, 4, true, false, false, true},
	} {
		gates := map[string]int{"LSTM": 4, "GRU": 3}[c.op]
		d := map[string]int{"forward": 1, "reverse": 1, "bidirectional": 2}[c.direction]
		b := graph.NewBuilder("layer")
		feed := map[string]*tensor.Tensor{}
		in := func(name string, constant bool, shape ...int) graph.Ref {
			if x := normal(shape...); constant {
				return b.Initializer(name, x)
			} else {
				feed[name] = x
			}
			return b.Input(name, tensor.Float32, shape...)
		}
		refs := []graph.Ref{in("x", false, c.steps, c.batch, c.size), in("w", c.frozen, d, gates*c.hidden, c.size), in("r", c.frozen, d, gates*c.hidden, c.hidden)}
		attrs := graph.Attrs{"direction": c.direction, "hidden_size": c.hidden}
		if c.bias || c.state {
			refs = append(refs, graph.None)
		}
		if c.bias {
			refs[3] = in("b", c.frozen, d, 2*gates*c.hidden)
		}
		if c.state {
			refs = append(refs, graph.None, in("h0", false, d, c.batch, c.hidden))
			if gates == 4 {
				refs = append(refs, in("c0", false, d, c.batch, c.hidden))
			}
		}
		if c.linear {
			attrs["linear_before_reset"] = 1
		}
		outputs := gates - 1 // an LSTM also gives c
		for i, y := range b.OpN(c.op, outputs, attrs, refs...) {
			b.Output(fmt.Sprint("y", i), y)
		}
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		calls, err := graph.Calls(g)
		if err != nil {
			t.Fatal(err)
		}
		flat, err := unrolled(g, calls)
		if err != nil {
			t.Fatal(err)
		}
		want := run(t, compile(t, flat), feed)
		p := compile(t, g)
		for _, threads := range []int{1, 2, 3} {
			before := runtime.GOMAXPROCS(threads)
			got := run(t, p, feed)
			runtime.GOMAXPROCS(before)
			for name, w := range want {
				if string(w.Bytes()) != string(got[name].Bytes()) {
					t.Errorf("%+v on %d threads: %s differs from the layer unrolled", c, threads, name)
				}
			}
		}
	}
}
