package autodiff

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

// example is one operator with inputs at which to differentiate.
type example struct {
	op      string
	attrs   graph.Attrs
	outputs int
	in      []*tensor.Tensor
}

func (e example) String() string {
	var shapes []string
	for _, x := range e.in {
		shapes = append(shapes, fmt.Sprint(x.Shape()))
	}
	return fmt.Sprintf("%s %v %s", e.op, e.attrs, strings.Join(shapes, " "))
}

// build makes the graph of all outputs and of the loss Σ outputs·weights, where weights are inputs "w0", ….
func (e example) build(t *testing.T) (*graph.Graph, []string) {
	t.Helper()
	b := graph.NewBuilder("example")
	var refs []graph.Ref
	var wrt []string
	for i, x := range e.in {
		name := fmt.Sprint("x", i)
		if x.DType() == tensor.Int64 {
			refs = append(refs, b.Initializer(name, x))
			continue
		}
		refs = append(refs, b.Input(name, x.DType(), x.Shape()...))
		if x.DType() == tensor.Float32 {
			wrt = append(wrt, name)
		}
	}
	loss := b.Float(0)
	for i, y := range b.OpN(e.op, max(1, e.outputs), e.attrs, refs...) {
		if b.Value(y).DType != tensor.Float32 {
			continue
		}
		w := b.Input(fmt.Sprint("w", i), tensor.Float32, b.Shape(y)...)
		loss = b.Op("Add", nil, loss, b.Op("ReduceSum", graph.Attrs{"keepdims": 0}, b.Op("Mul", nil, y, w)))
		b.Output(fmt.Sprint("y", i), y)
	}
	b.Output("loss", loss)
	g, err := b.Graph()
	if err != nil {
		t.Fatalf("%v: %v", e, err)
	}
	return g, wrt
}

