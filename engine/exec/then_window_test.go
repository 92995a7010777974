package exec

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// TestConvolutionsKeepBits: operators that are joined to a convolution give the bits that they give alone. Each chain is run twice, the
// second time with every value as an output, which leaves nothing to join.
func TestConvolutionsKeepBits(t *testing.T) {
	r := rand.New(rand.NewPCG(47, 48))
	const channels = 12
	mix := random(r, channels, channels, 1, 1)
	type step struct {
		name string
		add  func(b *graph.Builder, y, other graph.Ref, channel graph.Ref) graph.Ref
	}
	op := func(name string, f func(b *graph.Builder, y, other, channel graph.Ref) graph.Ref) step {
		return step{name, f}
	}
	steps := []step{
		op("bias", func(b *graph.Builder, y, _, c graph.Ref) graph.Ref { return b.Op("Add", nil, y, c) }),
		op("residual", func(b *graph.Builder, y, o, _ graph.Ref) graph.Ref { return b.Op("Add", nil, o, y) }),
		op("relu", func(b *graph.Builder, y, _, _ graph.Ref) graph.Ref { return b.Op("Relu", nil, y) }),
		op("clip", func(b *graph.Builder, y, _, _ graph.Ref) graph.Ref {
			return b.Op("Min", nil, b.Op("Max", nil, y, b.Float(-0.25)), b.Float(1))
		}),
		op("to minus zero", func(b *graph.Builder, y, _, _ graph.Ref) graph.Ref {
			return b.Op("Min", nil, b.Op("Max", nil, y, b.Float(-1)), b.Float(float32(math.Copysign(0, -1))))
		}),
		op("silu", func(b *graph.Builder, y, _, _ graph.Ref) graph.Ref {
			return b.Op("Mul", nil, y, b.Op("Sigmoid", nil, y))
		}),
		op("hardswish", func(b *graph.Builder, y, _, _ graph.Ref) graph.Ref {
			s := b.Op("Min", nil, b.Op("Max", nil, b.Op("Add", nil, b.Op("Mul", nil, y, b.Float(1./6)), b.Float(0.5)), b.Float(0)), b.Float(1))
			return b.Op("Mul", nil, y, s)
		}),
		op("normalised", func(b *graph.Builder, y, _, c graph.Ref) graph.Ref {
			return b.Op("Add", nil, b.Op("Mul", nil, b.Op("Sub", nil, y, c), c), c)
		}),
		op("from", func(b *graph.Builder, y, o, _ graph.Ref) graph.Ref { return b.Op("Sub", nil, o, y) }),
		op("channel minus", func(b *graph.Builder, y, _, c graph.Ref) graph.Ref { return b.Op("Sub", nil, c, y) }),
		op("reshaped", func(b *graph.Builder, y, _, _ graph.Ref) graph.Ref {
			s := b.Shape(y)
			turned := b.Op("Reshape", nil, y, b.Ints(s[0], s[3], s[2], s[1]))
			return b.Op("Reshape", nil, b.Op("Add", nil, turned, b.Op("Slice", nil, turned, b.Ints(0), b.Ints(1), b.Ints(2))), b.Ints(s...))
		}),
		op("other convolution", func(b *graph.Builder, y, o, _ graph.Ref) graph.Ref {
			return b.Op("Relu", nil, b.Op("Add", nil, b.Op("Conv", nil, o, b.Initializer("other"+string(y), mix)), y))
		}),
		op("twice", func(b *graph.Builder, y, _, _ graph.Ref) graph.Ref { return b.Op("Add", nil, y, y) }),
	}
	for trial := range 300 {
		group := []int{1, 1, channels}[trial%3]
		side := 3 + r.IntN(9)
		x, w := random(r, 2, channels, side, side), random(r, channels, channels/group, 3, 3)
		other, channel, bias := random(r, 2, channels, side, side), random(r, channels, 1, 1), random(r, channels)
		var chain []step
		for range 1 + r.IntN(5) {
			chain = append(chain, steps[r.IntN(len(steps))])
		}
		build := func(all bool) (*graph.Graph, error) {
			b := graph.NewBuilder("chain")
			in, o, c := b.Input("x", tensor.Float32, x.Shape()...), b.Input("other", tensor.Float32, other.Shape()...), b.Initializer("channel", channel)
			inputs := []graph.Ref{in, b.Initializer("w", w)}
			if trial%2 == 0 {
				inputs = append(inputs, b.Initializer("bias", bias))
			}
			y := b.Op("Conv", graph.Attrs{"group": group, "pads": []int{1, 1, 1, 1}}, inputs...)
			for _, s := range chain {
				y = s.add(b, y, o, c)
			}
			b.Output("y", y)
			g, err := b.Graph()
			if err == nil && all {
				types, err := graph.Infer(g)
				if err != nil {
					return nil, err
				}
				for _, node := range g.Nodes {
					if node.Outputs[0] != "y" {
						g.Outputs = append(g.Outputs, types[node.Outputs[0]])
					}
				}
			}
			return g, err
		}
		var results [2]*tensor.Tensor
		for i := range results {
			g, err := build(i == 1)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Compile(g)
			if err != nil {
				t.Fatal(err)
			}
			before := runtime.GOMAXPROCS(1 + trial%2)
			out, err := p.Run(map[string]*tensor.Tensor{"x": x, "other": other})
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(err)
			}
			results[i] = out["y"]
		}
		if !same(results[0], results[1]) {
			var names []string
			for _, s := range chain {
				names = append(names, s.name)
			}
			t.Fatalf("trial %d: a convolution in %d groups, then %v, gives other bits", trial, group, names)
		}
	}
}

