package onnx

import (
	"fmt"
	"math"

	"github.com/mutirao/mutirao/engine/graph"
)

// The messages of ONNX's schema (onnx.proto, package onnx) as far as a graph needs them, with its field numbers. Training
// information, sparse tensors, quantisation annotations and documentation strings are skipped.

type modelProto struct {
	irVersion int64           // 1
	producer  string          // 2
	graph     graphProto      // 7
	opsets    []opsetProto    // 8
	metadata  []entryProto    // 14
	functions []functionProto // 25
}

// functionProto is an operator that the file defines itself.
type functionProto struct {
	name     string       // 1
	inputs   []string     // 4
	outputs  []string     // 5
	nodes    []nodeProto  // 7
	opsets   []opsetProto // 9
	domain   string       // 10
	defaults []attrProto  // 11
}

type opsetProto struct {
	domain  string // 1
	version int64  // 2
}

type graphProto struct {
	nodes        []nodeProto   // 1
	name         string        // 2
	initializers []tensorProto // 5
	inputs       []valueProto  // 11
	outputs      []valueProto  // 12
	sparse       []struct{}    // 15
}

type nodeProto struct {
	inputs  []string    // 1
	outputs []string    // 2
	name    string      // 3
	op      string      // 4
	attrs   []attrProto // 5
	domain  string      // 7
	opset   int         // that of the function the node was in, 0 for the model's
}

type attrProto struct {
	name    string       // 1
	float   float32      // 2
	integer int64        // 3
	text    string       // 4
	tensor  *tensorProto // 5
	graph   *graphProto  // 6
	floats  []float32    // 7
	ints    []int64      // 8
	texts   []string     // 9
	kind    int64        // 20
	ref     string       // 21: the attribute of the enclosing function whose value this one has
}

// Attribute types (AttributeProto.AttributeType).
const (
	kindFloat   = 1
	kindInt     = 2
	kindString  = 3
	kindTensor  = 4
	kindGraph   = 5
	kindFloats  = 6
	kindInts    = 7
	kindStrings = 8
)

type tensorProto struct {
	dims     []int64      // 1
	dtype    int64        // 2
	floats   []float32    // 4
	int32s   []int64      // 5: int32, int16, int8, uint16, uint8, bool, float16
	texts    []string     // 6
	int64s   []int64      // 7
	name     string       // 8
	raw      []byte       // 9
	doubles  []float64    // 10
	uint64s  []int64      // 11
	external []entryProto // 13
	location int64        // 14: 1 is external
}

type entryProto struct {
	key   string // 1
	value string // 2
}

type valueProto struct {
	name string    // 1
	kind typeProto // 2
}

// typeProto is a type: at most one of tensor, sequence and optional is set; none stands for a map or a sparse tensor.
type typeProto struct {
	tensor   bool  // 1 is present
	dtype    int64 // 1.1
	shaped   bool  // 1.2 is present
	dims     []dimProto
	sequence *typeProto // 4.1: the type of the elements
	optional *typeProto // 9.1: the type of what may be there
}

type dimProto struct {
	value  int64 // 1
	known  bool
	symbol string // 2
}

func count(to *[]struct{}) func(field) error {
	return func(f field) error {
		if len(*to) == 0 {
			*to = append(*to, struct{}{})
		}
		return nil
	}
}

// maxMetadata bounds the entries of a file's metadata.
const maxMetadata = 1 << 16

// maxDepth bounds how deep graphs and types lie in one another.
const maxDepth = 32

func readModel(b []byte, m *modelProto) error {
	return schema{
		1: number(&m.irVersion), 2: text(&m.producer),
		7: message(func(b []byte) error { return readGraph(b, &m.graph, maxDepth) }),
		8: each(&m.opsets, "opset import", 64, readOpset), 25: each(&m.functions, "function", graph.MaxNodes, readFunction),
		14: each(&m.metadata, "metadata", maxMetadata, readEntry),
	}.read(b)
}

func readOpset(b []byte, o *opsetProto) error {
	return schema{1: text(&o.domain), 2: number(&o.version)}.read(b)
}