func compile(t testing.TB, g *graph.Graph) *exec.Program {
	t.Helper()
	p, err := exec.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t testing.TB, p *exec.Program, in map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	out, err := p.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// examples has at least one entry for every operator with a derivative; the coverage is tested.
func examples() []example {
	r := rand.New(rand.NewPCG(1, 2))
	// f draws values apart from 0, from one another and from those of the tensors before, so that no step crosses a kink or tie.
	tensors := 0
	f := func(shape ...int) *tensor.Tensor {
		t := tensor.New(tensor.Float32, shape...)
		tensors++
		for i, j := range r.Perm(t.Len()) {
			v := 0.2 + 0.04*float32(tensors%5) + 1.6*float32(j+1)/float32(t.Len())
			t.Float32()[i] = v
			if r.IntN(2) == 0 {
				t.Float32()[i] = -v
			}
		}
		return t
	}
	plus := func(shape ...int) *tensor.Tensor {
		t := f(shape...)
		for i, v := range t.Float32() {
			t.Float32()[i] = 0.5 + max(v, -v)
		}
		return t
	}
	i64 := func(v ...int64) *tensor.Tensor { return tensor.FromInt64(v, len(v)) }
	pairs := func(v ...int64) *tensor.Tensor { return tensor.FromInt64(v, len(v)/2, 2) }
	in := func(t ...*tensor.Tensor) []*tensor.Tensor { return t }
	mask := tensor.FromBool([]bool{true, false, true}, 3)
	var list []example
	add := func(op string, attrs graph.Attrs, in ...*tensor.Tensor) {
		list = append(list, example{op, attrs, 1, in})
	}
	for _, op := range []string{"Neg", "Abs", "Sign", "Exp", "Tanh", "Erf", "Sigmoid", "Relu", "Gelu", "Sin", "Cos", "Identity", "Reciprocal"} {
		add(op, nil, f(2, 3))
	}
	add("Sqrt", nil, plus(2, 3))
	add("Log", nil, plus(2, 3))
	add("Cast", graph.Attrs{"to": 1}, f(3))
	for _, op := range []string{"Add", "Sub", "Mul", "Max", "Min"} {
		add(op, nil, f(2, 3), f(2, 3))
		add(op, nil, f(2, 3), f(3))
		add(op, nil, f(), f(2, 1, 3))
		add(op, nil, f(2, 1), f(1, 3))
	}
	add("Max", nil, f(2, 3), f(3), f())
	add("Div", nil, f(2, 3), plus(3))
	add("Div", nil, f(2, 1), plus(2, 3))
	add("Where", nil, mask, f(2, 3), f())
	add("MatMul", nil, f(2, 3), f(3, 4))
	add("MatMul", nil, f(2, 2, 3), f(3, 2))
	add("MatMul", nil, f(2, 3), f(2, 3, 2))
	add("MatMul", nil, f(2, 1, 2, 3), f(3, 3, 2))
	add("MatMul", nil, f(3), f(3))
	add("MatMul", nil, f(3), f(2, 3, 2))
	add("MatMul", nil, f(2, 2, 3), f(3))
	for trans := range 4 {
		a, b := in(f(2, 3), f(3, 2))[trans&1], in(f(3, 4), f(4, 3))[trans>>1]
		add("Gemm", graph.Attrs{"alpha": float32(1.5), "beta": float32(0.5), "transA": trans & 1, "transB": trans >> 1}, a, b, f(4))
	}
	add("Transpose", graph.Attrs{"perm": []int{2, 0, 1}}, f(2, 3, 2))
	add("Reshape", nil, f(2, 3), i64(3, 2))
	add("Squeeze", nil, f(1, 1))
	add("Unsqueeze", nil, f(), i64(0))
	add("Expand", nil, f(2, 1), i64(2, 2, 3))
	add("Concat", graph.Attrs{"axis": -1}, f(2, 1), f(2, 3))
	add("Slice", nil, f(5, 4), i64(4, 1), i64(-9, 3), i64(0, 1), i64(-2, 1))
	list = append(list, example{"Split", graph.Attrs{"axis": 1, "num_outputs": 2}, 2, in(f(2, 5))})
	add("Gather", nil, f(4, 2), i64(1, 1, -1))
	list = append(list, example{"TopK", graph.Attrs{"axis": 1}, 2, in(f(2, 5, 3), i64(2))}, example{"TopK", graph.Attrs{"largest": 0}, 2, in(f(4), i64(3))})
	add("GatherND", nil, f(3, 2), pairs(0, 1, 2, -1, 0, 1))
	add("ScatterND", graph.Attrs{"reduction": "add"}, f(3, 2), pairs(0, 1, 2, -1, 0, 1), f(3))
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare"} {
		add(op, nil, f(2, 3, 2), i64(-1, 0))
		add(op, graph.Attrs{"keepdims": 0}, f(2, 3), i64(0))
		add(op, graph.Attrs{"keepdims": 0}, f(2, 3))
	}
	for axis := range 2 {
		add("Softmax", graph.Attrs{"axis": axis}, f(3, 3))
		add("LogSoftmax", graph.Attrs{"axis": axis}, f(3, 3))
	}
	for _, reduction := range []string{"none", "sum", "mean"} {
		add("SoftmaxCrossEntropyLoss", graph.Attrs{"reduction": reduction, "ignore_index": 7}, f(4, 3), i64(0, 2, 7, 1))
	}
	add("SoftmaxCrossEntropyLoss", nil, f(2, 3), i64(0, 2))
	add("LayerNormalization", nil, f(3, 5), f(5), f(5))
	add("LayerNormalization", graph.Attrs{"axis": 1}, f(3, 2, 2), f(2, 2))
	add("RMSNormalization", nil, f(3, 5), f(5))
	add("Attention", graph.Attrs{"is_causal": 1}, f(1, 2, 4, 3), f(1, 2, 4, 3), f(1, 2, 4, 2))
	list = append(list, example{"LSTM", graph.Attrs{"direction": "bidirectional"}, 3, in(f(3, 2, 2), f(2, 12, 2), f(2, 12, 3), f(2, 24))},
		example{"GRU", nil, 2, in(f(3, 2, 2), f(1, 9, 2), f(1, 9, 3), f(1, 18))},
		example{"GRU", graph.Attrs{"direction": "reverse", "linear_before_reset": 1}, 2, in(f(3, 2, 2), f(1, 9, 2), f(1, 9, 3))})
	add("Attention", graph.Attrs{"scale": float32(0.7)}, f(2, 4, 3, 2), f(2, 2, 5, 2), f(2, 2, 5, 3))
	add("Attention", graph.Attrs{"is_causal": 1}, f(1, 1, 4, 2), f(1, 1, 2, 2), f(1, 1, 2, 2))
	windows := func(kernel, strides, dilations, pads []int) graph.Attrs {
		return graph.Attrs{"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}
	}
	conv := func(attrs graph.Attrs, group int) graph.Attrs {
		delete(attrs, "kernel_shape")
		attrs["group"] = group
		return attrs
	}
	add("Conv", nil, f(2, 3, 5), f(4, 3, 3), f(4))
	add("Conv", conv(windows(nil, []int{1, 1}, []int{1, 1}, []int{1, 1, 1, 1}), 1), f(2, 2, 4, 3), f(3, 2, 3, 3))
	add("Conv", conv(windows(nil, []int{2, 3}, []int{1, 1}, []int{0, 2, 1, 1}), 2), f(1, 4, 6, 5), f(6, 2, 2, 3), f(6))
	add("Conv", conv(windows(nil, []int{2}, []int{3}, []int{4, 0}), 1), f(1, 2, 9), f(2, 2, 2))
	add("Conv", conv(windows(nil, []int{1}, []int{1}, []int{3, 4}), 1), f(1, 1, 4), f(2, 1, 2)) // windows of padding alone
	add("Conv", conv(windows(nil, []int{1, 2, 1}, []int{1, 1, 2}, []int{0, 1, 0, 1, 0, 1}), 1), f(1, 2, 2, 3, 4), f(2, 2, 2, 2, 2))
	add("Conv", conv(windows(nil, []int{1, 1}, []int{1, 1}, []int{1, 1, 1, 1}), 3), f(2, 3, 4, 3), f(3, 1, 3, 3)) // depthwise
	for _, op := range []string{"MaxPool", "AveragePool"} {
		add(op, windows([]int{2}, []int{2}, []int{1}, []int{0, 1}), f(2, 2, 5))
		add(op, windows([]int{2, 2}, []int{2, 2}, []int{1, 1}, []int{0, 0, 0, 0}), f(1, 2, 5, 4))
		add(op, windows([]int{3, 2}, []int{1, 2}, []int{1, 2}, []int{1, 0, 1, 1}), f(2, 1, 4, 5))
		add(op, windows([]int{2, 1, 2}, []int{1, 1, 1}, []int{1, 1, 1}, []int{0, 0, 1, 0, 0, 0}), f(1, 1, 3, 2, 3))
	}
	add("AveragePool", graph.Attrs{"kernel_shape": []int{3}, "pads": []int{1, 1}, "count_include_pad": 1}, f(1, 2, 4))
	return list
}

// TestFiniteDifferences compares each derivative with central differences. The loss is summed in float64, so that the error
// is that of the float32 outputs, about 1e-7/h, and h² times the third derivative.
func TestFiniteDifferences(t *testing.T) {
	const h, tolerance = 1.0 / 128, 3e-3
	seen := map[string]bool{}
	for _, e := range examples() {
		seen[e.op] = true
		g, wrt := e.build(t)
		dg, names, err := Gradient(g, "loss", wrt)
		if err != nil {
			t.Errorf("%v: %v", e, err)
			continue
		}
		r := rand.New(rand.NewPCG(3, 4))
		feed := map[string]*tensor.Tensor{}
		for _, v := range g.Inputs {
			if i := slices.Index(wrt, v.Name); i < 0 && v.DType == tensor.Float32 {
				feed[v.Name] = tensor.New(v.DType, v.Shape...)
				for i := range feed[v.Name].Float32() {
					feed[v.Name].Float32()[i] = float32(r.NormFloat64())
				}
			}
		}
		for i, x := range e.in {
			if x.DType() != tensor.Int64 {
				feed[fmt.Sprint("x", i)] = x
			}
		}
		forward := compile(t, g)
		loss := func() (sum float64) {
			out := run(t, forward, feed)
			for i := range max(1, e.outputs) {
				weights := feed[fmt.Sprint("w", i)]
				if weights == nil { // an output of indices
					continue
				}
				for j, w := range weights.Float32() {
					sum += float64(w) * float64(out[fmt.Sprint("y", i)].Float32()[j])
				}
			}
			return sum
		}
		grads := run(t, compile(t, dg), feed)
		for _, name := range wrt {
			x, got := feed[name].Float32(), grads[names[name]]
			if !slices.Equal(got.Shape(), feed[name].Shape()) {
				t.Errorf("%v: gradient of %s has shape %v", e, name, got.Shape())
				continue
			}
			for i, at := range x {
				x[i] = at + h
				up := loss()
				x[i] = at - h
				down := loss()
				x[i] = at
				want := (up - down) / (2 * h)
				if d := math.Abs(float64(got.Float32()[i]) - want); !(d <= tolerance*(1+math.Abs(want))) {
					t.Errorf("%v: derivative by %s[%d] is %v, differences give %v", e, name, i, got.Float32()[i], want)
				}
			}
		}
	}
	for op := range rules {
		if !seen[op] {
			t.Errorf("no example for the derivative of %s", op)
		}
	}
}

// TestOperatorsComplete: an operator has one derivative, or a reason why it has none.
func TestOperatorsComplete(t *testing.T) {
	operators := graph.Operators()
	for _, op := range operators {
		_, ok := rules[op]
		ok = ok || op == "LSTM" || op == "GRU" // written out before the rules apply
		if reason := underivable[op]; ok == (reason != "") {
			t.Errorf("%s: has a rule %v, and a reason to have none %q", op, ok, reason)
		}
	}
	for op := range underivable {
		if !slices.Contains(operators, op) {
			t.Errorf("%s is no operator", op)
		}
	}
}

// TestFanOut: contributions are added from the first reader to the last. With 1e8, -1e8 and 1 only that order gives 1.
func TestFanOut(t *testing.T) {
	b := graph.NewBuilder("fan")
	x := b.Input("x", tensor.Float32, 1)
	sum := b.Op("Mul", nil, x, b.Float(1e8))
	sum = b.Op("Add", nil, sum, b.Op("Mul", nil, x, b.Float(-1e8)))
	sum = b.Op("Add", nil, sum, b.Op("Mul", nil, x, b.Float(1)))
	b.Output("loss", sum)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	dg, names, err := Gradient(g, "loss", []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, compile(t, dg), map[string]*tensor.Tensor{"x": tensor.FromFloat32([]float32{3}, 1)})
	if got := out[names["x"]].Float32()[0]; got != 1 {
		t.Errorf("gradient %v, want (1e8 - 1e8) + 1 = 1", got)
	}
	square := graph.NewBuilder("square")
	x = square.Input("x", tensor.Float32)
	square.Output("loss", square.Op("Mul", nil, x, x))
	g, err = square.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if dg, names, err = Gradient(g, "loss", []string{"x", "x"}); err != nil {
		t.Fatal(err)
	}
	if got := run(t, compile(t, dg), map[string]*tensor.Tensor{"x": tensor.Scalar(3)})[names["x"]].Float32()[0]; got != 6 {
		t.Errorf("derivative of x·x at 3 is %v, want 6", got)
	}
}

// TestPruned: what no wanted gradient needs is not computed, and what the loss does not depend on has gradient zero.
func TestPruned(t *testing.T) {
	b := graph.NewBuilder("pruned")
	x, w, unused := b.Input("x", tensor.Float32, 4, 3), b.Input("w", tensor.Float32, 3, 2), b.Input("unused", tensor.Float32, 2)
	y := b.Op("MatMul", nil, x, w)
	b.Op("Exp", nil, unused)
	b.Output("loss", b.Op("ReduceSum", graph.Attrs{"keepdims": 0}, y))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	before := string(graph.Encode(g))
	dg, names, err := Gradient(g, "loss", []string{"w", "unused"})
	if err != nil {
		t.Fatal(err)
	}
	if string(graph.Encode(g)) != before {
		t.Error("the graph was changed")
	}
	products := 0
	for _, n := range dg.Nodes {
		if n.Op == "MatMul" {
			products++
		}
	}
	if products != 2 {
		t.Errorf("%d products, want one forward and one for w", products)
	}
	out := run(t, compile(t, dg), map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 4, 3), "w": tensor.New(tensor.Float32, 3, 2), "unused": tensor.FromFloat32([]float32{1, 2}, 2)})
	if got := out[names["unused"]].Float32(); got[0] != 0 || got[1] != 0 {
		t.Errorf("gradient by what is not used is %v", got)
	}
	if _, ok := out["loss"]; !ok {
		t.Error("the outputs of the graph are gone")
	}
}

