package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// sketch is a graph of a test's file. Names of inputs and outputs are "name" or "name type dims", as "x float32 2 3".
type sketch struct {
	inputs, outputs []string
	nodes           []sketchNode
	constants       []tensor.Named
}

type sketchNode struct {
	op, in, out string // names separated by blanks; "_" leaves an input out
	attrs       []any  // name, value, name, value, …
	domain      string
}

func blanks(s string) []string {
	list := strings.Fields(s)
	for i := range list {
		if list[i] == "_" {
			list[i] = ""
		}
	}
	return list
}

func (s sketch) bytes() []byte {
	var w writer
	for i, n := range s.nodes {
		w.bytes(1, n.bytes(fmt.Sprintf("%s %d", n.op, i)))
	}
	w.text(2, "sketch")
	for _, t := range s.constants {
		w.bytes(5, WriteTensor(t))
	}
	for field, list := range [][]string{s.inputs, s.outputs} {
		for _, p := range list {
			w.bytes(11+field, sketchPort(p))
		}
	}
	return w
}

func sketchPort(s string) []byte {
	var w writer
	words := strings.Fields(s)
	if len(words) < 2 {
		w.text(1, s)
		return w
	}
	v := graph.Value{Name: words[0]}
	for _, dt := range []tensor.DType{tensor.Float32, tensor.Int64, tensor.Bool} {
		if dt.String() == words[1] {
			v.DType = dt
		}
	}
	for _, d := range words[2:] {
		n := 0
		fmt.Sscan(d, &n)
		v.Shape = append(v.Shape, n)
	}
	return saveValue(v)
}

func (n sketchNode) bytes(name string) []byte {
	w := writer(saveNode(&graph.Node{Op: n.op, Domain: n.domain, Name: name, Inputs: blanks(n.in), Outputs: blanks(n.out)}))
	for i := 0; i+1 < len(n.attrs); i += 2 {
		var a writer
		a.text(1, n.attrs[i].(string))
		switch v := n.attrs[i+1].(type) {
		case int:
			a.number(3, int64(v))
			a.number(20, kindInt)
		case string:
			a.text(4, v)
			a.number(20, kindString)
		case []int:
			for _, e := range v {
				a.number(8, int64(e))
			}
			a.number(20, kindInts)
		case []float32:
			for _, e := range v {
				a.float(7, e)
			}
			a.number(20, kindFloats)
		case []string:
			for _, e := range v {
				a.text(9, e)
			}
			a.number(20, kindStrings)
		case *tensor.Tensor:
			a.bytes(5, WriteTensor(tensor.Named{Tensor: v}))
			a.number(20, kindTensor)
		case sketch:
			a.bytes(6, v.bytes())
			a.number(20, kindGraph)
		case reference:
			a.text(21, string(v))
			a.number(20, kindInt)
		default:
			panic(fmt.Sprintf("attribute of %T", v))
		}
		w.bytes(5, a)
	}
	return w
}

// reference is an attribute that has the value of one of the enclosing function.
type reference string

// function is a function of domain "f".
func (s sketch) function(name string) []byte {
	var w writer
	w.text(1, name)
	for _, in := range s.inputs {
		w.text(4, in)
	}
	for _, out := range s.outputs {
		w.text(5, out)
	}
	for i, n := range s.nodes {
		w.bytes(7, n.bytes(fmt.Sprint(i)))
	}
	w.bytes(9, saveOpset("", 17))
	w.text(10, "f")
	return w
}

// file is a model of operator set 17.
func (s sketch) file(functions ...[]byte) []byte {
	var w writer
	w.number(1, 8)
	w.bytes(7, s.bytes())
	w.bytes(8, saveOpset("", 17))
	w.bytes(8, saveOpset("f", 1))
	for _, f := range functions {
		w.bytes(25, f)
	}
	return w
}

