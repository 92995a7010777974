package exec

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// random is a tensor of normal deviates with some zeros of both signs.
func random(r *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Float32() {
		switch v := float32(r.NormFloat64()); r.IntN(16) {
		case 0:
			t.Float32()[i] = 0
		case 1:
			t.Float32()[i] = float32(math.Copysign(0, -1))
		default:
			t.Float32()[i] = v
		}
	}
	return t
}

// apply runs one operator on tensors. int64 tensors that the operator wants constant are initializers.
func apply(t testing.TB, op string, outputs int, attrs graph.Attrs, in ...*tensor.Tensor) []*tensor.Tensor {
	t.Helper()
	out, err := tryApply(op, outputs, attrs, in...)
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	return out
}

func tryApply(op string, outputs int, attrs graph.Attrs, in ...*tensor.Tensor) ([]*tensor.Tensor, error) {
	b := graph.NewBuilder(op)
	feed := map[string]*tensor.Tensor{}
	var refs []graph.Ref
	for i, x := range in {
		name := fmt.Sprintf("in%d", i)
		switch {
		case x == nil:
			refs = append(refs, graph.None)
		case x.DType() == tensor.Int64 && !slices.Contains([]string{"Gather", "GatherND", "ScatterND", "Cast", "Equal"}, op):
			refs = append(refs, b.Initializer(name, x))
		default:
			refs = append(refs, b.Input(name, x.DType(), x.Shape()...))
			feed[name] = x
		}
	}
	for i, r := range b.OpN(op, outputs, attrs, refs...) {
		b.Output(fmt.Sprintf("out%d", i), r)
	}
	got, err := run(b, feed)
	if err != nil {
		return nil, err
	}
	var out []*tensor.Tensor
	for i := range outputs {
		out = append(out, got[fmt.Sprintf("out%d", i)])
	}
	return out, nil
}

func run(b *graph.Builder, feed map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	g, err := b.Graph()
	if err != nil {
		return nil, err
	}
	p, err := Compile(g)
	if err != nil {
		return nil, err
	}
	return p.Run(feed)
}

func ints(v ...int64) *tensor.Tensor                   { return tensor.FromInt64(v, len(v)) }
func floats(v ...float32) *tensor.Tensor               { return tensor.FromFloat32(v, len(v)) }
func same(a, b *tensor.Tensor) bool                    { return string(a.Bytes()) == string(b.Bytes()) }
func shaped(t *tensor.Tensor, s ...int) *tensor.Tensor { return t.Reshape(s...) }

