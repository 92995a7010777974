package onnx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// example is a graph with most forms of operators that need care when they are read again: constants that decide shapes, optional
// inputs, several outputs, an output that is an input, integers.
func example(t testing.TB) *graph.Graph {
	b := graph.NewBuilder("example")
	x := b.Input("x", tensor.Float32, 2, 3, 4)
	w := b.Initializer("w", tensor.FromFloat32([]float32{1, -2, 0.5, 3, float32(math.NaN()), 1e-40, 7, 8}, 4, 2))
	y := b.Op("MatMul", nil, x, w)
	parts := b.OpN("Split", 2, graph.Attrs{"axis": -1, "num_outputs": 2}, y)
	s := b.Op("Slice", nil, parts[0], b.Ints(0), b.Ints(3), b.Ints(1), b.Ints(2))
	m := b.Op("ReduceMean", graph.Attrs{"keepdims": 0}, s, b.Ints(0, 2))
	n := b.Op("LayerNormalization", nil, x, b.Op("ReduceSum", graph.Attrs{"keepdims": 0}, w, b.Ints(1)))
	b.Output("mean", m)
	b.Output("flat", b.Op("Softmax", nil, b.Op("Reshape", nil, parts[1], b.Ints(-1))))
	b.Output("norm", n)
	b.Output("index", b.Op("Cast", graph.Attrs{"to": 7}, m))
	b.Output("copy", x)
	b.Output("gelu", b.Op("GeluGrad", nil, x, x))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func compute(t testing.TB, g *graph.Graph, in map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	p, err := exec.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRoundTrip writes a graph, reads it again and compares every bit of every output.
func TestRoundTrip(t *testing.T) {
	g := example(t)
	file, err := Save(g)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Specialise(nil)
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(tensor.Float32, 2, 3, 4)
	for i := range x.Float32() {
		x.Float32()[i] = float32(i%7)*0.37 - 1
	}
	in := map[string]*tensor.Tensor{"x": x}
	want, got := compute(t, g, in), compute(t, again, in)
	if len(want) != len(got) {
		t.Fatalf("%d outputs, want %d", len(got), len(want))
	}
	for name, w := range want {
		if h := got[name]; h == nil || !slices.Equal(h.Shape(), w.Shape()) || string(h.Bytes()) != string(w.Bytes()) {
			t.Errorf("output %q is %v, want %v", name, h, w)
		}
	}
}

// Metadata is kept and changes nothing else of the file.
func TestMetadata(t *testing.T) {
	want := map[string]string{"mutirao.model": "00ff", "empty": "", "z": "é"}
	file, err := SaveWith(example(t), want)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Save(example(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(file)
	if err != nil || !maps.Equal(m.Metadata(), want) {
		t.Errorf("%v: %v", m.Metadata(), err)
	}
	if !bytes.HasPrefix(file, plain) || len(file) == len(plain) {
		t.Error("the graph is written otherwise")
	}
}

// file is a model of one node.
func file(opset int64, node []byte, inputs []graph.Value, output string, initializers ...tensor.Named) []byte {
	var g, out, w writer
	g.bytes(1, node)
	g.text(2, "one node")
	for _, t := range initializers {
		g.bytes(5, WriteTensor(t))
	}
	for _, v := range inputs {
		g.bytes(11, saveValue(v))
	}
	out.text(1, output)
	g.bytes(12, out)
	w.number(1, 8)
	w.bytes(7, g)
	w.bytes(8, saveOpset("", opset))
	return w
}

func nodeOf(op string, attrs []graph.Attr, inputs ...string) []byte {
	return saveNode(&graph.Node{Op: op, Name: "n", Inputs: inputs, Outputs: []string{"y"}, Attrs: attrs})
}

// TestOpsets reads forms of operators that changed between operator sets.
func TestOpsets(t *testing.T) {
	x := graph.Value{Name: "x", DType: tensor.Float32, Shape: []int{1, 2, 2}}
	data := map[string]*tensor.Tensor{"x": tensor.FromFloat32([]float32{0, 0, 0, 0}, 1, 2, 2)}
	ints := func(name string, list ...int64) graph.Attr {
		return graph.Attr{Name: name, Kind: graph.KindInts, Ints: list}
	}
	half := []float32{0.5, 0.5, 0.5, 0.5}
	quarter := []float32{0.25, 0.25, 0.25, 0.25}
	for _, c := range []struct {
		opset int64
		op    string
		attrs []graph.Attr
		shape []int
		want  []float32 // nil: not compared
	}{
		{12, "Softmax", nil, []int{1, 2, 2}, quarter}, // "axis" 1 and all after it
		{13, "Softmax", nil, []int{1, 2, 2}, half},
		{11, "Squeeze", []graph.Attr{ints("axes", 0)}, []int{2, 2}, nil},
		{12, "Unsqueeze", []graph.Attr{ints("axes", 0, 4)}, []int{1, 1, 2, 2, 1}, nil},
		{12, "ReduceSum", []graph.Attr{ints("axes", 1)}, []int{1, 1, 2}, nil},
		{17, "ReduceMean", []graph.Attr{ints("axes", -1)}, []int{1, 2, 1}, nil},
		{9, "Slice", []graph.Attr{ints("axes", 2), ints("ends", 1), ints("starts", 0)}, []int{1, 2, 1}, nil},
		{10, "Pad", []graph.Attr{ints("pads", 0, 0, 1, 0, 0, 2)}, []int{1, 2, 5}, nil},
		{10, "Clip", []graph.Attr{{Name: "min", Kind: graph.KindFloat, Float: 0.5}}, []int{1, 2, 2}, half},
	} {
		m, err := Load(file(c.opset, nodeOf(c.op, c.attrs, "x"), []graph.Value{x}, "y"))
		if err != nil {
			t.Fatal(err)
		}
		g, err := m.Specialise(nil)
		if err != nil {
			t.Errorf("%s-%d: %v", c.op, c.opset, err)
			continue
		}
		y := compute(t, g, data)["y"]
		if !slices.Equal(y.Shape(), c.shape) {
			t.Errorf("%s-%d: shape %v, want %v", c.op, c.opset, y.Shape(), c.shape)
		}
		if c.want != nil && !slices.Equal(y.Float32(), c.want) {
			t.Errorf("%s-%d: %v, want %v", c.op, c.opset, y.Float32(), c.want)
		}
	}
}

// TestKnownInput reads a shape from an input whose contents are given, and says so where they are not.
func TestKnownInput(t *testing.T) {
	shape := graph.Value{Name: "s", DType: tensor.Int64, Shape: []int{2}}
	x := graph.Value{Name: "x", DType: tensor.Float32, Shape: []int{6}}
	m, err := Load(file(14, nodeOf("Reshape", nil, "x", "s"), []graph.Value{x, shape}, "y"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Specialise(nil); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), `"s" decides a shape`) {
		t.Errorf("error %v", err)
	}
	g, err := m.Specialise(map[string]Feed{"s": FeedOf(tensor.FromInt64([]int64{3, -1}, 2))})
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Outputs[0].Shape; !slices.Equal(got, []int{3, 2}) {
		t.Errorf("shape %v", got)
	}
}

// TestExternalData reads weights beside the model and none from elsewhere.
func TestExternalData(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "model")
	if err := os.Mkdir(model, 0o755); err != nil {
		t.Fatal(err)
	}
	weights := binary.LittleEndian.AppendUint32(nil, 7)
	weights = binary.LittleEndian.AppendUint32(weights, math.Float32bits(2.5))
	for _, path := range []string{filepath.Join(model, "weights.bin"), filepath.Join(dir, "secret.bin")} {
		if err := os.WriteFile(path, weights, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret.bin", filepath.Join(model, "link.bin")); err != nil {
		t.Fatal(err)
	}
	for location, want := range map[string]string{
		"weights.bin": "", "../secret.bin": "not below", "link.bin": "escapes", "missing.bin": "no such file", "/etc/passwd": "not below",
	} {
		var entry, offset, w writer
		entry.text(1, "location")
		entry.text(2, location)
		offset.text(1, "offset")
		offset.text(2, "4")
		w.number(2, int64(tensor.Float32))
		w.text(8, "w")
		w.bytes(13, entry)
		w.bytes(13, offset)
		w.number(14, 1)
		var g, out, m writer
		g.bytes(1, nodeOf("Identity", nil, "w"))
		g.bytes(5, w)
		out.text(1, "y")
		g.bytes(12, out)
		m.bytes(7, g)
		m.bytes(8, saveOpset("", 17))
		path := filepath.Join(model, "model.onnx")
		if err := os.WriteFile(path, m, 0o644); err != nil {
			t.Fatal(err)
		}
		loaded, err := LoadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		g2, err := loaded.Specialise(nil)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", location, err)
			} else if y := compute(t, g2, nil)["y"]; y.Float32()[0] != 2.5 {
				t.Errorf("%s: %v", location, y.Float32())
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", location, err, want)
		}
	}
}

// TestErrorsNameThePlace damages a file in places that the error must name.
func TestErrorsNameThePlace(t *testing.T) {
	x := []graph.Value{{Name: "x", DType: tensor.Float32, Shape: []int{2}}}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":          {nil, "no graph"},
		"not a message":    {[]byte("#!/bin/sh"), "byte 0 of 9"},
		"truncated":        {file(17, nodeOf("Relu", nil, "x"), x, "y")[:20], "bytes are announced"},
		"unknown operator": {file(17, nodeOf("Nonsense", nil, "x"), x, "y"), "operator Nonsense"},
		"unknown input":    {file(17, nodeOf("Relu", nil, "z"), x, "y"), `node "n" (Relu): invalid ONNX: input 0 "z" is unknown`},
		"unknown output":   {file(17, nodeOf("Relu", nil, "x"), x, "z"), `output "z"`},
		"missing input":    {file(17, nodeOf("Relu", nil), x, "y"), `node "n" (Relu)`},
		"new opset":        {file(99, nodeOf("Relu", nil, "x"), x, "y"), "operator set 99"},
		"wrong kind":       {file(17, []byte{8, 1}, x, "y"), "node 0: field 1: wire type 0"},
	} {
		m, err := Load(c.file)
		if err == nil {
			_, err = m.Specialise(nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// FuzzLoad: whatever the bytes, reading ends with a valid graph or an error, and what is small runs.
func FuzzLoad(f *testing.F) {
	seed, err := Save(example(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	x := []graph.Value{{Name: "x", DType: tensor.Float32, Shape: []int{1, 4, 2, 2}}}
	for _, op := range Operators() {
		f.Add(file(13, nodeOf(op, nil, "x"), x, "y"))
		f.Add(file(18, nodeOf(op, nil, "x", "w"), x, "y", tensor.Named{Name: "w", Tensor: tensor.FromInt64([]int64{1, 1, 2, 2}, 4)}))
		f.Add(file(11, nodeOf(op, nil, "x", "w", "w"), x, "y", tensor.Named{Name: "w", Tensor: tensor.New(tensor.Float32, 4)}))
	}
	for e, traits := range elementTypes { // values of each type, converted to the next
		if traits.carrier != 0 {
			f.Add(cast(Element(e), Element((e+7)%len(elementTypes)), 4))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Load(b)
		if err != nil {
			return
		}
		m.Inputs()
		m.Parameters()
		g, err := m.Specialise(nil)
		if err != nil {
			return
		}
		if n, err := graph.Elements(g); err != nil || n > 1<<18 {
			return
		}
		if n, err := graph.MACs(g); err != nil || n > 1<<20 {
			return
		}
		p, err := exec.Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]*tensor.Tensor{}
		for _, v := range g.Inputs {
			in[v.Name] = tensor.New(v.DType, v.Shape...)
		}
		if out, err := p.Run(in); err == nil && len(out) != len(g.Outputs) {
			t.Fatalf("%d outputs of %d", len(out), len(g.Outputs))
		}
	})
}