func (s sketch) model(t testing.TB, functions ...[]byte) *Model {
	t.Helper()
	m, err := Load(s.file(functions...))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ints(v ...int64) *tensor.Tensor { return tensor.FromInt64(v, len(v)) }

// powers is a Loop that makes x, 2x, 4x, … and adds them to a bias of the outer graph, as many times as "trips" says.
func powers() sketch {
	body := sketch{
		inputs: []string{"i", "going", "state"}, outputs: []string{"on", "next", "row"},
		nodes: []sketchNode{
			{op: "Identity", in: "going", out: "on"}, {op: "Add", in: "state state", out: "next"},
			{op: "Cast", in: "i", out: "step", attrs: []any{"to", 1}}, {op: "Mul", in: "state step", out: "scaled"}, {op: "Add", in: "scaled bias", out: "row"},
		},
	}
	return sketch{
		inputs: []string{"x float32 3"}, outputs: []string{"last", "rows"},
		nodes:     []sketchNode{{op: "Loop", in: "trips _ x", out: "last rows", attrs: []any{"body", body}}},
		constants: []tensor.Named{{Name: "trips", Tensor: ints(4)}, {Name: "bias", Tensor: tensor.FromFloat32([]float32{0.5, 0, -1}, 3)}},
	}
}

// prefixes is a Scan over the columns of a matrix, backwards, with a running sum.
func prefixes() sketch {
	body := sketch{
		inputs: []string{"sum", "column"}, outputs: []string{"next", "row"},
		nodes: []sketchNode{{op: "Add", in: "sum column", out: "next"}, {op: "Identity", in: "next", out: "row"}},
	}
	return sketch{
		inputs: []string{"x float32 2 3"}, outputs: []string{"total", "sums"},
		nodes: []sketchNode{{op: "Scan", in: "zero x", out: "total sums", attrs: []any{"body", body, "num_scan_inputs", 1,
			"scan_input_axes", []int{1}, "scan_input_directions", []int{1}, "scan_output_axes", []int{-1}}}},
		constants: []tensor.Named{{Name: "zero", Tensor: tensor.FromFloat32([]float32{0, 0}, 2)}},
	}
}

// TestUnroll writes control flow that is known beforehand as plain nodes.
func TestUnroll(t *testing.T) {
	branch := func(op string) sketch {
		return sketch{outputs: []string{"r"}, nodes: []sketchNode{{op: op, in: "x", out: "r"}}}
	}
	choose := sketch{
		inputs: []string{"x float32 2"}, outputs: []string{"y"},
		nodes:     []sketchNode{{op: "If", in: "c", out: "y", attrs: []any{"then_branch", branch("Neg"), "else_branch", branch("Abs")}}},
		constants: []tensor.Named{{Name: "c", Tensor: tensor.FromBool([]bool{true}, 1)}},
	}
	for name, c := range map[string]struct {
		model sketch
		x     *tensor.Tensor
		want  map[string][]float32
		shape map[string][]int
	}{
		"If":   {choose, tensor.FromFloat32([]float32{1, -2}, 2), map[string][]float32{"y": {-1, 2}}, map[string][]int{"y": {2}}},
		"Loop": {powers(), tensor.FromFloat32([]float32{1, 2, 3}, 3), map[string][]float32{"last": {16, 32, 48}, "rows": {0.5, 0, -1, 2.5, 4, 5, 8.5, 16, 23, 24.5, 48, 71}}, map[string][]int{"rows": {4, 3}}},
		"Scan": {prefixes(), tensor.FromFloat32([]float32{1, 2, 4, 8, 16, 32}, 2, 3), map[string][]float32{"total": {7, 56}, "sums": {4, 6, 7, 32, 48, 56}}, map[string][]int{"sums": {2, 3}}},
	} {
		g, err := c.model.model(t).Specialise(nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for out, y := range compute(t, g, map[string]*tensor.Tensor{"x": c.x}) {
			if !slices.Equal(y.Float32(), c.want[out]) || c.shape[out] != nil && !slices.Equal(y.Shape(), c.shape[out]) {
				t.Errorf("%s: %s is %v%v, want %v%v", name, out, y.Shape(), y.Float32(), c.shape[out], c.want[out])
			}
		}
	}
}

// TestUnrollBounds refuses what only a run decides and what is too long to write out.
func TestUnrollBounds(t *testing.T) {
	decided := powers()
	decided.inputs, decided.constants = append(decided.inputs, "trips int64 1"), decided.constants[1:]
	long := powers()
	long.constants[0].Tensor = ints(1 << 19)
	endless := powers()
	endless.constants[0].Tensor = ints(1<<63 - 1)
	for want, s := range map[string]sketch{`input 0 "trips" decides`: decided, "524288 iterations of 6 nodes": long, "too many to write out": endless} {
		if _, err := s.model(t).Specialise(nil); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestFunctions replaces calls of functions that the file defines.
func TestFunctions(t *testing.T) {
	// twice(x) = scale·x + scale·x, where the scale is an attribute of the call; the inner function sees names of its own.
	scale := sketch{inputs: []string{"x"}, outputs: []string{"y"}, nodes: []sketchNode{
		{op: "Constant", out: "k", attrs: []any{"value_int", reference("by")}}, {op: "Cast", in: "k", out: "t", attrs: []any{"to", 1}}, {op: "Mul", in: "x t", out: "y"}}}
	twice := sketch{inputs: []string{"x"}, outputs: []string{"y"}, nodes: []sketchNode{
		{op: "scale", domain: "f", in: "x", out: "t", attrs: []any{"by", reference("scale")}}, {op: "Add", in: "t t", out: "y"}}}
	s := sketch{inputs: []string{"x float32 2"}, outputs: []string{"y"}, nodes: []sketchNode{
		{op: "twice", domain: "f", in: "x", out: "a", attrs: []any{"scale", 3}}, {op: "twice", domain: "f", in: "a", out: "y", attrs: []any{"scale", 5}}}}
	g, err := s.model(t, scale.function("scale"), twice.function("twice")).Specialise(nil)
	if err != nil {
		t.Fatal(err)
	}
	y := compute(t, g, map[string]*tensor.Tensor{"x": tensor.FromFloat32([]float32{1, -2}, 2)})["y"]
	if want := []float32{60, -120}; !slices.Equal(y.Float32(), want) {
		t.Errorf("%v, want %v", y.Float32(), want)
	}
	again := sketch{inputs: []string{"x"}, outputs: []string{"y"}, nodes: []sketchNode{{op: "twice", domain: "f", in: "x", out: "y"}}}
	if _, err := Load(s.file(again.function("twice"))); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "calls itself") {
		t.Errorf("error %v", err)
	}
	// Thirty functions, each of which calls the one before twice.
	var chain [][]byte
	for i := range 30 {
		inner := fmt.Sprint("f", i)
		f := sketch{inputs: []string{"x"}, outputs: []string{"y"}, nodes: []sketchNode{{op: inner, domain: "f", in: "x", out: "t"}, {op: inner, domain: "f", in: "t", out: "y"}}}
		chain = append(chain, f.function(fmt.Sprint("f", i+1)))
	}
	chain = append(chain, sketch{inputs: []string{"x"}, outputs: []string{"y"}, nodes: []sketchNode{{op: "Neg", in: "x", out: "y"}}}.function("f0"))
	top := sketch{inputs: []string{"x float32 2"}, outputs: []string{"y"}, nodes: []sketchNode{{op: "f30", domain: "f", in: "x", out: "y"}}}
	if _, err := Load(top.file(chain...)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "more than 65536 nodes") {
		t.Errorf("error %v", err)
	}
}

// TestDepth refuses graphs that lie too deep in one another.
func TestDepth(t *testing.T) {
	inner := sketch{outputs: []string{"y"}, nodes: []sketchNode{{op: "Neg", in: "x", out: "y"}}}
	for range 40 {
		inner = sketch{outputs: []string{"y"}, nodes: []sketchNode{{op: "If", in: "c", out: "y", attrs: []any{"then_branch", inner, "else_branch", inner.nodes[0].op}}}}
	}
	if _, err := Load(inner.file()); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "levels deep") {
		t.Errorf("error %v", err)
	}
}

// TestOldForms reads a PRelu with a slope for each channel and a Gemm whose bias broadcasts, as operator set 6 has them.
func TestOldForms(t *testing.T) {
	for op, c := range map[string]struct {
		attrs []graph.Attr
		shape []int
		rest  []tensor.Named
		want  []float32
	}{
		"PRelu": {nil, []int{1, 2, 2}, []tensor.Named{{Name: "w", Tensor: tensor.FromFloat32([]float32{2, 3}, 2)}}, []float32{-2, 1, -3, 1}},
		"Gemm": {[]graph.Attr{{Name: "broadcast", Kind: graph.KindInt, Int: 1}}, []int{2, 2},
			[]tensor.Named{{Name: "w", Tensor: tensor.FromFloat32([]float32{1, 0, 0, 1}, 2, 2)}, {Name: "c", Tensor: tensor.FromFloat32([]float32{5, 7}, 2)}}, []float32{4, 8, 4, 8}},
	} {
		names := []string{"x"}
		for _, w := range c.rest {
			names = append(names, w.Name)
		}
		x := graph.Value{Name: "x", DType: tensor.Float32, Shape: c.shape}
		m, err := Load(file(6, nodeOf(op, c.attrs, names...), []graph.Value{x}, "y", c.rest...))
		if err != nil {
			t.Fatal(err)
		}
		g, err := m.Specialise(nil)
		if err != nil {
			t.Errorf("%s: %v", op, err)
			continue
		}
		if y := compute(t, g, map[string]*tensor.Tensor{"x": tensor.FromFloat32([]float32{-1, 1, -1, 1}, c.shape...)})["y"]; !slices.Equal(y.Float32(), c.want) {
			t.Errorf("%s: %v, want %v", op, y.Float32(), c.want)
		}
	}
}