// TestValues checks operators on values that can be worked out by hand.
func TestValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	seq := floats(0, 1, 2, 3, 4, 5)
	m23 := shaped(seq, 2, 3)
	for _, c := range []struct {
		op    string
		attrs graph.Attrs
		in    []*tensor.Tensor
		want  []*tensor.Tensor
	}{
		{"Sign", nil, []*tensor.Tensor{floats(-2, 0, 3, nan)}, []*tensor.Tensor{floats(-1, 0, 1, nan)}},
		{"Max", nil, []*tensor.Tensor{floats(1, 5), floats(3, 2), floats(2, nan)}, []*tensor.Tensor{floats(3, nan)}},
		{"Min", nil, []*tensor.Tensor{m23, floats(2, 2, 2)}, []*tensor.Tensor{shaped(floats(0, 1, 2, 2, 2, 2), 2, 3)}},
		{"Equal", nil, []*tensor.Tensor{ints(1, 2), ints(1, 3)}, []*tensor.Tensor{tensor.FromBool([]bool{true, false}, 2)}},
		{"Greater", nil, []*tensor.Tensor{floats(1, nan, 3), floats(2)}, []*tensor.Tensor{tensor.FromBool([]bool{false, false, true}, 3)}},
		{"LessOrEqual", nil, []*tensor.Tensor{floats(1, nan, 2), floats(2)}, []*tensor.Tensor{tensor.FromBool([]bool{true, false, true}, 3)}},
		{"Where", nil, []*tensor.Tensor{tensor.FromBool([]bool{true, false}, 2, 1), floats(1, 2), floats(9)}, []*tensor.Tensor{shaped(floats(1, 2, 9, 9), 2, 2)}},
		{"Cast", graph.Attrs{"to": 6}, []*tensor.Tensor{floats(-1.9, 1e20, nan, -inf)}, []*tensor.Tensor{tensor.From([]int32{-1, math.MaxInt32, 0, math.MinInt32}, 4)}},
		{"Cast", graph.Attrs{"to": 2}, []*tensor.Tensor{floats(-1.9, 300, 200.7)}, []*tensor.Tensor{tensor.From([]uint8{0, 255, 200}, 3)}},
		{"Cast", graph.Attrs{"to": 1}, []*tensor.Tensor{tensor.FromBool([]bool{true, false}, 2)}, []*tensor.Tensor{floats(1, 0)}},
		{"Cast", graph.Attrs{"to": 1}, []*tensor.Tensor{ints(1<<53+1, -7)}, []*tensor.Tensor{floats(1<<53, -7)}},
		{"Cast", graph.Attrs{"to": 9}, []*tensor.Tensor{floats(0, 0.5)}, []*tensor.Tensor{tensor.FromBool([]bool{false, true}, 2)}},
		{"Transpose", nil, []*tensor.Tensor{m23}, []*tensor.Tensor{shaped(floats(0, 3, 1, 4, 2, 5), 3, 2)}},
		{"Reshape", nil, []*tensor.Tensor{m23, ints(3, -1)}, []*tensor.Tensor{shaped(seq, 3, 2)}},
		{"Unsqueeze", nil, []*tensor.Tensor{m23, ints(1)}, []*tensor.Tensor{shaped(seq, 2, 1, 3)}},
		{"Squeeze", nil, []*tensor.Tensor{shaped(seq, 1, 6)}, []*tensor.Tensor{seq}},
		{"Expand", nil, []*tensor.Tensor{shaped(floats(1, 2), 2, 1), ints(2, 2)}, []*tensor.Tensor{shaped(floats(1, 1, 2, 2), 2, 2)}},
		{"Concat", graph.Attrs{"axis": 1}, []*tensor.Tensor{m23, shaped(floats(8, 9), 2, 1)}, []*tensor.Tensor{shaped(floats(0, 1, 2, 8, 3, 4, 5, 9), 2, 4)}},
		{"Slice", nil, []*tensor.Tensor{m23, ints(-1), ints(-9), ints(1), ints(-2)}, []*tensor.Tensor{shaped(floats(2, 0, 5, 3), 2, 2)}},
		{"SliceGrad", graph.Attrs{"shape": []int{2, 3}}, []*tensor.Tensor{shaped(floats(6, 7, 8, 9), 2, 2), ints(-1), ints(-9), ints(1), ints(-2)}, []*tensor.Tensor{shaped(floats(7, 0, 6, 9, 0, 8), 2, 3)}},
		{"Split", graph.Attrs{"axis": 1, "num_outputs": 2}, []*tensor.Tensor{m23}, []*tensor.Tensor{shaped(floats(0, 1, 3, 4), 2, 2), shaped(floats(2, 5), 2, 1)}},
		{"Split", nil, []*tensor.Tensor{seq, ints(1, 5)}, []*tensor.Tensor{floats(0), floats(1, 2, 3, 4, 5)}},
		{"Gather", nil, []*tensor.Tensor{m23, shaped(ints(1, -2), 2, 1)}, []*tensor.Tensor{shaped(floats(3, 4, 5, 0, 1, 2), 2, 1, 3)}},
		{"Gather", nil, []*tensor.Tensor{ints(7, 8, 9), ints(2)}, []*tensor.Tensor{ints(9)}},
		{"GatherND", nil, []*tensor.Tensor{m23, shaped(ints(1, 2, 0, -1), 2, 2)}, []*tensor.Tensor{floats(5, 2)}},
		{"ScatterND", nil, []*tensor.Tensor{ints(1, 2, 3), shaped(ints(2, 0, 2), 3, 1), ints(7, 8, 9)}, []*tensor.Tensor{ints(8, 2, 9)}},
		{"ScatterND", graph.Attrs{"reduction": "mul"}, []*tensor.Tensor{floats(1, 2, 3), shaped(ints(2, 2), 2, 1), floats(7, 0.5)}, []*tensor.Tensor{floats(1, 2, 10.5)}},
		{"ScatterND", graph.Attrs{"reduction": "max"}, []*tensor.Tensor{floats(1, 2, 3), shaped(ints(2, 0), 2, 1), floats(7, 0.5)}, []*tensor.Tensor{floats(1, 2, 7)}},
		{"Add", nil, []*tensor.Tensor{shaped(ints(1, math.MaxInt64), 2, 1), ints(1, 2)}, []*tensor.Tensor{shaped(ints(2, 3, math.MinInt64, math.MinInt64+1), 2, 2)}},
		{"Sub", nil, []*tensor.Tensor{ints(1, 2), ints(5, 7)}, []*tensor.Tensor{ints(-4, -5)}},
		{"Mul", nil, []*tensor.Tensor{ints(3, 1<<62), ints(4)}, []*tensor.Tensor{ints(12, 0)}},
		{"Div", nil, []*tensor.Tensor{ints(-7, 7, math.MinInt64, 5), ints(2, -2, -1, 0)}, []*tensor.Tensor{ints(-3, -3, math.MinInt64, 0)}},
		{"Max", nil, []*tensor.Tensor{ints(3, 1), ints(2), ints(1, 9)}, []*tensor.Tensor{ints(3, 9)}},
		{"Min", nil, []*tensor.Tensor{ints(3, 1), ints(2)}, []*tensor.Tensor{ints(2, 1)}},
		{"ScatterND", graph.Attrs{"reduction": "add"}, []*tensor.Tensor{m23, shaped(ints(1, 1, -2), 3, 1), tensor.FromFloat32([]float32{1, 1, 1, 2, 2, 2, 4, 4, 4}, 3, 3)}, []*tensor.Tensor{shaped(floats(4, 5, 6, 6, 7, 8), 2, 3)}},
		{"TopK", nil, []*tensor.Tensor{floats(1, nan, 3, 3, -inf, inf, 0), ints(5)}, []*tensor.Tensor{floats(nan, inf, 3, 3, 1), ints(1, 5, 2, 3, 0)}},
		{"TopK", graph.Attrs{"largest": 0}, []*tensor.Tensor{floats(1, nan, -3, -3, -inf, inf), ints(6)}, []*tensor.Tensor{floats(-inf, -3, -3, 1, inf, nan), ints(4, 2, 3, 0, 5, 1)}},
		{"TopK", graph.Attrs{"axis": 0}, []*tensor.Tensor{shaped(floats(0, 5, float32(math.Copysign(0, -1)), 4, 0, 6), 3, 2), ints(2)}, []*tensor.Tensor{shaped(floats(0, 6, float32(math.Copysign(0, -1)), 5), 2, 2), shaped(ints(0, 2, 1, 0), 2, 2)}},
		{"ReduceSum", graph.Attrs{"keepdims": 0}, []*tensor.Tensor{m23, ints(0)}, []*tensor.Tensor{floats(3, 5, 7)}},
		{"ReduceMean", nil, []*tensor.Tensor{m23, ints(1)}, []*tensor.Tensor{shaped(floats(1, 4), 2, 1)}},
		{"ReduceMax", nil, []*tensor.Tensor{m23, ints(0)}, []*tensor.Tensor{shaped(floats(3, 4, 5), 1, 3)}},
		{"ReduceMin", graph.Attrs{"keepdims": 0}, []*tensor.Tensor{m23}, []*tensor.Tensor{tensor.Scalar(0)}},
		{"ReduceSumSquare", graph.Attrs{"keepdims": 0}, []*tensor.Tensor{m23}, []*tensor.Tensor{tensor.Scalar(55)}},
		{"MatMul", nil, []*tensor.Tensor{m23, floats(1, 0, 2)}, []*tensor.Tensor{floats(4, 13)}},
		{"Gemm", graph.Attrs{"alpha": float32(2), "beta": float32(0.5), "transB": 1}, []*tensor.Tensor{m23, m23, floats(2, 4)}, []*tensor.Tensor{shaped(floats(11, 30, 29, 102), 2, 2)}},
		{"Sub", nil, []*tensor.Tensor{floats(1), floats(3, 1)}, []*tensor.Tensor{floats(-2, 0)}},
		{"Div", nil, []*tensor.Tensor{floats(6), floats(3, 0)}, []*tensor.Tensor{floats(2, inf)}},
		{"SoftmaxCrossEntropyLoss", graph.Attrs{"reduction": "sum"}, []*tensor.Tensor{shaped(floats(3, 3, 5, 5), 2, 2), ints(0, 1)}, []*tensor.Tensor{tensor.Scalar(2 * 0x1.62e43p-1)}},
		{"SoftmaxCrossEntropyLoss", graph.Attrs{"ignore_index": 9}, []*tensor.Tensor{shaped(floats(3, 3, 5, 5), 2, 2), ints(9, 1)}, []*tensor.Tensor{tensor.Scalar(0x1.62e43p-1)}},
		{"SoftmaxCrossEntropyLossGrad", graph.Attrs{"ignore_index": -1}, []*tensor.Tensor{tensor.Scalar(2), shaped(floats(3, 3, 5, 5), 2, 2), ints(-1, 1)}, []*tensor.Tensor{shaped(floats(0, 0, 1, -1), 2, 2)}},
		{"LayerNormalization", graph.Attrs{"epsilon": float32(0)}, []*tensor.Tensor{shaped(floats(1, 3, 5, 5), 2, 2), floats(2, 2), floats(1, 1)}, []*tensor.Tensor{shaped(floats(-1, 3, nan, nan), 2, 2)}},
		{"RMSNormalization", graph.Attrs{"epsilon": float32(0)}, []*tensor.Tensor{shaped(floats(1, 7), 1, 2), floats(5, 5)}, []*tensor.Tensor{shaped(floats(1, 7), 1, 2)}},
	} {
		got := apply(t, c.op, len(c.want), c.attrs, c.in...)
		for i := range got {
			if !slices.Equal(got[i].Shape(), c.want[i].Shape()) || !same(got[i], c.want[i]) {
				t.Errorf("%s %v: output %d is %v%v, want %v%v", c.op, c.attrs, i, got[i].Shape(), tensorString(got[i]), c.want[i].Shape(), tensorString(c.want[i]))
			}
		}
	}
}

