package exec

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// cut is elements lo to hi of an axis.
func cut(x *tensor.Tensor, axis, lo, hi int) *tensor.Tensor {
	shape := slices.Clone(x.Shape())
	outer, inner := 1, 1
	for i, d := range shape {
		if i < axis {
			outer *= d
		}
		if i > axis {
			inner *= d
		}
	}
	length := shape[axis]
	shape[axis] = hi - lo
	out := tensor.New(x.DType(), shape...)
	for o := range outer {
		copy(out.Float32()[o*(hi-lo)*inner:(o+1)*(hi-lo)*inner], x.Float32()[(o*length+lo)*inner:])
	}
	return out
}

// attend runs a causal attention on tensors, nil where an input is left out.
func attend(t *testing.T, outputs int, attrs graph.Attrs, in ...*tensor.Tensor) []*tensor.Tensor {
	t.Helper()
	b := graph.NewBuilder("attention")
	feed := map[string]*tensor.Tensor{}
	var refs []graph.Ref
	for i, x := range in {
		if x == nil {
			refs = append(refs, graph.None)
			continue
		}
		name := fmt.Sprint("in", i)
		refs = append(refs, b.Input(name, x.DType(), x.Shape()...))
		feed[name] = x
	}
	for i, r := range b.OpN("Attention", outputs, attrs, refs...) {
		b.Output(fmt.Sprint("out", i), r)
	}
	got, err := run(b, feed)
	if err != nil {
		t.Fatal(err)
	}
	var out []*tensor.Tensor
	for i := range outputs {
		out = append(out, got[fmt.Sprint("out", i)])
	}
	return out
}

// TestCacheKeepsBits: a sequence gives the same bits at once, in chunks and token by token, whether the cache grows or has a fixed
// size, for every batch entry alone and together, on one thread and on two.
func TestCacheKeepsBits(t *testing.T) {
	const heads, kvHeads, d, dv, length, capacity = 4, 2, 16, 8, 131, 150
	attrs := graph.Attrs{"is_causal": 1, "softcap": float32(20)}
	r := rand.New(rand.NewPCG(31, 32))
	const batch = 32
	q, k, v := random(r, batch, heads, length, d), random(r, batch, kvHeads, length, d), random(r, batch, kvHeads, length, dv)
	want := attend(t, 1, attrs, q, k, v)[0]
	for _, c := range []struct{ from, to, chunk, threads int }{{0, 32, 64, 1}, {0, 32, 50, 2}, {0, 1, 1, 2}, {5, 8, 1, 1}, {31, 32, 9, 2}} {
		before := runtime.GOMAXPROCS(c.threads)
		n := c.to - c.from
		rows := func(x *tensor.Tensor, lo, hi int) *tensor.Tensor { return cut(cut(x, 0, c.from, c.to), 2, lo, hi) }
		pastK, pastV := (*tensor.Tensor)(nil), (*tensor.Tensor)(nil)
		fixedK, fixedV := tensor.New(tensor.Float32, n, kvHeads, capacity, d), tensor.New(tensor.Float32, n, kvHeads, capacity, dv)
		for i := range fixedK.Float32() { // what is not in use may be anything
			fixedK.Float32()[i] = float32(math.NaN())
		}
		for i := range fixedV.Float32() {
			fixedV.Float32()[i] = float32(math.Inf(1))
		}
		for lo := 0; lo < length; lo += c.chunk {
			hi := min(lo+c.chunk, length)
			qs, ks, vs := rows(q, lo, hi), rows(k, lo, hi), rows(v, lo, hi)
			grown := []*tensor.Tensor{nil, ks, vs}
			if lo == 0 {
				grown[0] = attend(t, 1, attrs, qs, ks, vs)[0]
			} else {
				grown = attend(t, 3, attrs, qs, ks, vs, nil, pastK, pastV)
			}
			pastK, pastV = grown[1], grown[2]
			at, used := tensor.New(tensor.Int64, n), tensor.New(tensor.Int64, n)
			for i := range n {
				at.Int64()[i], used.Int64()[i] = int64(lo), int64(hi)
			}
			fixedK = scatterInto(t, fixedK, ks, at)
			fixedV = scatterInto(t, fixedV, vs, at)
			fixed := attend(t, 1, attrs, qs, fixedK, fixedV, nil, nil, nil, used)[0]
			if part := rows(want, lo, hi); !same(grown[0], part) || !same(fixed, part) {
				t.Fatalf("%+v: tokens %d to %d differ: growing cache %v, fixed cache %v", c, lo, hi, same(grown[0], part), same(fixed, part))
			}
		}
		if !same(pastK, rows(k, 0, length)) || !same(pastV, rows(v, 0, length)) {
			t.Errorf("%+v: the cache is not the keys and values", c)
		}
		runtime.GOMAXPROCS(before)
	}
}