// TestOneSumOfTwo: a sum of two products, or of two convolutions, is done by one of them only.
func TestOneSumOfTwo(t *testing.T) {
	r := rand.New(rand.NewPCG(53, 54))
	x, w := random(r, 6, 6), random(r, 2, 6, 6)
	for _, op := range []string{"MatMul", "Conv"} {
		var results [2]*tensor.Tensor
		for i := range results {
			b := graph.NewBuilder(op)
			in := b.Input("x", tensor.Float32, 6, 6)
			var parts []graph.Ref
			for j := range 2 {
				weights := b.Initializer("w"+string(rune('0'+j)), tensor.FromFloat32(w.Float32()[j*36:][:36], 6, 6))
				if op == "Conv" {
					parts = append(parts, b.Op(op, nil, b.Op("Reshape", nil, in, b.Ints(1, 6, 6)), b.Op("Reshape", nil, weights, b.Ints(6, 6, 1))))
				} else {
					parts = append(parts, b.Op(op, nil, in, weights))
				}
			}
			b.Output("y", b.Op("Tanh", nil, b.Op("Add", nil, parts[0], parts[1])))
			if i == 1 {
				b.Output("first", parts[0])
				b.Output("second", parts[1])
			}
			out, err := run(b, map[string]*tensor.Tensor{"x": x})
			if err != nil {
				t.Fatal(err)
			}
			results[i] = out["y"]
		}
		if !same(results[0], results[1]) {
			t.Errorf("the sum of two %s differs if they are joined", op)
		}
	}
}

// TestConvolutionsJoin: the forms that networks have become one step.
func TestConvolutionsJoin(t *testing.T) {
	r := rand.New(rand.NewPCG(49, 50))
	b := graph.NewBuilder("block")
	x, c := b.Input("x", tensor.Float32, 1, 8, 6, 6), b.Initializer("c", random(r, 8, 1, 1))
	conv := func(name string, x graph.Ref) graph.Ref {
		return b.Op("Conv", graph.Attrs{"pads": []int{1, 1, 1, 1}}, x, b.Initializer(name, random(r, 8, 8, 3, 3)), b.Initializer(name+" bias", random(r, 8)))
	}
	y := conv("normalised", x)
	y = b.Op("Relu", nil, b.Op("Add", nil, b.Op("Mul", nil, b.Op("Sub", nil, y, c), c), c))
	y = b.Op("Relu", nil, b.Op("Add", nil, conv("residual", y), x))
	y = b.Op("Min", nil, b.Op("Max", nil, conv("clipped", y), b.Float(0)), b.Float(6))
	y = conv("swish", y)
	y = b.Op("Mul", nil, y, b.Op("Sigmoid", nil, y))
	b.Output("y", y)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for _, s := range p.steps {
		if s.node.Name != layoutName {
			steps++
		}
	}
	if steps != 4 {
		t.Errorf("%d steps for 4 convolutions", steps)
	}
}
