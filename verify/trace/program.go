package trace

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
)

// What the names of a step graph's outputs mean: the output next/x is what the input x becomes, so x is part of the state; a
// step whose guard is not finite is skipped and leaves the state as it is.
const (
	NextPrefix = "next/"
	Guard      = "gradient_sum_squares"
)

// embedded is the length up to which an initializer stands in the records of the nodes that read it.
const embedded = 256

// Kinds of records, their first byte.
const (
	kindHeader = iota
	kindInput
	kindConstant
	kindNode
	kindState
	kindOutput
)

// ErrRecord is wrapped by every error about bytes that are not a record of a program.
var ErrRecord = errors.New("not a record of a program")

// Program is a graph cut into records of which each can be opened alone. Values are numbered: graph inputs first, then the
// outputs of all nodes in program order. Initializers are numbered apart, as constants.
type Program struct {
	Header
	records [][]byte
	leaves  []merkle.Hash
	makers  []int // by value: the node that puts it out, or -1
}

// Header counts the records of a program. They stand in this order behind it.
type Header struct {
	Inputs, Constants, Nodes, States, Outputs int
	Values                                    int // inputs and outputs of nodes together
	Guard                                     Ref
}

// Ref names a value, or a constant from FirstConstant on.
type Ref uint32

// References that are not values.
const (
	FirstConstant Ref = 1 << 31
	NoRef         Ref = 1<<32 - 1
)

// StateRecord says how a state's entry goes through a step.
type StateRecord struct {
	Name  string
	Input int // value
	Next  Ref
}

// NewProgram cuts a graph. The error is that of graph.Calls.
func NewProgram(g *graph.Graph) (*Program, error) {
	calls, err := graph.Calls(g)
	if err != nil {
		return nil, err
	}
	p := &Program{}
	refs := map[string]Ref{}
	p.Inputs, p.Constants, p.Nodes, p.Outputs = len(g.Inputs), len(g.Initializers), len(g.Nodes), len(g.Outputs)
	for i, v := range g.Inputs {
		refs[v.Name] = Ref(i)
	}
	constants := map[string]*tensor.Tensor{}
	for i, t := range g.Initializers {
		refs[t.Name], constants[t.Name] = FirstConstant+Ref(i), t.Tensor
	}
	p.Values = len(g.Inputs)
	p.makers = slices.Repeat([]int{-1}, p.Values)
	for i := range calls {
		for _, v := range calls[i].Out {
			refs[v.Name] = Ref(p.Values)
			p.Values++
			p.makers = append(p.makers, i)
		}
	}
	states := stateRecords(g, refs)
	p.States, p.Guard = len(states), NoRef
	for _, v := range g.Outputs {
		if v.Name == Guard {
			p.Guard = refs[v.Name]
		}
	}
	p.add(appendText(p.header(g.Opset), g.Name))
	for _, v := range g.Inputs {
		p.add(appendValue([]byte{kindInput}, v))
	}
	for _, t := range g.Initializers {
		root := TensorRoot(t.Tensor)
		p.add(append(appendText([]byte{kindConstant}, t.Name), root[:]...))
	}
	for i := range calls {
		one := excerpt(g.Opset, &calls[i], refs, constants, embedded)
		if _, err := graph.Calls(one); err != nil { // an operator that must know a constant, however long
			one = excerpt(g.Opset, &calls[i], refs, constants, graph.MaxElements)
		}
		p.add(append([]byte{kindNode}, graph.Encode(one)...))
	}
	for _, s := range states {
		p.add(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(appendText([]byte{kindState}, s.Name), uint32(s.Input)), uint32(s.Next)))
	}
	for _, v := range g.Outputs {
		p.add(binary.LittleEndian.AppendUint32(appendText([]byte{kindOutput}, v.Name), uint32(refs[v.Name])))
	}
	return p, nil
}

func (p *Program) add(record []byte) {
	p.records, p.leaves = append(p.records, record), append(p.leaves, merkle.Leaf(record))
}

