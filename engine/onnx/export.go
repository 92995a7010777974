package onnx

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
)

// irVersion is that of the file format that operator set 23 came with.
const irVersion = 11

// Save writes a valid graph as an ONNX file in operator set 23, or 24 where it has what came with that. Our own derivatives stay in domain "mutirao", which other programs
// do not have; everything else any ONNX runtime can run. It returns graph.Infer's error.
func Save(g *graph.Graph) ([]byte, error) { return SaveWith(g, nil) }

// SaveWith is Save with metadata that programs show and do not interpret, in the order of its names.
func SaveWith(g *graph.Graph, metadata map[string]string) ([]byte, error) {
	if _, err := graph.Infer(g); err != nil {
		return nil, err
	}
	var body writer
	for i := range g.Nodes {
		body.bytes(1, saveNode(&g.Nodes[i]))
	}
	name := g.Name
	if name == "" {
		name = "graph" // ONNX's checker wants one
	}
	body.text(2, name)
	for _, t := range g.Initializers {
		body.bytes(5, WriteTensor(t))
	}
	for _, v := range g.Inputs {
		body.bytes(11, saveValue(v))
	}
	for _, v := range g.Outputs {
		body.bytes(12, saveValue(v))
	}
	var w writer
	w.number(1, irVersion)
	w.text(2, "mutirao")
	w.bytes(7, body)
	w.bytes(8, saveOpset("", opsetOf(g)))
	for _, n := range g.Nodes {
		if n.Domain != "" {
			w.bytes(8, saveOpset(n.Domain, 1))
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		var entry writer
		entry.text(1, name)
		entry.text(2, metadata[name])
		w.bytes(14, entry)
	}
	if len(w) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes in one file", ErrUnsupported, len(w))
	}
	return w, nil
}

// opsetOf is the operator set in which a graph's operators mean what they mean here: attention with past keys or a length, and the
// cache that it reads, are those of 24.
func opsetOf(g *graph.Graph) int64 {
	for _, n := range g.Nodes {
		if n.Op == "TensorScatter" || n.Op == "Attention" && len(n.Inputs) > graph.AttentionPastK {
			return 24
		}
	}
	return graph.Opset
}

func saveOpset(domain string, version int64) []byte {
	var w writer
	if domain != "" {
		w.text(1, domain)
	}
	w.number(2, version)
	return w
}

func saveNode(n *graph.Node) []byte {
	var w writer
	for _, name := range n.Inputs {
		w.text(1, name)
	}
	for _, name := range n.Outputs {
		w.text(2, name)
	}
	w.text(3, n.Name)
	w.text(4, n.Op)
	for _, a := range n.Attrs {
		w.bytes(5, saveAttr(a))
	}
	if n.Domain != "" {
		w.text(7, n.Domain)
	}
	return w
}

func saveAttr(a graph.Attr) []byte {
	var w writer
	w.text(1, a.Name)
	switch a.Kind {
	case graph.KindFloat:
		w.float(2, a.Float)
	case graph.KindInt:
		w.number(3, a.Int)
	case graph.KindString:
		w.text(4, a.String)
	case graph.KindInts:
		for _, v := range a.Ints {
			w.number(8, v)
		}
	}
	w.number(20, int64(a.Kind))
	return w
}

func saveValue(v graph.Value) []byte {
	var shape, typed, kind, w writer
	for _, d := range v.Shape {
		var dim writer
		dim.number(1, int64(d))
		shape.bytes(1, dim)
	}
	typed.number(1, int64(v.DType))
	typed.bytes(2, shape)
	kind.bytes(1, typed)
	w.text(1, v.Name)
	w.bytes(2, kind)
	return w
}
