package graph

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
)

// classifier is a small valid graph with inputs, initializers and attributes of several kinds.
func classifier(t testing.TB) *Graph {
	t.Helper()
	b := NewBuilder("classifier")
	x := b.Input("x", tensor.Float32, 4, 6)
	labels := b.Input("labels", tensor.Int64, 4)
	w := b.Initializer("w", tensor.New(tensor.Float32, 6, 3))
	h := b.Op("Relu", nil, b.Op("Add", nil, b.Op("MatMul", nil, x, w), b.Float(0.5)))
	h = b.Op("Gemm", Attrs{"alpha": float32(0.5), "transB": 1}, h, b.Initializer("v", tensor.New(tensor.Float32, 5, 3)))
	loss := b.OpN("SoftmaxCrossEntropyLoss", 2, Attrs{"reduction": "sum"}, h, labels)
	b.Output("loss", loss[0])
	b.Output("mean", b.Op("ReduceMean", Attrs{"keepdims": 0}, b.Op("Transpose", Attrs{"perm": []int{1, 0}}, h), b.Ints(-1)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestShapes checks the inferred type of one node for each rule of the operators' shapes.
func TestShapes(t *testing.T) {
	f := func(shape ...int) *tensor.Tensor { return tensor.New(tensor.Float32, shape...) }
	u8 := func(shape ...int) *tensor.Tensor { return tensor.New(tensor.Uint8, shape...) }
	i8 := func(shape ...int) *tensor.Tensor { return tensor.New(tensor.Int8, shape...) }
	i64 := func(v ...int64) *tensor.Tensor { return tensor.FromInt64(v, len(v)) }
	in := func(t ...*tensor.Tensor) []*tensor.Tensor { return t }
	for _, c := range []struct {
		op    string
		attrs Attrs
		in    []*tensor.Tensor
		want  []int  // nil: an error is wanted
		err   string // part of its text
	}{
		{"Add", nil, in(f(2, 1, 3), f(4, 1)), []int{2, 4, 3}, ""},
		{"Add", nil, in(f(2, 3), f(2)), nil, "does not broadcast"},
		{"Add", nil, in(f(2), i64(1, 2)), nil, "element type int64"},
		{"Sqrt", nil, in(i64(1)), nil, "element type int64"},
		{"Max", nil, in(f(3), f(2, 1), f()), []int{2, 3}, ""},
		{"Where", nil, in(tensor.New(tensor.Bool, 3, 1), f(2), f()), []int{3, 2}, ""},
		{"Where", nil, in(f(2), f(2), f(2)), nil, "want one of [bool]"},
		{"Cast", Attrs{"to": 7}, in(f(2)), []int{2}, ""},
		{"Cast", Attrs{"to": 11}, in(f(2)), nil, "unsupported element type 11"},
		{"Cast", nil, in(f(2)), nil, `"to" is missing`},
		{"Gelu", Attrs{"approximate": "tanh"}, in(f(2)), nil, "approximate"},
		{"MatMul", nil, in(f(5, 1, 2, 3), f(4, 3, 7)), []int{5, 4, 2, 7}, ""},
		{"MatMul", nil, in(f(3), f(4, 3, 7)), []int{4, 7}, ""},
		{"MatMul", nil, in(f(2, 3), f(3)), []int{2}, ""},
		{"MatMul", nil, in(f(3), f(3)), []int{}, ""},
		{"MatMul", nil, in(f(2, 3), f(2, 3)), nil, "inner dimensions 2 and 3 differ"},
		{"MatMul", nil, in(f(2, 2, 3), f(4, 3, 3)), nil, "leading axes"},
		{"MatMul", nil, in(f(), f(3)), nil, "is a scalar"},
		{"Gemm", Attrs{"transA": 1, "transB": 1}, in(f(3, 2), f(4, 3), f(4)), []int{2, 4}, ""},
		{"Gemm", nil, in(f(2, 3), f(3, 4), f(3)), nil, "does not broadcast to"},
		{"Transpose", nil, in(f(2, 3, 4)), []int{4, 3, 2}, ""},
		{"Transpose", Attrs{"perm": []int{0, 2, 2}}, in(f(2, 3, 4)), nil, "not a permutation"},
		{"Transpose", Attrs{"perm": []int{0}}, in(f(2, 3)), nil, "not a permutation"},
		{"Reshape", nil, in(f(2, 6), i64(0, -1, 3)), []int{2, 2, 3}, ""},
		{"Reshape", nil, in(f(2, 6), i64(5, -1)), nil, "is no shape for"},
		{"Reshape", nil, in(f(2, 6), i64(-1, -1)), nil, "is no shape for"},
		{"Reshape", nil, in(f(2, 6), i64(1<<62, 4)), nil, "is no shape for"},
		{"Squeeze", nil, in(f(1, 2, 1), i64(-1)), []int{1, 2}, ""},
		{"Squeeze", nil, in(f(1, 2, 1)), []int{2}, ""},
		{"Squeeze", nil, in(f(1, 2), i64(1)), nil, "want 1"},
		{"Unsqueeze", nil, in(f(2, 3), i64(0, -1)), []int{1, 2, 3, 1}, ""},
		{"Unsqueeze", nil, in(f(2, 3), i64(0, -4)), nil, "name one twice"},
		{"Expand", nil, in(f(3, 1), i64(2, 1, 4)), []int{2, 3, 4}, ""},
		{"Expand", nil, in(f(1), i64(1<<40)), nil, "more than"},
		{"Concat", Attrs{"axis": -1}, in(f(2, 3), f(2, 4)), []int{2, 7}, ""},
		{"Concat", Attrs{"axis": 0}, in(f(2, 3), f(2, 4)), nil, "outside axis 0"},
		{"Concat", Attrs{"axis": 2}, in(f(2, 3)), nil, "outside a tensor of rank 2"},
		{"Slice", nil, in(f(10, 5), i64(-9, 9), i64(100, -100), i64(0, 1), i64(2, -2)), []int{5, 3}, ""},
		{"Slice", nil, in(f(10), i64(5), i64(5)), nil, "is empty"},
		{"Slice", nil, in(f(10), i64(9), i64(-100), i64(0), i64(-1<<63)), []int{1}, ""},
		{"Slice", nil, in(f(10), i64(1, 2), i64(5)), nil, "differ in length"},
		{"Split", Attrs{"axis": 1}, in(f(2, 5), i64(5)), []int{2, 5}, ""},
		{"Split", nil, in(f(2, 5)), nil, "must be given"},
		{"Split", Attrs{"num_outputs": 2}, in(f(2, 5)), nil, "1 outputs"},
		{"Gather", nil, in(f(7, 4), i64(1, 2, 3)), []int{3, 4}, ""},
		{"Gather", Attrs{"axis": 1}, in(f(7, 4), i64(1)), nil, "only 0"},
		{"GatherND", nil, in(f(7, 4), tensor.New(tensor.Int64, 5, 2)), []int{5}, ""},
		{"GatherND", nil, in(f(7), tensor.New(tensor.Int64, 5, 2)), nil, "names 2 axes"},
		{"ScatterND", Attrs{"reduction": "add"}, in(f(7, 4), tensor.New(tensor.Int64, 5, 1), f(5, 4)), []int{7, 4}, ""},
		{"ScatterND", nil, in(tensor.New(tensor.Bool, 7, 4), tensor.New(tensor.Int64, 5, 1), tensor.New(tensor.Bool, 5, 4)), []int{7, 4}, ""},
		{"ScatterND", Attrs{"reduction": "mean"}, in(f(7, 4), tensor.New(tensor.Int64, 5, 1), f(5, 4)), nil, "unknown reduction"},
		{"ScatterND", Attrs{"reduction": "max"}, in(tensor.New(tensor.Int64, 7), tensor.New(tensor.Int64, 5, 1), tensor.New(tensor.Int64, 5)), nil, "want one of [float32]"},
		{"Add", nil, in(tensor.New(tensor.Int64, 7), f(7)), nil, "want one of [int64]"},
		{"Add", nil, in(tensor.New(tensor.Bool, 7), tensor.New(tensor.Bool, 7)), nil, "want one of [float32 int64]"},
		{"ScatterND", Attrs{"reduction": "add"}, in(f(7, 4), tensor.New(tensor.Int64, 5, 1), f(4, 4)), nil, "want [5 4]"},
		{"ReduceSum", nil, in(f(2, 3, 4), i64(-1, 0)), []int{1, 3, 1}, ""},
		{"ReduceSum", Attrs{"keepdims": 0}, in(f(2, 3)), []int{}, ""},
		{"ReduceSum", Attrs{"noop_with_empty_axes": 1}, in(f(2, 3)), []int{2, 3}, ""},
		{"ReduceMax", nil, in(f(2, 3), i64(2)), nil, "outside"},
		{"Softmax", nil, in(f(2, 3)), []int{2, 3}, ""},
		{"Softmax", nil, in(f()), nil, "outside"},
		{"LayerNormalization", Attrs{"axis": 1}, in(f(2, 3, 4), f(3, 4), f(3, 4)), []int{2, 3, 4}, ""},
		{"LayerNormalization", nil, in(f(2, 3, 4), f(3)), nil, "want [4]"},
		{"RMSNormalization", nil, in(f(2, 4), f(4)), []int{2, 4}, ""},
		{"Attention", nil, in(f(2, 4, 5, 8), f(2, 2, 6, 8), f(2, 2, 6, 3)), []int{2, 4, 5, 3}, ""},
		{"Attention", nil, in(f(2, 4, 5, 8), f(2, 3, 6, 8), f(2, 3, 6, 8)), nil, "does not fit"},
		{"SoftmaxCrossEntropyLoss", nil, in(f(2, 3), i64(1, 2)), []int{}, ""},
		{"SoftmaxCrossEntropyLoss", Attrs{"reduction": "none"}, in(f(2, 3), i64(1, 2)), []int{2}, ""},
		{"SoftmaxCrossEntropyLoss", nil, in(f(2, 3), i64(1)), nil, "want [2]"},
		{"GeluGrad", nil, in(f(2), f(2)), []int{2}, ""},
		{"SliceGrad", Attrs{"shape": []int{4, 5}}, in(f(4, 2), i64(1), i64(3), i64(1)), []int{4, 5}, ""},
		{"SliceGrad", Attrs{"shape": []int{4, 5}}, in(f(4, 3), i64(1), i64(3), i64(1)), nil, "want [4 2]"},
		{"SoftmaxCrossEntropyLossGrad", nil, in(f(), f(2, 3), i64(0, 1)), []int{2, 3}, ""},
		{"Conv", Attrs{"group": 2, "strides": []int{2, 1}, "pads": []int{1, 0, 1, 0}, "dilations": []int{1, 2}}, in(f(2, 6, 7, 9), f(4, 3, 3, 3), f(4)), []int{2, 4, 4, 5}, ""},
		{"Conv", nil, in(f(2, 6, 7), f(4, 3, 3)), nil, "does not fit"},
		{"ConvInteger", Attrs{"group": 2}, in(u8(2, 6, 7), i8(4, 3, 3), u8(), i8(4)), []int{2, 4, 5}, ""},
		{"ConvInteger", nil, in(u8(2, 6, 7), i8(4, 3, 3)), nil, "does not fit"},
		{"ConvInteger", nil, in(u8(2, 3, 7), i8(4, 3, 3), u8(3)), nil, "want []"},
		{"MatMulInteger", nil, in(i8(5, 2, 6), u8(6, 4), i8(), u8(4)), []int{5, 2, 4}, ""},
		{"MatMulInteger", nil, in(u8(2, 6), u8(5, 4)), nil, "cannot follow"},
		{"MatMulInteger", nil, in(u8(2, 6), u8(6, 4), i8()), nil, "want one of [uint8]"},
		{"MatMulInteger", nil, in(u8(1, 1<<17), u8(1<<17, 1)), nil, "more than 131071 rows"},
		{"QuantizeLinear", nil, in(f(2, 3), f(3), u8(3)), []int{2, 3}, ""},
		{"QuantizeLinear", Attrs{"axis": 0}, in(f(2, 3), f(3), u8(3)), nil, "want [2]"},
		{"QuantizeLinear", nil, in(f(2, 3), f(), f()), nil, "want one of [uint8 int8]"},
		{"Conv", Attrs{"group": 4}, in(f(2, 6, 7), f(4, 3, 3)), nil, "does not fit"},
		{"Conv", nil, in(f(2, 3, 7), f(4, 3, 3), f(3)), nil, "want [4]"},
		{"Conv", nil, in(f(2, 3), f(4, 3)), nil, "spatial axes"},
		{"Conv", Attrs{"pads": []int{1, -1}}, in(f(2, 3, 7), f(4, 3, 3)), nil, `"pads" holds -1`},
		{"Conv", Attrs{"pads": []int{1}}, in(f(2, 3, 7), f(4, 3, 3)), nil, "1 entries, want 2"},
		{"Conv", Attrs{"strides": []int{0}}, in(f(2, 3, 7), f(4, 3, 3)), nil, `"strides" holds 0`},
		{"Conv", Attrs{"dilations": []int{4}}, in(f(2, 3, 7), f(4, 3, 3)), nil, "3 places 4 apart along axis 2"},
		{"Conv", Attrs{"pads": []int{1 << 28, 1 << 28}}, in(f(2, 3, 7), f(4, 3, 3)), nil, "more than"},
		{"MaxPool", Attrs{"kernel_shape": []int{2, 2, 2}, "strides": []int{2, 2, 2}}, in(f(1, 3, 5, 4, 4)), []int{1, 3, 2, 2, 2}, ""},
		{"MaxPool", nil, in(f(1, 3, 5)), nil, `"kernel_shape" is missing`},
		{"AveragePool", Attrs{"kernel_shape": []int{2}, "count_include_pad": 1, "pads": []int{1, 1}}, in(f(1, 3, 5)), []int{1, 3, 6}, ""},
		{"AveragePool", Attrs{"kernel_shape": []int{2, 2}}, in(f(1, 3, 5)), nil, "a window of [2 2]"},
		{"AveragePool", Attrs{"kernel_shape": []int{0}}, in(f(1, 3, 5)), nil, "a window of [0]"},
		{"AveragePool", Attrs{"kernel_shape": []int{2}}, in(tensor.New(tensor.Int64, 1, 3, 5)), nil, "element type int64"},
		{"Nonsense", nil, in(f(2)), nil, `unknown operator "Nonsense"`},
		{"Neg", Attrs{"axis": 1}, in(f(2)), nil, `unknown attribute "axis"`},
		{"Neg", nil, in(f(2), f(2)), nil, "2 inputs, want 1"},
		{"Softmax", Attrs{"axis": "last"}, in(f(2)), nil, "is string, want int"},
	} {
		b := NewBuilder("one")
		var refs []Ref
		for i, x := range c.in {
			refs = append(refs, b.Initializer(string(rune('a'+i)), x))
		}
		out := b.Op(c.op, c.attrs, refs...)
		err := b.Err()
		switch {
		case c.want == nil && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s %v: error %v, want one with %q", c.op, c.attrs, err, c.err)
		case c.want != nil && err != nil:
			t.Errorf("%s %v: %v", c.op, c.attrs, err)
		case c.want != nil && !reflect.DeepEqual(b.Shape(out), c.want):
			t.Errorf("%s %v: shape %v, want %v", c.op, c.attrs, b.Shape(out), c.want)
		}
	}
}

// TestInvalid breaks a valid graph in one way each and looks for the reason in the error.
func TestInvalid(t *testing.T) {
	for name, c := range map[string]struct {
		break_ func(*Graph)
		want   string
	}{
		"opset":            {func(g *Graph) { g.Opset = 22 }, "operator set 22"},
		"unknown input":    {func(g *Graph) { g.Nodes[2].Inputs[0] = "nowhere" }, `node "Relu_0" (Relu): input 0 "nowhere" is unknown`},
		"cycle":            {func(g *Graph) { g.Nodes[0].Inputs[0] = "Relu_0" }, `produced only by node "Relu_0"`},
		"own output":       {func(g *Graph) { g.Nodes[2].Inputs[0] = "Relu_0" }, "cycle"},
		"value twice":      {func(g *Graph) { g.Nodes[2].Outputs[0] = "x" }, "defined twice"},
		"node twice":       {func(g *Graph) { g.Nodes[2].Name = "Add_0" }, "node name is used twice"},
		"no node name":     {func(g *Graph) { g.Nodes[2].Name = "" }, "node name of 0 bytes"},
		"domain":           {func(g *Graph) { g.Nodes[2].Domain = "x" }, `unknown operator "Relu" in domain "x"`},
		"missing input":    {func(g *Graph) { g.Nodes[0].Inputs[1] = "" }, "input 1 is missing"},
		"output type":      {func(g *Graph) { g.Outputs[0].Shape = []int{2} }, "is declared"},
		"output unknown":   {func(g *Graph) { g.Outputs[0].Name = "z" }, "is not a value"},
		"output twice":     {func(g *Graph) { g.Outputs[1] = g.Outputs[0] }, "listed twice"},
		"zero dimension":   {func(g *Graph) { g.Inputs[0].Shape = []int{0, 6} }, "dimension 0"},
		"huge":             {func(g *Graph) { g.Inputs[0].Shape = []int{1 << 31, 1 << 31} }, "more than"},
		"rank":             {func(g *Graph) { g.Inputs[0].Shape = []int{1, 1, 1, 1, 1, 1, 1, 1, 1} }, "9 axes"},
		"dtype":            {func(g *Graph) { g.Inputs[0].DType = 0 }, "unknown element type"},
		"attribute order":  {func(g *Graph) { a := g.Nodes[3].Attrs; a[0], a[1] = a[1], a[0] }, "not in order"},
		"no tensor":        {func(g *Graph) { g.Initializers[0].Tensor = nil }, "has no tensor"},
		"dynamic shape":    {func(g *Graph) { g.Nodes[6].Inputs[1] = "labels" }, "must be an initializer"},
		"no outputs":       {func(g *Graph) { g.Nodes[2].Outputs = nil }, "0 outputs, want 1"},
		"initializer name": {func(g *Graph) { g.Initializers[0].Name = "x" }, "defined twice"},
	} {
		g := classifier(t)
		if _, err := Infer(g); err != nil {
			t.Fatal(err)
		}
		if name == "dynamic shape" {
			for i := range g.Nodes {
				if g.Nodes[i].Op == "ReduceMean" {
					g.Nodes[6], g.Nodes[i] = g.Nodes[i], g.Nodes[6]
				}
			}
			g.Nodes[6].Inputs[0] = "Gemm_0"
		}
		c.break_(g)
		if _, err := Infer(g); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestBuilderKeepsFirstMistake(t *testing.T) {
	b := NewBuilder("bad")
	x := b.Input("x", tensor.Float32, 2)
	y := b.Op("Softmax", Attrs{"axis": 5}, x)
	b.Output("y", b.Op("Add", nil, x, y))
	if _, err := b.Graph(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "axis 5") {
		t.Errorf("error %v, want one about axis 5", err)
	}
	if y != None {
		t.Errorf("a mistaken node has output %q", y)
	}
	b = NewBuilder("missing")
	b.Op("Neg", nil, None)
	if b.Err() == nil {
		t.Error("a required input was left out without an error")
	}
	b = NewBuilder("kind")
	b.Op("Softmax", Attrs{"axis": 1.5}, b.Input("x", tensor.Float32, 2))
	if err := b.Err(); err == nil || !strings.Contains(err.Error(), "float64") {
		t.Errorf("error %v, want one about float64", err)
	}
}

func TestExtend(t *testing.T) {
	g := classifier(t)
	before := string(Encode(g))
	b := Extend(g)
	b.Output("double", b.Op("Add", nil, "loss", "loss"))
	h, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if string(Encode(g)) != before {
		t.Error("extending changed the original")
	}
	if len(h.Outputs) != len(g.Outputs)+1 {
		t.Errorf("%d outputs, want one more than %d", len(h.Outputs), len(g.Outputs))
	}
}

func TestMACs(t *testing.T) {
	macs := func(build func(b *Builder)) uint64 {
		b := NewBuilder("cost")
		build(b)
		g, err := b.Graph()
		if err != nil {
			t.Fatal(err)
		}
		n, err := MACs(g)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	f := func(b *Builder, name string, shape ...int) Ref { return b.Input(name, tensor.Float32, shape...) }
	for name, c := range map[string]struct {
		build func(b *Builder)
		want  uint64
	}{
		"MatMul": {func(b *Builder) { b.Op("MatMul", nil, f(b, "a", 5, 1, 2, 3), f(b, "b", 4, 3, 7)) }, 5 * 4 * 2 * 3 * 7},
		"vector": {func(b *Builder) { b.Op("MatMul", nil, f(b, "a", 2, 3), f(b, "b", 3)) }, 6},
		"Gemm":   {func(b *Builder) { b.Op("Gemm", Attrs{"transA": 1}, f(b, "a", 3, 2), f(b, "b", 3, 7)) }, 2 * 3 * 7},
		"Attention": {func(b *Builder) {
			b.Op("Attention", Attrs{"is_causal": 1}, f(b, "q", 2, 4, 5, 8), f(b, "k", 2, 2, 3, 8), f(b, "v", 2, 2, 3, 6))
		}, 2 * 4 * (1 + 2 + 3 + 3 + 3) * (8 + 6 + 16)},
		"bias":    {func(b *Builder) { b.Op("Add", nil, f(b, "a", 2, 3), f(b, "b", 3)) }, 6},
		"Exp":     {func(b *Builder) { b.Op("Exp", nil, f(b, "a", 2, 3)) }, 96},
		"Reshape": {func(b *Builder) { b.Op("Reshape", nil, f(b, "a", 2, 3), b.Ints(6)) }, 0},
	} {
		if got := macs(c.build); got != c.want {
			t.Errorf("%s: %d multiply-accumulates, want %d", name, got, c.want)
		}
	}
}

// TestUndo takes back a mistake and what led to it, and goes on.
func TestUndo(t *testing.T) {
	b := NewBuilder("undo")
	x := b.Input("x", tensor.Float32, 2, 3)
	kept := b.Op("Mul", nil, x, b.Float(2))
	before := b.Mark()
	flat := b.Op("Reshape", nil, kept, b.Ints(6))
	b.Op("Add", nil, flat, b.Float(3))
	b.Op("MatMul", nil, flat, kept)
	if b.Err() == nil {
		t.Fatal("a product of [6] and [2 3] is accepted")
	}
	b.Undo(before)
	if b.Err() != nil || b.Value(flat).Shape != nil || b.Value(kept).Shape == nil {
		t.Fatalf("error %v, undone %v, kept %v", b.Err(), b.Value(flat), b.Value(kept))
	}
	b.Output("y", b.Op("Reshape", nil, kept, b.Ints(6)))
	b.Output("z", b.Op("Add", nil, kept, b.Float(3)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(Encode(g)); err != nil || len(g.Nodes) != 5 || len(g.Initializers) != 3 {
		t.Errorf("%v: %d nodes, %d initializers", err, len(g.Nodes), len(g.Initializers))
	}
}