func readFunction(b []byte, f *functionProto) error {
	return schema{
		1: text(&f.name), 4: texts(&f.inputs, "input", graph.MaxArity), 5: texts(&f.outputs, "output", graph.MaxArity),
		7: each(&f.nodes, "node", graph.MaxNodes, readNode(maxDepth)), 9: each(&f.opsets, "opset import", 64, readOpset),
		10: text(&f.domain), 11: each(&f.defaults, "attribute", graph.MaxArity, readAttr(maxDepth)),
	}.read(b)
}

// readGraph reads a graph in which others may lie up to depth levels deep.
func readGraph(b []byte, g *graphProto, depth int) error {
	if depth == 0 {
		return fmt.Errorf("graphs lie more than %d levels deep", maxDepth)
	}
	return schema{
		1: each(&g.nodes, "node", graph.MaxNodes, readNode(depth)), 2: text(&g.name),
		5:  each(&g.initializers, "initializer", graph.MaxNodes, readTensor),
		11: each(&g.inputs, "input", graph.MaxNodes, readValue), 12: each(&g.outputs, "output", graph.MaxNodes, readValue),
		15: count(&g.sparse),
	}.read(b)
}

func readNode(depth int) func([]byte, *nodeProto) error {
	return func(b []byte, n *nodeProto) error {
		return schema{
			1: texts(&n.inputs, "input", graph.MaxArity), 2: texts(&n.outputs, "output", graph.MaxArity), 3: text(&n.name), 4: text(&n.op),
			5: each(&n.attrs, "attribute", graph.MaxArity, readAttr(depth)), 7: text(&n.domain),
		}.read(b)
	}
}

func readAttr(depth int) func([]byte, *attrProto) error {
	return func(b []byte, a *attrProto) error {
		return schema{
			1: text(&a.name),
			2: func(f field) error { a.float = math.Float32frombits(uint32(f.bits)); return f.want(wire32) },
			3: number(&a.integer), 4: text(&a.text),
			5: message(func(b []byte) error { a.tensor = &tensorProto{}; return readTensor(b, a.tensor) }),
			6: message(func(b []byte) error { a.graph = &graphProto{}; return readGraph(b, a.graph, depth-1) }),
			7: floats(&a.floats), 8: numbers(&a.ints, graph.MaxElements), 9: texts(&a.texts, "string", graph.MaxElements), 20: number(&a.kind), 21: text(&a.ref),
		}.read(b)
	}
}

func readTensor(b []byte, t *tensorProto) error {
	return schema{
		1: numbers(&t.dims, graph.MaxRank), 2: number(&t.dtype), 4: floats(&t.floats), 5: numbers(&t.int32s, graph.MaxElements),
		6: texts(&t.texts, "string", 1<<24), 7: numbers(&t.int64s, graph.MaxElements), 8: text(&t.name), 9: raw(&t.raw),
		10: doubles(&t.doubles), 11: numbers(&t.uint64s, graph.MaxElements),
		13: each(&t.external, "external data entry", 16, readEntry),
		14: number(&t.location),
	}.read(b)
}

func readEntry(b []byte, e *entryProto) error {
	return schema{1: text(&e.key), 2: text(&e.value)}.read(b)
}

func readValue(b []byte, v *valueProto) error {
	return schema{1: text(&v.name), 2: message(func(b []byte) error { return readType(b, &v.kind, maxDepth) })}.read(b)
}

func readType(b []byte, t *typeProto, depth int) error {
	if depth == 0 {
		return fmt.Errorf("types lie more than %d levels deep", maxDepth)
	}
	shape := schema{1: each(&t.dims, "dimension", graph.MaxRank, func(b []byte, d *dimProto) error {
		return schema{
			1: func(f field) error { d.known, d.value = true, int64(f.bits); return f.want(wireVarint) },
			2: text(&d.symbol),
		}.read(b)
	})}
	element := func(to **typeProto) func(field) error {
		return message(func(b []byte) error {
			*to = &typeProto{}
			return schema{1: message(func(b []byte) error { return readType(b, *to, depth-1) })}.read(b)
		})
	}
	return schema{
		1: message(func(b []byte) error {
			t.tensor = true
			return schema{1: number(&t.dtype), 2: message(func(b []byte) error { t.shaped = true; return shape.read(b) })}.read(b)
		}),
		4: element(&t.sequence), 9: element(&t.optional),
	}.read(b)
}