func (p *Program) header(opset int) []byte {
	b := []byte{kindHeader}
	for _, n := range []int{opset, p.Inputs, p.Constants, p.Nodes, p.States, p.Outputs, p.Values, int(p.Guard)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return b
}

// stateRecords pairs inputs with the outputs that follow them, by name.
func stateRecords(g *graph.Graph, refs map[string]Ref) []StateRecord {
	var list []StateRecord
	for _, v := range g.Outputs {
		name, ok := strings.CutPrefix(v.Name, NextPrefix)
		if in, known := refs[name]; ok && known && int(in) < len(g.Inputs) && refs[v.Name] < FirstConstant {
			list = append(list, StateRecord{name, int(in), refs[v.Name]})
		}
	}
	slices.SortFunc(list, func(a, b StateRecord) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// excerpt is the graph of one node alone. Values are called v and their number, constants c and theirs; short constants are
// initializers, ones longer than longest inputs.
func excerpt(opset int, c *graph.Call, refs map[string]Ref, constants map[string]*tensor.Tensor, longest int) *graph.Graph {
	n := *c.Node
	g := &graph.Graph{Opset: opset, Nodes: []graph.Node{n}}
	node := &g.Nodes[0]
	node.Inputs, node.Outputs = slices.Clone(n.Inputs), slices.Clone(n.Outputs)
	seen := map[string]bool{"": true}
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		v := c.In[i]
		v.Name = refName(refs[name])
		node.Inputs[i] = v.Name
		if seen[v.Name] {
			continue
		}
		seen[v.Name] = true
		if t := constants[name]; t != nil && t.Len() <= longest {
			g.Initializers = append(g.Initializers, tensor.Named{Name: v.Name, Tensor: t})
			continue
		}
		g.Inputs = append(g.Inputs, v)
	}
	for i, v := range c.Out {
		v.Name = refName(refs[v.Name])
		node.Outputs[i] = v.Name
		g.Outputs = append(g.Outputs, v)
	}
	return g
}

func refName(r Ref) string {
	if r >= FirstConstant {
		return "c" + strconv.Itoa(int(r-FirstConstant))
	}
	return "v" + strconv.Itoa(int(r))
}

// ParseRef reads the name of a value or constant in a node's record.
func ParseRef(name string) (Ref, error) {
	if len(name) > 1 && (name[0] == 'v' || name[0] == 'c') {
		n, err := strconv.ParseUint(name[1:], 10, 31)
		if r := Ref(n); err == nil {
			if name[0] == 'c' {
				r += FirstConstant
			}
			if refName(r) == name {
				return r, nil
			}
		}
	}
	return 0, fmt.Errorf("%w: %.20q names no value", ErrRecord, name)
}

// Maker returns the node that puts a value out, or -1 for a graph input.
func (p *Program) Maker(value int) int { return p.makers[value] }

// Root returns the program's hash.
func (p *Program) Root() merkle.Hash { return merkle.Root(p.leaves) }

// Record returns record i and the proof that it stands under the root.
func (p *Program) Record(i int) ([]byte, merkle.Proof) {
	return p.records[i], merkle.Prove(p.leaves, i)
}

// Positions of records.
func (h Header) Records() int         { return 1 + h.Inputs + h.Constants + h.Nodes + h.States + h.Outputs }
func (h Header) InputAt(i int) int    { return 1 + i }
func (h Header) ConstantAt(i int) int { return 1 + h.Inputs + i }
func (h Header) NodeAt(i int) int     { return h.ConstantAt(h.Constants) + i }
func (h Header) StateAt(i int) int    { return h.NodeAt(h.Nodes) + i }
func (h Header) outputAt(i int) int   { return h.StateAt(h.States) + i }
func (h Header) valid() bool          { return h.States <= h.Inputs && h.Nodes <= h.Values }

// ProgramHash returns the root of the graph's records, which bind operators, attributes, shapes, order, operator set and
// initializers. It is the zero hash, which stands for none, for a graph that is not valid (graph.Infer).
func ProgramHash(g *graph.Graph) merkle.Hash {
	p, err := NewProgram(g)
	if err != nil {
		return merkle.Hash{}
	}
	return p.Root()
}

func appendText(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

func appendValue(b []byte, v graph.Value) []byte {
	b = append(appendText(b, v.Name), byte(v.DType), byte(len(v.Shape)))
	for _, d := range v.Shape {
		b = binary.LittleEndian.AppendUint32(b, uint32(d))
	}
	return b
}

// reader takes fields off the front of a record. After the first failure it returns zeros.
type reader struct {
	rest   []byte
	failed bool
}

func newReader(record []byte, kind byte) *reader {
	r := &reader{rest: record}
	if r.byte() != kind {
		r.failed = true
	}
	return r
}

func (r *reader) take(n int) []byte {
	if r.failed || n > len(r.rest) {
		r.failed = true
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte   { return r.take(1)[0] }
func (r *reader) u32() int     { return int(binary.LittleEndian.Uint32(r.take(4))) }
func (r *reader) text() string { return string(r.take(int(r.byte()))) }
func (r *reader) err() error {
	if r.failed || len(r.rest) > 0 {
		return ErrRecord
	}
	return nil
}

// ParseHeader reads a header's record.
func ParseHeader(record []byte) (Header, error) {
	r := newReader(record, kindHeader)
	opset := r.u32()
	h := Header{Inputs: r.u32(), Constants: r.u32(), Nodes: r.u32(), States: r.u32(), Outputs: r.u32(), Values: r.u32(), Guard: Ref(r.u32())}
	r.text()
	if err := r.err(); err != nil || opset != graph.Opset || !h.valid() {
		return Header{}, fmt.Errorf("%w: header", ErrRecord)
	}
	return h, nil
}

// ParseInput reads the record of a graph input.
func ParseInput(record []byte) (graph.Value, error) {
	r := newReader(record, kindInput)
	v := graph.Value{Name: r.text(), DType: tensor.DType(r.byte())}
	rank := int(r.byte())
	if rank > graph.MaxRank {
		return graph.Value{}, fmt.Errorf("%w: input", ErrRecord)
	}
	v.Shape = make([]int, rank)
	for i := range v.Shape {
		v.Shape[i] = r.u32()
	}
	if _, err := tensor.Elements(v.Shape, graph.MaxElements); r.err() != nil || err != nil || !v.DType.Valid() {
		return graph.Value{}, fmt.Errorf("%w: input", ErrRecord)
	}
	return v, nil
}

// ParseConstant reads the record of an initializer: its tensor's root.
func ParseConstant(record []byte) (merkle.Hash, error) {
	r := newReader(record, kindConstant)
	r.text()
	h := merkle.Hash(r.take(merkle.Size))
	if r.err() != nil {
		return merkle.Hash{}, fmt.Errorf("%w: constant", ErrRecord)
	}
	return h, nil
}

// ParseState reads the record of a state's entry.
func ParseState(record []byte) (StateRecord, error) {
	r := newReader(record, kindState)
	s := StateRecord{Name: r.text(), Input: r.u32(), Next: Ref(r.u32())}
	if r.err() != nil {
		return StateRecord{}, fmt.Errorf("%w: state", ErrRecord)
	}
	return s, nil
}

// ParseNode reads the record of a node: a graph of this node alone, valid and in its one encoding.
func ParseNode(record []byte) (*graph.Call, *graph.Graph, error) {
	if len(record) == 0 || record[0] != kindNode {
		return nil, nil, fmt.Errorf("%w: node", ErrRecord)
	}
	g, err := graph.Decode(record[1:])
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	calls, err := graph.Calls(g)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if len(calls) != 1 {
		return nil, nil, fmt.Errorf("%w: %d nodes", ErrRecord, len(calls))
	}
	return &calls[0], g, nil
}