func tensorString(t *tensor.Tensor) string {
	if t.DType() == tensor.Float32 {
		return fmt.Sprint(t.Float32())
	}
	return fmt.Sprintf("% x", t.Bytes())
}

// TestOperatorsComplete: whatever package graph accepts, this package runs.
func TestOperatorsComplete(t *testing.T) {
	for _, name := range graph.Operators() {
		_, found := operations[name]
		if renames := slices.Contains([]string{"Identity", "Reshape", "Squeeze", "Unsqueeze"}, name); found == renames {
			t.Errorf("operator %s: runs %v, only renames %v", name, found, renames)
		}
	}
}

// TestBroadcast compares every way of broadcasting with a loop over indices.
func TestBroadcast(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dims := []int{1, 3, 4}
	ops := map[string]func(a, b float32) float32{
		"Add": func(a, b float32) float32 { return a + b }, "Sub": func(a, b float32) float32 { return a - b },
		"Mul": func(a, b float32) float32 { return a * b }, "Div": func(a, b float32) float32 { return a / b },
	}
	for n := range 64 { // bit i: axis i%3 of input i/3 is present
		var shapes [2][]int
		for i := range 2 {
			for axis := range 3 {
				d := dims[axis] + 1
				if n>>(3*i+axis)&1 == 0 {
					d = 1
				}
				shapes[i] = append(shapes[i], d)
			}
			for len(shapes[i]) > 0 && shapes[i][0] == 1 && r.IntN(2) == 0 {
				shapes[i] = shapes[i][1:]
			}
		}
		out, _ := graph.Broadcast(shapes[0], shapes[1])
		a, b := random(r, shapes[0]...), random(r, shapes[1]...)
		sa, sb := broadcastStrides(shapes[0], out), broadcastStrides(shapes[1], out)
		for op, f := range ops {
			got := apply(t, op, 1, nil, a, b)[0]
			want := tensor.New(tensor.Float32, out...)
			for i := range want.Float32() {
				ia, ib, rest := 0, 0, i
				for axis := len(out) - 1; axis >= 0; axis-- {
					ia, ib, rest = ia+rest%out[axis]*sa[axis], ib+rest%out[axis]*sb[axis], rest/out[axis]
				}
				want.Float32()[i] = f(a.Float32()[ia], b.Float32()[ib])
			}
			if !same(got, want) {
				t.Errorf("%s of %v and %v: %v, want %v", op, shapes[0], shapes[1], got.Float32(), want.Float32())
			}
		}
	}
}