// scatterInto runs TensorScatter in place: the cache is also the output.
func scatterInto(t *testing.T, cache, update, at *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	b := graph.NewBuilder("scatter")
	b.Output("y", b.Op("TensorScatter", nil, b.Input("cache", cache.DType(), cache.Shape()...), b.Input("update", update.DType(), update.Shape()...), b.Input("at", tensor.Int64, at.Len())))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]*tensor.Tensor{"cache": cache, "update": update, "at": at}
	other, err := p.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.RunInto(in, map[string]*tensor.Tensor{"y": cache}); err != nil {
		t.Fatal(err)
	}
	if !same(other["y"], cache) {
		t.Fatal("TensorScatter in place differs from TensorScatter into another tensor")
	}
	return cache
}

// TestTensorScatter: entries of a batch have places of their own; a circular cache goes on at its start.
func TestTensorScatter(t *testing.T) {
	cache := shaped(floats(0, 1, 2, 3, 10, 11, 12, 13), 2, 4, 1)
	update := shaped(floats(7, 8, 17, 18), 2, 2, 1)
	for _, c := range []struct {
		mode string
		at   []int64
		want []float32
	}{
		{"linear", []int64{0, 2}, []float32{7, 8, 2, 3, 10, 11, 17, 18}},
		{"circular", []int64{3, 5}, []float32{8, 1, 2, 7, 10, 17, 18, 13}},
		{"linear", []int64{0, 3}, nil},
		{"circular", []int64{0, -1}, nil},
	} {
		b := graph.NewBuilder("scatter")
		b.Output("y", b.Op("TensorScatter", graph.Attrs{"mode": c.mode}, b.Input("cache", tensor.Float32, 2, 4, 1), b.Input("update", tensor.Float32, 2, 2, 1), b.Input("at", tensor.Int64, 2)))
		got, err := run(b, map[string]*tensor.Tensor{"cache": cache, "update": update, "at": ints(c.at...)})
		switch {
		case c.want == nil && !errors.Is(err, ErrIndex):
			t.Errorf("%s at %v: error %v, want one about an index", c.mode, c.at, err)
		case c.want != nil && (err != nil || !slices.Equal(got["y"].Float32(), c.want)):
			t.Errorf("%s at %v: %v, %v, want %v", c.mode, c.at, got["y"], err, c.want)
		}
	}
}

// TestAttentionMasks computes rows from the definition: only keys that a query sees take part, at their own places.
func TestAttentionMasks(t *testing.T) {
	const batch, heads, queries, keys, d, dv = 2, 2, 9, 70, 8, 5
	r := rand.New(rand.NewPCG(33, 34))
	for _, shape := range [][]int{{queries, keys}, {batch, 1, 1, keys}, {batch, heads, queries, keys}, {1}, {queries, 1}} {
		for variant := range 16 {
			causal, isBool, inf, softcap := variant&1, variant&2 != 0, variant&4 != 0, float32(variant&8)
			q, k, v := random(r, batch, heads, queries, d), random(r, batch, heads, keys, d), random(r, batch, heads, keys, dv)
			m := random(r, shape...)
			strides := broadcastStrides(shape, []int{batch, heads, queries, keys})
			if isBool {
				m = tensor.New(tensor.Bool, shape...)
				for i := range m.Bool() {
					m.Bool()[i] = r.IntN(3) > 0
				}
				if len(shape) == 4 && shape[1] > 1 {
					clear(m.Bool()[:keys]) // the first query sees nothing
				}
			}
			if inf {
				v.Float32()[3*dv] = float32(math.Inf(1))
				k.Float32()[3*d] = float32(math.NaN())
			}
			got := attend(t, 1, graph.Attrs{"is_causal": causal, "softcap": softcap, "scale": float32(0.3)}, q, k, v, m)[0]
			want := tensor.New(tensor.Float32, got.Shape()...)
			for h := range batch * heads {
				for i := range queries {
					row := byDefinition(q.Float32()[(h*queries+i)*d:][:d], head(k.Float32(), h, keys, d), head(v.Float32(), h, keys, dv), 0.3, softcap, func(j int) (bool, float32) {
						at := h/heads*strides[0] + h%heads*strides[1] + i*strides[2] + j*strides[3]
						if isBool {
							return (causal == 0 || j <= i) && m.Bool()[at], 0
						}
						return causal == 0 || j <= i, m.Float32()[at]
					}, !isBool)
					copy(want.Float32()[(h*queries+i)*dv:], row)
				}
			}
			kernel.Canonicalize(want.Float32())
			if !same(got, want) {
				t.Errorf("mask %v of %v, causal %d, inf %v, softcap %v: differs from the definition", m.DType(), shape, causal, inf, softcap)
			}
		}
	}
}

