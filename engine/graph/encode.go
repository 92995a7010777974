package graph

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/mutirao/mutirao/engine/tensor"
)

// ErrEncoding is wrapped by every error of Decode.
var ErrEncoding = errors.New("invalid graph bytes")

// magic starts every encoded graph; its last byte is the version of the format.
const magic = "MUTG\x01"

const canonicalNaN = 0x7FC00000

// Encode writes g in its one encoding. All integers are little-endian, counts and dimensions of 32 bits; a string is a length
// byte and its bytes; a type is dtype, rank (one byte each) and dimensions:
//
//	magic "MUTG" 0x01, opset u32, name
//	count, inputs  (name, type)…
//	count, outputs (name, type)…
//	count, initializers (name, type, elements as tensor.Append writes them)…
//	count, nodes (operator, domain, name, inputs: count byte and names, outputs likewise,
//	              attributes: count byte, then name, kind byte and float u32 | int u64 | string | ints: count byte and u64…)…
//
// It panics if a name or list is longer than the format can hold, which Infer rules out.
func Encode(g *Graph) []byte {
	size := 1024
	for _, t := range g.Initializers {
		size += 64 + t.Tensor.Len()*t.Tensor.DType().Size()
	}
	e := encoder(make([]byte, 0, size+64*len(g.Nodes)))
	e = append(e, magic...)
	e.u32(g.Opset)
	e.str(g.Name)
	for _, list := range [][]Value{g.Inputs, g.Outputs} {
		e.u32(len(list))
		for _, v := range list {
			e.value(v)
		}
	}
	e.u32(len(g.Initializers))
	for _, t := range g.Initializers {
		e.value(Value{t.Name, t.Tensor.DType(), t.Tensor.Shape()})
		e = t.Tensor.Append(e, 0, t.Tensor.Len())
	}
	e.u32(len(g.Nodes))
	for i := range g.Nodes {
		e.node(&g.Nodes[i])
	}
	return e
}

type encoder []byte

func (e *encoder) u8(v int) {
	if v < 0 || v > math.MaxUint8 {
		panic(fmt.Sprintf("graph: %d does not fit into a byte of the encoding", v))
	}
	*e = append(*e, byte(v))
}

func (e *encoder) u32(v int) {
	if v < 0 || v > math.MaxUint32 {
		panic(fmt.Sprintf("graph: %d does not fit into 32 bits of the encoding", v))
	}
	*e = binary.LittleEndian.AppendUint32(*e, uint32(v))
}

func (e *encoder) str(s string) {
	e.u8(len(s))
	*e = append(*e, s...)
}

func (e *encoder) value(v Value) {
	e.str(v.Name)
	e.u8(int(v.DType))
	e.u8(len(v.Shape))
	for _, d := range v.Shape {
		e.u32(d)
	}
}

func (e *encoder) node(n *Node) {
	e.str(n.Op)
	e.str(n.Domain)
	e.str(n.Name)
	for _, list := range [][]string{n.Inputs, n.Outputs} {
		e.u8(len(list))
		for _, s := range list {
			e.str(s)
		}
	}
	e.u8(len(n.Attrs))
	for _, a := range n.Attrs {
		e.str(a.Name)
		e.u8(int(a.Kind))
		switch a.Kind {
		case KindFloat:
			b := math.Float32bits(a.Float)
			if a.Float != a.Float {
				b = canonicalNaN
			}
			*e = binary.LittleEndian.AppendUint32(*e, b)
		case KindInt:
			*e = binary.LittleEndian.AppendUint64(*e, uint64(a.Int))
		case KindString:
			e.str(a.String)
		case KindInts:
			e.u8(len(a.Ints))
			for _, v := range a.Ints {
				*e = binary.LittleEndian.AppendUint64(*e, uint64(v))
			}
		default:
			panic(fmt.Sprintf("graph: attribute %q has unknown kind %v", a.Name, a.Kind))
		}
	}
}