// TestReduce: reducing any axes equals the kernel on a copy of each reduced row, bit for bit.
func TestReduce(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	kernels := map[string]func([]float32) float32{
		"ReduceSum": kernel.Sum, "ReduceMax": kernel.Max, "ReduceMin": kernel.Min, "ReduceSumSquare": kernel.SumSquares,
		"ReduceMean": func(x []float32) float32 { return kernel.Sum(x) / float32(len(x)) },
	}
	check := func(shape, axes []int) {
		x := random(r, shape...)
		var list []int64
		n := 1
		for _, a := range axes {
			list = append(list, int64(a))
			n *= shape[a]
		}
		var rows [][]float32
		from := contiguous(shape)
		var walk func(axis, at int, reduced bool)
		walk = func(axis, at int, reduced bool) {
			if axis == len(shape) {
				if !reduced {
					rows = append(rows, nil)
					walk(0, at, true)
				} else {
					rows[len(rows)-1] = append(rows[len(rows)-1], x.Float32()[at])
				}
				return
			}
			if slices.Contains(axes, axis) != reduced {
				walk(axis+1, at, reduced)
				return
			}
			for i := range shape[axis] {
				walk(axis+1, at+i*from[axis], reduced)
			}
		}
		walk(0, 0, false)
		for op, f := range kernels {
			got := apply(t, op, 1, nil, x, ints(list...))[0].Float32()
			for i, row := range rows {
				if want := f(row); math.Float32bits(got[i]) != math.Float32bits(want) {
					t.Errorf("%s of %v over %v: element %d is %x, want %x", op, shape, axes, i, got[i], want)
					break
				}
			}
		}
	}
	for _, rows := range []int{1, 2, 5, 31, 32, 33, 64, 100, 1000} {
		for _, cols := range []int{1, 3, 16} {
			check([]int{rows, cols}, []int{0})
			check([]int{2, rows, cols}, []int{1})
			check([]int{rows, cols}, []int{1})
			check([]int{rows, 1, cols}, []int{0, 1})
		}
	}
	check([]int{4, 5, 6, 7}, []int{0, 2})
	check([]int{4, 5, 6, 7}, []int{1, 3})
	check([]int{4, 5, 6, 7}, []int{0, 1, 2, 3})
	check([]int{4, 1, 6}, []int{1})
	check([]int{70000, 2}, []int{0}) // longer than one chunk
	check([]int{2, 70000}, []int{1})
}