// byDefinition is spec/numerics.md §7 for one query: every step in a loop of its own.
func byDefinition(q, k, v []float32, scale, softcap float32, sees func(j int) (bool, float32), add bool) []float32 {
	d, keys := len(q), len(k)/len(q)
	dv := len(v) / keys
	weights, sum := make([]float32, keys), [32]float32{}
	most, any := float32(math.Inf(-1)), false
	var seen []int
	for j := range keys {
		ok, bias := sees(j)
		if !ok {
			continue
		}
		seen, any = append(seen, j), true
		s := []float32{0}
		kernel.MatMul(s, q, k[j*d:(j+1)*d], 1, d, 1, false, true)
		kernel.MulScalar(s, s, scale)
		if softcap > 0 {
			kernel.DivScalar(s, s, softcap)
			kernel.Tanh(s, s)
			kernel.MulScalar(s, s, softcap)
		}
		if add {
			s[0] += bias
		}
		weights[j] = s[0]
		most = kernel.Max([]float32{most, s[0]})
	}
	y := make([]float32, dv)
	if !any {
		return y
	}
	for _, j := range seen {
		e := []float32{weights[j] - most}
		kernel.Exp(e, e)
		weights[j] = e[0]
		sum[j%32] += e[0]
	}
	for h := 16; h > 0; h /= 2 {
		for i := range h {
			sum[i] += sum[i+h]
		}
	}
	for c := range y {
		for b := 0; b < keys; b += 256 {
			var chain float32
			for _, j := range seen {
				if j >= b && j < b+256 {
					chain = kernel.FMA(weights[j]/sum[0], v[j*dv+c], chain)
				}
			}
			y[c] += chain
		}
	}
	return y
}

// TestAttentionErrors: what does not fit is refused with the input's name.
func TestAttentionErrors(t *testing.T) {
	x := tensor.New(tensor.Float32, 2, 2, 3, 4)
	for name, c := range map[string][]*tensor.Tensor{
		"past without values":   {x, x, x, nil, x},
		"past of another shape": {x, x, x, nil, tensor.New(tensor.Float32, 2, 2, 3, 5), x},
		"mask too long":         {x, x, x, tensor.New(tensor.Bool, 3, 4)},
		"mask of integers":      {x, x, x, tensor.New(tensor.Int64, 3, 3)},
		"length for one":        {x, x, x, nil, nil, nil, ints(1)},
		"length and past":       {x, x, x, nil, x, x, ints(1, 1)},
		"length too long":       {x, x, x, nil, nil, nil, ints(3, 4)},
		"negative length":       {x, x, x, nil, nil, nil, ints(-1, 3)},
	} {
		b := graph.NewBuilder("attention")
		feed := map[string]*tensor.Tensor{}
		var refs []graph.Ref
		for i, in := range c {
			refs = append(refs, graph.None)
			if in != nil {
				refs[i] = b.Input(fmt.Sprint("in", i), in.DType(), in.Shape()...)
				feed[fmt.Sprint("in", i)] = in
			}
		}
		outputs := 1
		if len(c) > 5 && c[4] != nil {
			outputs = 3
		}
		b.Output("y", b.OpN("Attention", outputs, nil, refs...)[0])
		if _, err := run(b, feed); !errors.Is(err, graph.ErrInvalid) && !errors.Is(err, ErrIndex) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