// Decode reads what Encode wrote and nothing else: what it accepts encodes to the same bytes again. It checks the form only;
// Infer tells whether the graph is valid. Errors wrap ErrEncoding. The memory it takes is a small multiple of len(b).
func Decode(b []byte) (*Graph, error) {
	d := decoder{rest: b}
	if string(d.take(len(magic))) != magic {
		return nil, fmt.Errorf("%w: does not start with %q", ErrEncoding, magic)
	}
	g := &Graph{Opset: d.u32(), Name: d.str()}
	for _, list := range []*[]Value{&g.Inputs, &g.Outputs} {
		for range d.count(3) {
			*list = append(*list, d.value())
		}
	}
	for range d.count(3) {
		g.Initializers = append(g.Initializers, d.initializer())
	}
	for range d.count(6) {
		g.Nodes = append(g.Nodes, d.node())
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail("%d bytes after the end", len(d.rest))
	}
	if d.err != nil {
		return nil, fmt.Errorf("%w: at byte %d of %d: %w", ErrEncoding, len(b)-len(d.rest), len(b), d.err)
	}
	return g, nil
}

// decoder reads from the front of rest. After the first error it returns zeros.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes, nil if there are fewer.
func (d *decoder) take(n int) []byte {
	if d.err == nil && n > len(d.rest) {
		d.fail("needs %d bytes, %d are left", n, len(d.rest))
	}
	if d.err != nil {
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) u8() int {
	if b := d.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (d *decoder) u32() int {
	if b := d.take(4); b != nil {
		return int(binary.LittleEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) str() string { return string(d.take(d.u8())) }

// count reads the number of things of at least size bytes each that follow; more than the rest can hold is an error.
func (d *decoder) count(size int) int {
	n := d.u32()
	if n > len(d.rest)/size {
		d.fail("%d entries do not fit into %d bytes", n, len(d.rest))
		return 0
	}
	return n
}

func (d *decoder) value() Value {
	v := Value{Name: d.str(), DType: tensor.DType(d.u8()), Shape: make([]int, d.u8())}
	for i := range v.Shape {
		v.Shape[i] = d.u32()
	}
	return v
}

func (d *decoder) initializer() tensor.Named {
	v := d.value()
	n, err := tensor.Elements(v.Shape, MaxElements)
	if err != nil {
		d.fail("initializer %q: %w", v.Name, err)
	}
	b := d.take(n * v.DType.Size())
	if d.err != nil {
		return tensor.Named{}
	}
	t, err := tensor.Decode(v.DType, v.Shape, b)
	if err != nil {
		d.fail("initializer %q: %w", v.Name, err)
	}
	return tensor.Named{Name: v.Name, Tensor: t}
}

func (d *decoder) node() Node {
	n := Node{Op: d.str(), Domain: d.str(), Name: d.str()}
	for _, list := range []*[]string{&n.Inputs, &n.Outputs} {
		for range d.u8() {
			*list = append(*list, d.str())
		}
	}
	for range d.u8() {
		n.Attrs = append(n.Attrs, d.attr())
	}
	return n
}

func (d *decoder) attr() Attr {
	a := Attr{Name: d.str(), Kind: Kind(d.u8())}
	switch a.Kind {
	case KindFloat:
		b := uint32(d.u32())
		a.Float = math.Float32frombits(b)
		if a.Float != a.Float && b != canonicalNaN {
			d.fail("attribute %q is NaN 0x%08x, not 0x7fc00000", a.Name, b)
		}
	case KindInt:
		a.Int = int64(d.u64())
	case KindString:
		a.String = d.str()
	case KindInts:
		a.Ints = make([]int64, d.u8())
		for i := range a.Ints {
			a.Ints[i] = int64(d.u64())
		}
	default:
		d.fail("attribute %q has unknown kind %v", a.Name, a.Kind)
	}
	return a
}