// TestMatMul: leading axes, and factors read transposed, equal one kernel call per pair of matrices.
func TestMatMul(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range [][2][]int{{{3, 4}, {1, 4}}, {{3}, {2, 1}}, {{2, 3}, {}}, {{}, {2, 3}}, {{1}, {1}}, {{2, 1, 3}, {4, 1}}} {
		const m, k, n = 5, 300, 7
		for trans := range 4 {
			shapeA, shapeB := append(slices.Clone(c[0]), m, k), append(slices.Clone(c[1]), k, n)
			a, b := random(r, shapeA...), random(r, shapeB...)
			builder := graph.NewBuilder("product")
			feed := map[string]*tensor.Tensor{}
			factor := func(name string, x *tensor.Tensor, stored bool) graph.Ref {
				if !stored {
					feed[name] = x
					return builder.Input(name, tensor.Float32, x.Shape()...)
				}
				perm := make([]int, len(x.Shape()))
				for i := range perm {
					perm[i] = i
				}
				last := len(perm) - 1
				perm[last], perm[last-1] = last-1, last
				feed[name] = apply(t, "Transpose", 1, graph.Attrs{"perm": perm}, x)[0]
				return builder.Op("Transpose", graph.Attrs{"perm": perm}, builder.Input(name, tensor.Float32, feed[name].Shape()...))
			}
			y := builder.Op("MatMul", nil, factor("a", a, trans&1 != 0), factor("b", b, trans&2 != 0))
			builder.Output("y", y)
			g, err := builder.Graph()
			if err != nil {
				t.Fatal(err)
			}
			p, err := Compile(g)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.steps) != 1 {
				t.Errorf("%d steps, want the transposes folded into one", len(p.steps))
			}
			out, err := p.Run(feed)
			if err != nil {
				t.Fatal(err)
			}
			lead, _ := graph.Broadcast(c[0], c[1])
			sa, sb := broadcastStrides(c[0], lead), broadcastStrides(c[1], lead)
			want := make([]float32, m*n)
			for i := range out["y"].Len() / (m * n) {
				ia, ib, rest := 0, 0, i
				for axis := len(lead) - 1; axis >= 0; axis-- {
					ia, ib, rest = ia+rest%lead[axis]*sa[axis], ib+rest%lead[axis]*sb[axis], rest/lead[axis]
				}
				kernel.MatMul(want, a.Float32()[ia*m*k:][:m*k], b.Float32()[ib*k*n:][:k*n], m, k, n, false, false)
				if !slices.Equal(out["y"].Float32()[i*m*n:][:m*n], want) {
					t.Errorf("%v x %v, transposed %b: matrix %d differs", shapeA, shapeB, trans, i)
				}
			}
		}
	}
}

// TestAttention computes each query's row on its own, as the definition says, for lengths around the blocks.
func TestAttention(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct {
		heads, kvHeads, queries, keys, d, dv int
		causal                               int
		inf                                  bool
	}{
		{2, 2, 5, 5, 8, 8, 1, false}, {4, 2, 65, 65, 16, 8, 1, false}, {2, 1, 300, 300, 4, 4, 1, false}, {2, 2, 7, 3, 8, 5, 1, false},
		{2, 2, 70, 9, 8, 5, 0, false}, {1, 1, 3, 300, 8, 5, 0, false}, {2, 2, 70, 70, 8, 8, 1, true},
	} {
		q, k, v := random(r, 2, c.heads, c.queries, c.d), random(r, 2, c.kvHeads, c.keys, c.d), random(r, 2, c.kvHeads, c.keys, c.dv)
		if c.inf {
			v.Float32()[40*c.dv] = float32(math.Inf(1))
		}
		got := apply(t, "Attention", 1, graph.Attrs{"is_causal": c.causal}, q, k, v)[0]
		want := tensor.New(tensor.Float32, got.Shape()...)
		scale := 1 / float32(math.Sqrt(float64(c.d)))
		for h := range 2 * c.heads {
			kh, vh := head(k.Float32(), h/(c.heads/c.kvHeads), c.keys, c.d), head(v.Float32(), h/(c.heads/c.kvHeads), c.keys, c.dv)
			for i := range c.queries {
				n := c.keys
				if c.causal == 1 {
					n = min(i+1, n)
				}
				s := make([]float32, n)
				at := h*c.queries + i
				kernel.MatMul(s, q.Float32()[at*c.d:][:c.d], kh[:n*c.d], 1, c.d, n, false, true)
				kernel.MulScalar(s, s, scale)
				kernel.Softmax(s, s, 1, n)
				kernel.MatMul(want.Float32()[at*c.dv:][:c.dv], s, vh[:n*c.dv], 1, n, c.dv, false, false)
			}
		}
		if !same(got, want) {
			t.Errorf("%+v: differs from the definition", c)
		}
		if c.inf && !kernel.Finite(got.Float32()[:40*c.dv]) {
			t.Errorf("%+v: queries see what the mask hides", c)
		}
	}
}

