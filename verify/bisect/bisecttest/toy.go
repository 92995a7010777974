// Package bisecttest has a small unit of work with every part that a training unit has, and the lies that can be told about it, for tests
// of the game and of whatever hosts it. It imports the engine, verify and testing.
package bisecttest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/split/splittest"
	"github.com/mutirao/mutirao/verify/trace"
)

// The toy unit has what a training unit has: weights from the model, a second state that starts from zeros, batches from records,
// known inputs, a guard, a payload; and one node of any operator, whose outputs are states of their own so that they matter.
const (
	Steps   = 20
	records = 12
	rows    = 40
	cols    = 33
)

// Fault is a lie in an execution. Its zero value is the truth.
type Fault struct {
	Kind    string // flip, batch, after, start, model, seed, skip, payload or long payload
	Step    int
	Value   int    // flip
	Element int    // flip, batch, after, start, payload
	Name    string // after, start: of the state
}

// Toy is an execution of the toy unit, honest but for one fault. It implements bisect.Machine.
type Toy struct {
	Fault
	program  *trace.Program
	nodes    []*exec.Program
	graphs   []*graph.Graph
	inputs   []graph.Value
	consts   []*tensor.Tensor
	known    []map[string]*tensor.Tensor // by step
	initial  map[string]*tensor.Tensor
	weights  *tensor.Tensor
	data     [][]byte
	states   [][]trace.Entry
	values   [][]*tensor.Tensor
	payload  []byte
	skipStep int // the guard of this step is not finite
	coarse   bool
}

// Coarse is the same execution with two points, one before the first step and one after the last.
func (m *Toy) Coarse() *Toy {
	c := *m
	c.coarse = true
	return &c
}

// New executes the unit with a node of a case and a fault. The guard of step skip is not finite; -1 for none.
func New(t testing.TB, c splittest.Case, f Fault, skip int) *Toy {
	t.Helper()
	m := &Toy{Fault: f, skipStep: skip, initial: map[string]*tensor.Tensor{}}
	b := graph.NewBuilder("toy")
	w, x := b.Input("w", tensor.Float32, rows, cols), b.Input("x", tensor.Float32, rows, cols)
	s := b.Input("m", tensor.Float32, 5)
	rng := rand.New(rand.NewPCG(11, 12))
	for i, r := range c.Add(b) {
		v := b.Value(r)
		name := fmt.Sprint("probe", i)
		b.Input(name, v.DType, v.Shape...)
		b.Output(trace.NextPrefix+name, r)
		m.initial[name] = tensor.New(v.DType, v.Shape...)
	}
	long := make([]float32, rows*cols) // too long to stand in a node's record
	for i := range long {
		long[i] = float32(i%9) / 16
	}
	b.Output(trace.NextPrefix+"w", b.Op("Sub", nil, w, b.Op("Mul", nil, x, b.Initializer("rates", tensor.FromFloat32(long, rows, cols)))))
	b.Output(trace.NextPrefix+"m", b.Op("Add", nil, s, b.Float(1)))
	b.Output(trace.Guard, b.Op("ReduceSumSquare", graph.Attrs{"keepdims": 0}, x))
	g, err := b.Graph()
	if err != nil {
		t.Fatalf("%s: %v", c.Op, err)
	}
	m.inputs = g.Inputs
	for _, k := range g.Initializers {
		m.consts = append(m.consts, k.Tensor)
	}
	if m.program, err = trace.NewProgram(g); err != nil {
		t.Fatal(err)
	}
	for i := range g.Nodes {
		record, _ := m.program.Record(m.program.NodeAt(i))
		_, one, err := trace.ParseNode(record)
		if err != nil {
			t.Fatal(err)
		}
		node, err := exec.Compile(one)
		if err != nil {
			t.Fatal(err)
		}
		m.nodes, m.graphs = append(m.nodes, node), append(m.graphs, one)
	}
	for range records {
		record := make([]byte, 4*cols)
		for j := range cols {
			binary.LittleEndian.PutUint32(record[4*j:], math.Float32bits(float32(rng.NormFloat64())))
		}
		m.data = append(m.data, record)
	}
	infinite := make([]byte, 4*cols)
	binary.LittleEndian.PutUint32(infinite, 0x7f800000)
	m.data = append(m.data, infinite)
	for range Steps {
		m.known = append(m.known, c.Random(rng))
	}
	m.weights = tensor.New(tensor.Float32, rows, cols)
	for i := range m.weights.Float32() {
		m.weights.Float32()[i] = float32(rng.NormFloat64())
	}
	m.initial["w"], m.initial["m"] = m.weights, tensor.New(tensor.Float32, 5)
	m.run(t)
	return m
}