func TestErrors(t *testing.T) {
	b := graph.NewBuilder("errors")
	x, labels := b.Input("x", tensor.Float32, 2, 2), b.Input("labels", tensor.Int64, 2)
	ce := b.OpN("SoftmaxCrossEntropyLoss", 2, nil, x, labels)
	b.Output("logs", b.Op("ReduceSum", graph.Attrs{"keepdims": 0}, ce[1]))
	b.Output("second", b.Op("ReduceSum", graph.Attrs{"keepdims": 0}, b.Op("GeluGrad", nil, x, x)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ loss, wrt, want string }{
		"unknown loss": {"nothing", "x", `loss "nothing"`},
		"wide loss":    {"x", "x", "one element"},
		"unknown wrt":  {"logs", "z", `"z" is not`},
		"integer wrt":  {"logs", "labels", `"labels" is not`},
		"log_prob":     {"logs", "x", `node "SoftmaxCrossEntropyLoss_0" (SoftmaxCrossEntropyLoss): output log_prob`},
		"derivative":   {"second", "x", `(GeluGrad): the operator has no derivative`},
	} {
		if _, _, err := Gradient(g, c.loss, []string{c.wrt}); !errors.Is(err, ErrGradient) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	g.Nodes[0].Op = "Nonsense"
	if _, _, err := Gradient(g, "logs", nil); !errors.Is(err, graph.ErrInvalid) {
		t.Errorf("invalid graph: error %v", err)
	}
}

// TestStandardForms: the derivatives of domain "mutirao", written as ONNX's own operators, give the same numbers up to rounding.
func TestStandardForms(t *testing.T) {
	forms := map[string]bool{}
	for _, e := range examples() {
		g, wrt := e.build(t)
		dg, names, err := Gradient(g, "loss", wrt)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := onnx.Standard(dg)
		if err != nil {
			t.Errorf("%v: %v", e, err)
			continue
		}
		for _, n := range dg.Nodes {
			forms[n.Op] = forms[n.Op] || n.Domain != ""
		}
		for _, n := range plain.Nodes {
			if n.Domain != "" {
				t.Errorf("%v: node %s is left", e, n.Op)
			}
		}
		feed := map[string]*tensor.Tensor{}
		r := rand.New(rand.NewPCG(5, 6))
		for _, v := range g.Inputs {
			feed[v.Name] = tensor.New(v.DType, v.Shape...)
			if v.DType == tensor.Float32 {
				for i := range feed[v.Name].Float32() {
					feed[v.Name].Float32()[i] = float32(r.NormFloat64())
				}
			}
		}
		for i, x := range e.in {
			if x.DType() != tensor.Int64 {
				feed[fmt.Sprint("x", i)] = x
			}
		}
		want, got := run(t, compile(t, dg), feed), run(t, compile(t, plain), feed)
		for _, name := range wrt {
			a, b := want[names[name]].Float32(), got[names[name]].Float32()
			for i := range a {
				if d := math.Abs(float64(a[i] - b[i])); !(d <= 2e-6*(1+math.Abs(float64(a[i])))) {
					t.Errorf("%v: derivative by %s[%d] is %v, in standard form %v", e, name, i, a[i], b[i])
				}
			}
		}
	}
	for _, op := range graph.Operators() {
		if strings.HasSuffix(op, "Grad") && !forms[op] {
			t.Errorf("no example has %s", op)
		}
	}
}