// TestSoftmaxAxis: another axis than the last gives the same as transposing by hand.
func TestSoftmaxAxis(t *testing.T) {
	x := random(rand.New(rand.NewPCG(9, 10)), 3, 4, 5)
	perm := graph.Attrs{"perm": []int{0, 2, 1}}
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		got := apply(t, op, 1, graph.Attrs{"axis": 1}, x)[0]
		moved := apply(t, op, 1, nil, apply(t, "Transpose", 1, perm, x)[0])[0]
		if !same(got, apply(t, "Transpose", 1, perm, moved)[0]) {
			t.Errorf("%s along axis 1 differs from a transpose and the last axis", op)
		}
	}
	soft, logs := apply(t, "Softmax", 1, nil, x)[0].Float32(), apply(t, "LogSoftmax", 1, nil, x)[0].Float32()
	for i, v := range soft {
		if d := math.Log(float64(v)) - float64(logs[i]); math.Abs(d) > 1e-6 {
			t.Fatalf("log of softmax and log-softmax differ by %g", d)
		}
	}
}

// randomGraph chains operators at random over a few matrices, so that storage changes hands in many ways.
func randomGraph(r *rand.Rand) (*graph.Graph, map[string]*tensor.Tensor, error) {
	b := graph.NewBuilder("random")
	feed := map[string]*tensor.Tensor{}
	var refs []graph.Ref
	for i, shape := range [][]int{{6, 6}, {1, 6}, {6, 1}, {6, 6}, {}} {
		name := fmt.Sprint("in", i)
		feed[name] = random(r, shape...)
		refs = append(refs, b.Input(name, tensor.Float32, shape...))
	}
	pick := func() graph.Ref { return refs[r.IntN(len(refs))] }
	matrix := func() graph.Ref { return b.Op("Expand", nil, pick(), b.Ints(6, 6)) }
	for range 5 + r.IntN(40) {
		var y graph.Ref
		switch r.IntN(18) {
		case 0, 1, 2, 3:
			y = b.Op([]string{"Add", "Sub", "Mul", "Div"}[r.IntN(4)], nil, pick(), pick())
		case 4:
			y = b.Op([]string{"Tanh", "Sigmoid", "Relu", "Neg", "Gelu", "Identity"}[r.IntN(6)], nil, pick())
		case 5:
			y = b.Op("Max", nil, pick(), pick(), pick())
		case 6:
			y = b.Op("MatMul", nil, matrix(), b.Op("Transpose", nil, matrix()))
		case 7:
			y = b.Op("ReduceSum", nil, matrix(), b.Ints(r.IntN(2)))
		case 8:
			y = b.Op("Where", nil, b.Op("Greater", nil, pick(), pick()), pick(), pick())
		case 9:
			y = b.Op("Reshape", nil, b.Op("Reshape", nil, matrix(), b.Ints(4, 9)), b.Ints(6, -1))
		case 10:
			y = b.Op("Softmax", graph.Attrs{"axis": r.IntN(2)}, matrix())
		case 11:
			y = b.OpN("Split", 2, graph.Attrs{"num_outputs": 2}, b.Op("Concat", graph.Attrs{"axis": 0}, matrix(), matrix()))[r.IntN(2)]
		case 12:
			y = b.Op("LayerNormalization", nil, matrix(), b.Op("Reshape", nil, b.Op("ReduceMean", nil, matrix(), b.Ints(0)), b.Ints(6)))
		case 13:
			y = b.Op("ScatterND", graph.Attrs{"reduction": "add"}, matrix(), b.Op("Unsqueeze", nil, b.Ints(1, 1, 5), b.Ints(1)), b.Op("Slice", nil, matrix(), b.Ints(0), b.Ints(3)))
		case 14:
			y = b.Op("Transpose", nil, matrix())
		case 15:
			y = b.Op("Gemm", graph.Attrs{"transA": r.IntN(2), "beta": float32(0.5)}, matrix(), matrix(), pick())
		case 16:
			plane := func() graph.Ref { return b.Op("Reshape", nil, matrix(), b.Ints(1, 2, 3, 6)) }
			weights := b.Op("Slice", nil, b.Op("Reshape", nil, matrix(), b.Ints(6, 2, 3, 1)), b.Ints(0), b.Ints(4))
			y = b.Op("Conv", graph.Attrs{"pads": []int{1, 0, 1, 0}, "strides": []int{1, 2}}, plane(), weights)
			y = b.Op("Reshape", nil, y, b.Ints(6, 6))
		case 17:
			y = b.Op([]string{"MaxPool", "AveragePool"}[r.IntN(2)], graph.Attrs{"kernel_shape": []int{3, 3}, "pads": []int{1, 1, 1, 1}}, b.Op("Reshape", nil, matrix(), b.Ints(1, 1, 6, 6)))
			y = b.Op("Reshape", nil, y, b.Ints(6, 6))
		}
		refs = append(refs, y)
	}
	b.Output("last", refs[len(refs)-1])
	for i := range 3 {
		b.Output(fmt.Sprint("out", i), pick())
	}
	g, err := b.Graph()
	return g, feed, err
}

