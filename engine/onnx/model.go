// Package onnx reads and writes ONNX files. Reading happens in two steps: Load parses a file of any dynamic shape, Specialise
// makes the graph for given inputs. What no graph can hold, since its shapes or control flow depend on data, a Session runs. An operator of ONNX is either one of package graph's or a composition of them, written
// here, so the engine's operators stay few and a file's graph can be validated, priced, run and differentiated like any other.
// It imports the engine and the standard library only: the few messages of ONNX's schema are read by tables in proto.go.
// Source: https://github.com/onnx/onnx, onnx/onnx.proto and docs/Operators.md.
package onnx

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// ErrInvalid is wrapped by errors about bytes that are no ONNX model or tensor.
var ErrInvalid = errors.New("invalid ONNX")

// ErrUnsupported is wrapped by errors about what ONNX allows and the engine lacks: an operator, a form of it, an element type.
var ErrUnsupported = errors.New("not supported")

// MaxFile is the longest file that LoadFile reads, in bytes; protocol buffers end at 2 GiB.
const MaxFile = 1<<31 - 1

// The operator sets that Specialise understands, for the operators of Operators.
const (
	MinOpset = 1
	MaxOpset = 28
)

// Model is an ONNX file, parsed. It keeps the bytes it was read from.
type Model struct {
	proto modelProto
	open  opener
}

// Load parses a model whose tensors are all inside b, which must not change afterwards. Errors wrap ErrInvalid and say where. The memory
// that it takes is a multiple of len(b).
func Load(b []byte) (*Model, error) {
	m := &Model{}
	if err := readModel(b, &m.proto); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(m.proto.graph.outputs) == 0 {
		return nil, fmt.Errorf("%w: no graph with outputs in %d bytes", ErrInvalid, len(b))
	}
	if err := inline(&m.proto); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return m, nil
}

// LoadFile is Load of a file whose tensors may be in other files of its folder.
func LoadFile(path string) (*Model, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxFile {
		return nil, fmt.Errorf("%w: %s is no file of at most %d bytes", ErrInvalid, path, MaxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := Load(b)
	if err != nil {
		return nil, err
	}
	m.open = folder(filepath.Dir(path))
	return m, nil
}

// Port is an input or output as the file declares it.
type Port struct {
	Name    string
	Type    string       // the element type, or "" if it is no tensor
	Element Element      // the same as a number
	DType   tensor.DType // what the engine carries it in, 0 if it cannot
	Dims    []Dim        // nil if the file does not say
	Keys    []string     // of a map: a run has its values in this order, as a row of float32
	kind    typeProto
}

// Dim is a dimension: a size, or 0 and perhaps a symbol that stands for it.
type Dim struct {
	Size   int
	Symbol string
}

func portOf(v valueProto) Port {
	p := Port{Name: v.name, kind: v.kind}
	if v.kind.tensor {
		p.Type = fmt.Sprintf("element type %d", v.kind.dtype)
		if v.kind.dtype >= 0 && v.kind.dtype <= math.MaxUint8 {
			p.Element = Element(v.kind.dtype)
			p.Type, p.DType = p.Element.String(), p.Element.Carrier()
		}
		if p.Element == String {
			p.DType = tensor.Int64
		}
	}
	if v.kind.shaped {
		p.Dims = []Dim{}
		for _, d := range v.kind.dims {
			dim := Dim{Symbol: d.symbol}
			if d.known && d.value > 0 && d.value <= graph.MaxElements {
				dim.Size = int(d.value)
			}
			p.Dims = append(p.Dims, dim)
		}
	}
	return p
}

// Inputs are the inputs that a run must be given, in the file's order.
func (m *Model) Inputs() []Port {
	given := map[string]bool{}
	for i := range m.proto.graph.initializers {
		given[m.proto.graph.initializers[i].name] = true
	}
	var ports []Port
	for _, v := range m.proto.graph.inputs {
		if !given[v.name] {
			ports = append(ports, m.mapInput(portOf(v)))
		}
	}
	return ports
}

// Outputs are the outputs in the file's order.
func (m *Model) Outputs() []Port {
	var ports []Port
	for _, v := range m.proto.graph.outputs {
		ports = append(ports, m.mapOutput(portOf(v)))
	}
	return ports
}

// Operators counts the file's nodes by operator, those of graphs within nodes too; names outside ONNX's own domain are "domain.name".
func (m *Model) Operators() map[string]int {
	counts := map[string]int{}
	m.proto.graph.each(func(g *graphProto) {
		for i := range g.nodes {
			counts[g.nodes[i].title()]++
		}
	})
	return counts
}

// Parameters is the number of elements of the file's initializers, by their shapes.
func (m *Model) Parameters() uint64 {
	var sum uint64
	m.proto.graph.each(func(g *graphProto) {
		for i := range g.initializers {
			n := uint64(1)
			for _, d := range g.initializers[i].dims {
				n *= uint64(d)
			}
			sum += n
		}
	})
	return sum
}

// each calls f for g and all graphs within its nodes.
func (g *graphProto) each(f func(*graphProto)) {
	f(g)
	for i := range g.nodes {
		for j := range g.nodes[i].attrs {
			if inner := g.nodes[i].attrs[j].graph; inner != nil {
				inner.each(f)
			}
		}
	}
}

// Opset is the version of ONNX's operator set that the file asks for, 0 if it does not say.
func (m *Model) Opset() int { return standardOpset(m.proto.opsets) }

// Metadata is what the file says about itself beside the graph; of a name that comes twice the last.
func (m *Model) Metadata() map[string]string {
	out := make(map[string]string, len(m.proto.metadata))
	for _, e := range m.proto.metadata {
		out[e.key] = e.value
	}
	return out
}

// Initializers are the tensors of these names that the file holds as constants, in the order of names, without those that it lacks.
func (m *Model) Initializers(names []string) ([]tensor.Named, error) {
	at := make(map[string]*tensorProto, len(m.proto.graph.initializers))
	for i := range m.proto.graph.initializers {
		p := &m.proto.graph.initializers[i]
		at[p.name] = p
	}
	var list []tensor.Named
	for _, name := range names {
		p := at[name]
		if p == nil {
			continue
		}
		t, err := p.tensor(m.open)
		if err != nil {
			return nil, err
		}
		list = append(list, tensor.Named{Name: name, Tensor: t})
	}
	return list, nil
}

// Float64 reports whether the file has values of float64, which are computed in float32.
func (m *Model) Float64() bool {
	found := false
	is := func(number int64) { found = found || number == int64(Float64) }
	m.proto.graph.each(func(g *graphProto) {
		for _, list := range [][]valueProto{g.inputs, g.outputs} {
			for i := range list {
				is(list[i].kind.dtype)
			}
		}
		for i := range g.initializers {
			is(g.initializers[i].dtype)
		}
		for i := range g.nodes {
			for _, a := range g.nodes[i].attrs {
				if a.tensor != nil {
					is(a.tensor.dtype)
				} else if a.name == "to" || a.name == "dtype" {
					is(a.integer)
				}
			}
		}
	})
	return found
}

// Producer is the name of the program that wrote the file, as it says.
func (m *Model) Producer() string { return m.proto.producer }

func isStandard(domain string) bool { return domain == "" || domain == "ai.onnx" }

func (n *nodeProto) title() string {
	if isStandard(n.domain) {
		return n.op
	}
	return n.domain + "." + n.op
}