// run executes the unit with its fault.
func (m *Toy) run(t testing.TB) {
	state := map[string]*tensor.Tensor{}
	for name, x := range m.initial {
		state[name] = x.Clone()
	}
	if m.Kind == "start" {
		flip(state[m.Name], m.Element)
	}
	if m.Kind == "model" {
		state["w"] = tensor.New(tensor.Float32, rows, cols)
	}
	m.states = append(m.states, m.list(state))
	for step := range Steps {
		values := m.step(t, step, state)
		m.values = append(m.values, values)
		after := map[string]*tensor.Tensor{}
		skipped := math.IsInf(float64(values[m.program.Guard].Float32()[0]), 0) || m.Kind == "skip" && m.Step == step
		for i := range m.program.States {
			record, _ := m.program.Record(m.program.StateAt(i))
			s, err := trace.ParseState(record)
			if err != nil {
				t.Fatal(err)
			}
			after[s.Name] = values[s.Next]
			if skipped {
				after[s.Name] = state[s.Name]
			}
		}
		if m.Kind == "after" && m.Step == step {
			after[m.Name] = after[m.Name].Clone()
			flip(after[m.Name], m.Element)
		}
		state = after
		m.states = append(m.states, m.list(state))
	}
	last := state["w"].Float32()
	for i, v := range m.weights.Float32() {
		m.payload = binary.LittleEndian.AppendUint32(m.payload, math.Float32bits(v-last[i]))
	}
	switch m.Kind {
	case "payload":
		m.payload[m.Element] ^= 1
	case "long payload":
		m.payload = append(m.payload, 0)
	}
}

// flip changes the last bit of an element: of a float, one unit in the last place.
func flip(x *tensor.Tensor, i int) {
	switch x.DType() {
	case tensor.Float32:
		x.Float32()[i] = math.Float32frombits(math.Float32bits(x.Float32()[i]) ^ 1)
		if v := x.Float32()[i]; v != v {
			x.Float32()[i] = 0
		}
	case tensor.Uint8:
		tensor.Data[uint8](x)[i] ^= 1
	case tensor.Int8:
		tensor.Data[int8](x)[i] ^= 1
	case tensor.Int32:
		tensor.Data[int32](x)[i] ^= 1
	case tensor.Int64:
		x.Int64()[i] ^= 1
	case tensor.Bool:
		x.Bool()[i] = !x.Bool()[i]
	}
}

func (m *Toy) list(state map[string]*tensor.Tensor) []trace.Entry {
	var list []trace.Entry
	for name, x := range state {
		list = append(list, trace.Entry{Name: name, Role: trace.RoleState, Tensor: x})
	}
	return list
}

// step computes all values of a step.
func (m *Toy) step(t testing.TB, step int, state map[string]*tensor.Tensor) []*tensor.Tensor {
	var values []*tensor.Tensor
	for _, v := range m.inputs {
		switch {
		case v.Name == "x":
			values = append(values, m.batch(step))
		case state[v.Name] != nil:
			values = append(values, state[v.Name])
		default:
			values = append(values, m.known[step][v.Name])
		}
	}
	for i, node := range m.nodes {
		in := map[string]*tensor.Tensor{}
		for _, v := range m.graphs[i].Inputs {
			ref, err := trace.ParseRef(v.Name)
			if err != nil {
				t.Fatal(err)
			}
			if ref >= trace.FirstConstant {
				in[v.Name] = m.consts[ref-trace.FirstConstant]
			} else {
				in[v.Name] = values[ref]
			}
		}
		out, err := node.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range m.graphs[i].Outputs {
			x := out[v.Name]
			if m.Kind == "flip" && m.Step == step && m.Value == len(values) {
				flip(x, m.Element)
			}
			values = append(values, x)
		}
	}
	return values
}

// batch reads the step's records.
func (m *Toy) batch(step int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, rows, cols)
	for i := range x.Float32() {
		record := m.recordOf(step, i/cols)
		if m.Kind == "seed" {
			record = (record + 1) % records
		}
		bits, err := find(m.data[record], i%cols)
		if err != nil {
			panic(err)
		}
		x.Float32()[i] = math.Float32frombits(uint32(bits))
	}
	if m.Kind == "batch" && m.Step == step {
		x.Float32()[m.Element] += 0.5
	}
	return x
}