// TestPlan: a compiled graph gives what its nodes give one by one, each with memory of its own, and again on a second run.
func TestPlan(t *testing.T) {
	for seed := range uint64(300) {
		g, feed, err := randomGraph(rand.New(rand.NewPCG(seed, 11)))
		if err != nil {
			t.Fatal(err)
		}
		want, err := nodeByNode(g, feed)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		for pass := range 2 {
			got, err := p.Run(feed)
			if err != nil {
				t.Fatal(err)
			}
			for name := range got {
				if !same(got[name], want[name]) {
					t.Fatalf("seed %d, run %d: output %q differs", seed, pass, name)
				}
			}
		}
	}
}

func nodeByNode(g *graph.Graph, feed map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	types, err := graph.Infer(g)
	if err != nil {
		return nil, err
	}
	values := map[string]*tensor.Tensor{}
	for name, x := range feed {
		values[name] = x
	}
	for _, x := range g.Initializers {
		values[x.Name] = x.Tensor
	}
	for _, n := range g.Nodes {
		one := &graph.Graph{Opset: graph.Opset, Nodes: []graph.Node{n}}
		in := map[string]*tensor.Tensor{}
		for _, name := range n.Inputs {
			switch {
			case in[name] != nil:
			case values[name].DType() == tensor.Int64:
				if !slices.ContainsFunc(one.Initializers, func(x tensor.Named) bool { return x.Name == name }) {
					one.Initializers = append(one.Initializers, tensor.Named{Name: name, Tensor: values[name]})
				}
			default:
				in[name] = values[name]
				one.Inputs = append(one.Inputs, types[name])
			}
		}
		for _, name := range n.Outputs {
			one.Outputs = append(one.Outputs, types[name])
		}
		p, err := Compile(one)
		if err != nil {
			return nil, err
		}
		out, err := p.Run(in)
		if err != nil {
			return nil, err
		}
		for name, x := range out {
			values[name] = x
		}
	}
	return values, nil
}

// TestThreads: the number of processors does not show in the bits, for tensors large enough to be shared out.
func TestThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	results := func() (out []string) {
		r := rand.New(rand.NewPCG(12, 13))
		x, row := random(r, 600, 300), random(r, 300)
		q, image := random(r, 2, 4, 130, 16), random(r, 2, 16, 37, 41)
		for _, y := range slices.Concat(
			apply(t, "Add", 1, nil, x, row), apply(t, "Gelu", 1, nil, x), apply(t, "ReduceSum", 1, nil, x, ints(0)), apply(t, "ReduceSum", 1, nil, x),
			apply(t, "Transpose", 1, nil, x), apply(t, "LogSoftmax", 1, nil, x), apply(t, "LayerNormalizationGrad", 3, nil, x, x, row),
			apply(t, "Attention", 1, graph.Attrs{"is_causal": 1}, q, q, q), apply(t, "AttentionGrad", 3, graph.Attrs{"is_causal": 1}, q, q, q, q),
			apply(t, "MatMul", 1, nil, x, apply(t, "Transpose", 1, nil, x)[0]),
			apply(t, "Conv", 1, graph.Attrs{"pads": []int{1, 1, 1, 1}}, image, random(r, 20, 16, 3, 3), random(r, 20)),
			apply(t, "Conv", 1, graph.Attrs{"group": 16, "strides": []int{2, 2}}, image, random(r, 16, 1, 3, 3)),
			apply(t, "Conv", 1, nil, image, random(r, 40, 16, 1, 1)),
			apply(t, "MaxPool", 1, graph.Attrs{"kernel_shape": []int{3, 3}, "strides": []int{2, 2}}, image),
			apply(t, "AveragePool", 1, graph.Attrs{"kernel_shape": []int{3, 3}, "pads": []int{1, 1, 1, 1}}, image),
		) {
			out = append(out, string(y.Bytes()))
		}
		return out
	}
	runtime.GOMAXPROCS(1)
	want := results()
	for _, n := range []int{2, 5} {
		runtime.GOMAXPROCS(n)
		if got := results(); !slices.Equal(got, want) {
			t.Errorf("GOMAXPROCS %d gives other bits than 1", n)
		}
	}
}

