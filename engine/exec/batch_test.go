package exec

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// network is a small network with most of what networks of convolutions have: blocks with residuals, depthwise windows, gates of
// channels, joined branches, moved axes, and dense layers at the end.
func network(t testing.TB, batch int) *graph.Graph {
	t.Helper()
	r := rand.New(rand.NewPCG(61, 62))
	b := graph.NewBuilder("network")
	x := b.Input("x", tensor.Float32, batch, 3, 20, 20)
	offset := b.Input("offset", tensor.Float32, 1, 8, 1, 1)
	conv := func(x graph.Ref, out, size, stride, group int) graph.Ref {
		in := b.Shape(x)[1]
		w, bias := random(r, out, in/group, size, size), random(r, out)
		return b.Op("Conv", graph.Attrs{"group": group, "strides": []int{stride, stride}, "pads": []int{size / 2, size / 2, size / 2, size / 2}}, x,
			b.Initializer("w"+string(x), w), b.Initializer("b"+string(x), bias))
	}
	silu := func(x graph.Ref) graph.Ref { return b.Op("Mul", nil, x, b.Op("Sigmoid", nil, x)) }
	y := b.Op("Relu", nil, conv(x, 8, 3, 2, 1))
	y = b.Op("Add", nil, y, offset)
	z := silu(conv(b.Op("Relu", nil, conv(y, 8, 3, 1, 8)), 8, 1, 1, 1))
	y = b.Op("Add", nil, y, z)
	gate := b.Op("Sigmoid", nil, conv(b.Op("ReduceMean", nil, y, b.Ints(2, 3)), 8, 1, 1, 1))
	y = b.Op("Mul", nil, y, gate)
	pooled := b.Op("MaxPool", graph.Attrs{"kernel_shape": []int{3, 3}, "pads": []int{1, 1, 1, 1}}, y)
	y = b.Op("Concat", graph.Attrs{"axis": 1}, y, pooled, b.Op("Slice", nil, y, b.Ints(0, 2), b.Ints(batch, 6), b.Ints(0, 1)))
	shape := b.Shape(y)
	y = b.Op("Reshape", nil, y, b.Ints(batch, 2, shape[1]/2, shape[2], shape[3]))
	y = b.Op("Reshape", nil, b.Op("Transpose", graph.Attrs{"perm": []int{0, 2, 1, 3, 4}}, y), b.Ints(shape...))
	y = conv(y, 12, 3, 2, 2)
	if batch == 6 { // many weights
		y = conv(y, 12, 25, 1, 1)
	}
	y = b.Op("Squeeze", nil, b.Op("ReduceMean", nil, y, b.Ints(2, 3)), b.Ints(2, 3))
	logits := b.Op("Gemm", graph.Attrs{"transB": 1}, y, b.Initializer("dense", random(r, 10, 12)), b.Initializer("dense bias", random(r, 10)))
	b.Output("features", y)
	b.Output("mean over the batch", b.Op("ReduceMean", nil, logits, b.Ints(0)))
	b.Output("y", b.Op("Softmax", nil, logits))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestBatchByImage: a batch taken image by image has the bits of the batch taken layer by layer, with any number of goroutines, in every run,
// and each image those that it has alone.
func TestBatchByImage(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	r := rand.New(rand.NewPCG(63, 64))
	for _, batch := range []int{5, 6} {
		batchByImage(t, r, batch)
	}
}

func batchByImage(t *testing.T, r *rand.Rand, batch int) {
	x, offset := random(r, batch, 3, 20, 20), random(r, 1, 8, 1, 1)
	g := network(t, batch)
	whole, err := compileWhole(g, &Update{}, NewWeights(), false)
	if err != nil {
		t.Fatal(err)
	}
	want, err := whole.Run(map[string]*tensor.Tensor{"x": x, "offset": offset})
	if err != nil {
		t.Fatal(err)
	}
	for _, procs := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(procs)
		p, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		if p.images == nil {
			t.Fatal("the batch is taken layer by layer")
		}
		if heavy := slices.ContainsFunc(p.steps, func(s step) bool { return s.node.Op == "Conv" }); heavy != (batch == 6) {
			t.Errorf("a convolution of many weights is taken for the whole batch: %v", heavy)
		}
		for _, in := range []*tensor.Tensor{random(r, batch, 3, 20, 20), x, x} {
			got, err := p.Run(map[string]*tensor.Tensor{"x": in, "offset": offset})
			if err != nil {
				t.Fatal(err)
			}
			for name := range want {
				if in == x && !same(got[name], want[name]) {
					t.Errorf("%d goroutines: %q differs", procs, name)
				}
			}
		}
		if _, err := p.Run(map[string]*tensor.Tensor{"x": x}); !errors.Is(err, ErrInput) {
			t.Errorf("an input is missing: %v", err)
		}
	}
	if batch == 6 {
		return // another network
	}
	alone, err := Compile(network(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	for i := range batch {
		n := x.Len() / batch
		got, err := alone.Run(map[string]*tensor.Tensor{"x": x.Part(i*n, (i+1)*n).Reshape(1, 3, 20, 20), "offset": offset})
		if err != nil {
			t.Fatal(err)
		}
		if !same(got["y"], want["y"].Part(i*10, (i+1)*10)) {
			t.Errorf("image %d alone differs", i)
		}
	}
}

// TestNotByImage: what mixes images, or is mostly handed over, is taken layer by layer.
func TestNotByImage(t *testing.T) {
	for name, build := range map[string]func(b *graph.Builder, x graph.Ref) graph.Ref{
		"reversed batch": func(b *graph.Builder, x graph.Ref) graph.Ref {
			return b.Op("Slice", nil, x, b.Ints(-1), b.Ints(-9), b.Ints(0), b.Ints(-1))
		},
		"mean over images": func(b *graph.Builder, x graph.Ref) graph.Ref {
			return b.Op("Sub", nil, x, b.Op("ReduceMean", nil, x, b.Ints(0)))
		},
		"a weight for each image": func(b *graph.Builder, x graph.Ref) graph.Ref {
			return b.Op("Mul", nil, x, b.Initializer("weight", floats(1, 2, 3, 4).Reshape(4, 1, 1, 1)))
		},
		"reshaped": func(b *graph.Builder, x graph.Ref) graph.Ref {
			return b.Op("Reshape", nil, b.Op("Relu", nil, b.Op("Reshape", nil, x, b.Ints(8, 1, 6, 6))), b.Ints(4, 2, 6, 6))
		},
	} {
		b := graph.NewBuilder(name)
		x := b.Input("x", tensor.Float32, 4, 2, 6, 6)
		y := build(b, x)
		for i := range 12 {
			y = b.Op("Conv", nil, b.Op("Relu", nil, y), b.Initializer(fmt.Sprint("w", i), random(rand.New(rand.NewPCG(1, 2)), 2, 2, 1, 1)))
		}
		b.Output("y", b.Op("ReduceMean", nil, y))
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]*tensor.Tensor{"x": random(rand.New(rand.NewPCG(3, 4)), 4, 2, 6, 6)}
		p, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		if p.images != nil {
			t.Errorf("%s: taken image by image", name)
		}
		whole, err := nodeByNode(g, in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		if !same(got["y"], whole["y"]) {
			t.Errorf("%s: differs from its nodes one by one", name)
		}
	}
}

// TestNetworkAllocates nothing in the steady state, for one image and for several.
func TestNetworkAllocates(t *testing.T) {
	for _, batch := range []int{1, 3} {
		g := network(t, batch)
		p, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, batch, 3, 20, 20), "offset": tensor.New(tensor.Float32, 1, 8, 1, 1)}
		out, err := p.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(50, func() {
			if err := p.RunInto(in, out); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%v allocations with %d images", n, batch)
		}
	}
}