func (m *Toy) recordOf(step, row int) int {
	if step == m.skipStep && row == 0 {
		return records
	}
	return (7*step + row) % records
}

func find(record []byte, i int) (uint64, error) {
	if len(record) != 4*cols {
		return 0, errors.New("a record of another length")
	}
	return uint64(binary.LittleEndian.Uint32(record[4*i:])), nil
}

// PointStep implements bisect.Source.
func (m *Toy) PointStep(p int) int {
	if m.coarse {
		return p / (trace.Points - 1) * Steps
	}
	return p * Steps / (trace.Points - 1)
}

// Initial implements bisect.Source.
func (m *Toy) Initial(state string) (uint64, bool) { return 0, state == "w" }

// Origin implements bisect.Source.
func (m *Toy) Origin(string) (bisect.Origin, bool) { return bisect.Origin{}, false }

// Input implements bisect.Source.
func (m *Toy) Input(step int, name string, element int) (bisect.Datum, error) {
	if name == "x" {
		return bisect.Datum{Record: m.recordOf(step, element/cols), Find: func(record []byte) (uint64, error) { return find(record, element%cols) }}, nil
	}
	if !strings.HasPrefix(name, "in") {
		return bisect.Datum{}, errors.New("part of the state")
	}
	return bisect.Datum{Record: -1, Bits: trace.Element(m.known[step][name], element)}, nil
}

// PayloadSize implements bisect.Source.
func (m *Toy) PayloadSize() int { return 4 * rows * cols }

// Slot implements bisect.Source.
func (m *Toy) Slot(offset int) bisect.Slot {
	if offset < 4 {
		diff := m.weights.Float32()[0] - m.honestEnd()[0]
		return bisect.Slot{Known: true, Byte: byte(math.Float32bits(diff) >> (8 * offset))}
	}
	first := offset / 12 * 3 // blocks of three elements
	return bisect.Slot{Name: "w", Shape: []int{rows, cols}, First: first, Count: min(3, rows*cols-first), Index: offset - 4*first,
		Encode: func(before, after []float32) ([]byte, error) {
			var b []byte
			for i, v := range before {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v-after[i]))
			}
			return b, nil
		}}
}

// honestEnd is the weights at the end; only the honest toy is asked.
func (m *Toy) honestEnd() []float32 {
	for _, e := range m.states[Steps] {
		if e.Name == "w" {
			return e.Tensor.Float32()
		}
	}
	panic("bisecttest: a state without weights")
}

// Program implements bisect.Machine.
func (m *Toy) Program() *trace.Program { return m.program }

// Constant implements bisect.Machine.
func (m *Toy) Constant(i int) *tensor.Tensor { return m.consts[i] }

// State implements bisect.Machine.
func (m *Toy) State(step int) ([]trace.Entry, error) { return m.states[step], nil }

// Values implements bisect.Machine.
func (m *Toy) Values(step int) ([]*tensor.Tensor, error) { return m.values[step], nil }

// Payload implements bisect.Machine.
func (m *Toy) Payload() ([]byte, error) { return m.payload, nil }

// Inputs is the number of inputs of the unit's program; the outputs of the case's node are the values from there on.
func (m *Toy) Inputs() int { return len(m.inputs) }

// Model implements bisect.Machine.
func (m *Toy) Model() ([]trace.Entry, error) {
	return []trace.Entry{{Name: "w", Role: trace.RoleWeights, Tensor: m.weights}}, nil
}

func (m *Toy) leaves() []merkle.Hash {
	var leaves []merkle.Hash
	for _, r := range m.data {
		leaves = append(leaves, merkle.Leaf(r))
	}
	return leaves
}

// Datum implements bisect.Machine.
func (m *Toy) Datum(i int) ([]byte, merkle.Proof, error) {
	return m.data[i], merkle.Prove(m.leaves(), i), nil
}

// Terms are those of a game about this machine's claim.
func (m *Toy) Terms(t testing.TB) bisect.Terms {
	t.Helper()
	var points [trace.Points]merkle.Hash
	for p := range points {
		points[p] = trace.StateRoot(m.states[m.PointStep(p)])
	}
	model, err := m.Model()
	if err != nil {
		t.Fatal(err)
	}
	payload := trace.PayloadRoot(m.payload)
	return bisect.Terms{Program: m.program.Root(), Model: trace.StateRoot(model), Dataset: merkle.Root(m.leaves()), Records: len(m.data), Steps: Steps,
		Trace: trace.TraceRoot(points, payload), Payload: payload}
}