func TestRunErrors(t *testing.T) {
	b := graph.NewBuilder("lookup")
	b.Output("y", b.Op("Gather", nil, b.Initializer("table", tensor.New(tensor.Float32, 4, 2)), b.Input("id", tensor.Int64, 3)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in   map[string]*tensor.Tensor
		want error
		text string
	}{
		"missing": {nil, ErrInput, `"id" is missing`},
		"unknown": {map[string]*tensor.Tensor{"id": ints(0, 1, 2), "x": ints(1)}, ErrInput, `no input "x"`},
		"shape":   {map[string]*tensor.Tensor{"id": ints(0, 1)}, ErrInput, "want int64[3]"},
		"dtype":   {map[string]*tensor.Tensor{"id": floats(0, 1, 2)}, ErrInput, "want int64[3]"},
		"index":   {map[string]*tensor.Tensor{"id": ints(0, 4, 1)}, ErrIndex, `node "Gather_0" (Gather): index out of range: input 1 "id": index 4 at position 1 is outside [-4, 4)`},
		"low":     {map[string]*tensor.Tensor{"id": ints(0, math.MinInt64, 1)}, ErrIndex, "outside"},
	} {
		if _, err := p.Run(c.in); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v, want %v with %q", name, err, c.want, c.text)
		}
	}
	if _, err := p.Run(map[string]*tensor.Tensor{"id": ints(0, -4, 3)}); err != nil {
		t.Errorf("after errors: %v", err)
	}
	for _, label := range []int64{-1, 2} {
		if _, err := tryApply("SoftmaxCrossEntropyLoss", 1, nil, tensor.New(tensor.Float32, 1, 2), ints(label)); !errors.Is(err, ErrIndex) {
			t.Errorf("label %d: error %v, want ErrIndex", label, err)
		}
	}
}

// TestOutputs: outputs that are inputs, initializers, or twice the same value are copies of their own, with canonical NaN.
func TestOutputs(t *testing.T) {
	b := graph.NewBuilder("copies")
	x := b.Input("x", tensor.Float32, 2)
	y := b.Op("Neg", nil, x)
	b.Output("x", x)
	b.Output("c", b.Initializer("c", floats(1, 2)))
	b.Output("y", y)
	b.Output("z", b.Op("Reshape", nil, y, b.Ints(2, 1)))
	in := floats(1, math.Float32frombits(0xFFC00001))
	out, err := run(b, map[string]*tensor.Tensor{"x": in})
	if err != nil {
		t.Fatal(err)
	}
	out["x"].Float32()[0], out["y"].Float32()[0] = 8, 9
	if in.Float32()[0] != 1 || out["z"].Float32()[0] != -1 {
		t.Error("outputs share storage")
	}
	for _, name := range []string{"x", "y", "z"} {
		if bits := math.Float32bits(out[name].Float32()[1]); bits != 0x7FC00000 {
			t.Errorf("output %q: NaN 0x%08x", name, bits)
		}
	}
}

// TestRunIntoAllocates next to nothing in the steady state.
func TestRunIntoAllocates(t *testing.T) {
	b := graph.NewBuilder("chain")
	x := b.Input("x", tensor.Float32, 64, 32)
	y := x
	for range 50 {
		y = b.Op("Add", nil, b.Op("MatMul", nil, b.Op("Tanh", nil, y), b.Initializer("w"+string(y), tensor.New(tensor.Float32, 32, 32))), b.Float(1))
	}
	b.Output("y", y)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 64, 32)}
	out := map[string]*tensor.Tensor{"y": tensor.New(tensor.Float32, 64, 32)}
	if n := testing.AllocsPerRun(20, func() {
		if err := p.RunInto(in, out); err != nil {
			t.Fatal(err)
		}
	}); n > 400 {
		t.Errorf("%v allocations for 150 nodes", n)
	}
}
