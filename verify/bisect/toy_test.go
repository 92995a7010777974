package bisect

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
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/split/splittest"
	"github.com/mutirao/mutirao/verify/trace"
)

// The toy unit has what a training unit has: weights from the model, a second state that starts from zeros, batches from records,
// known inputs, a guard, a payload; and one node of any operator, whose outputs are states of their own so that they matter.
const (
	toySteps   = 20
	toyRecords = 12
	toyRows    = 40
	toyCols    = 33
)

// fault is a lie in an execution. Its zero value is the truth.
type fault struct {
	kind    string
	step    int
	value   int    // "flip"
	element int    // "flip", "batch", "after", "start"
	name    string // "after", "start"
}

// toy is an execution of the toy unit, honest but for one fault.
type toy struct {
	fault
	program  *trace.Program
	nodes    []*exec.Program
	graphs   []*graph.Graph
	inputs   []graph.Value
	consts   []*tensor.Tensor
	known    []map[string]*tensor.Tensor // by step
	initial  map[string]*tensor.Tensor
	weights  *tensor.Tensor
	records  [][]byte
	states   [][]trace.Entry
	values   [][]*tensor.Tensor
	payload  []byte
	skipStep int // the guard of this step is not finite
}

func newToy(t testing.TB, c splittest.Case, f fault, skip int) *toy {
	t.Helper()
	m := &toy{fault: f, skipStep: skip, initial: map[string]*tensor.Tensor{}}
	b := graph.NewBuilder("toy")
	w, x := b.Input("w", tensor.Float32, toyRows, toyCols), b.Input("x", tensor.Float32, toyRows, toyCols)
	s := b.Input("m", tensor.Float32, 5)
	rng := rand.New(rand.NewPCG(11, 12))
	for i, r := range c.Add(b) {
		v := b.Value(r)
		name := fmt.Sprint("probe", i)
		b.Input(name, v.DType, v.Shape...)
		b.Output(trace.NextPrefix+name, r)
		m.initial[name] = tensor.New(v.DType, v.Shape...)
	}
	long := make([]float32, toyRows*toyCols) // too long to stand in a node's record
	for i := range long {
		long[i] = float32(i%9) / 16
	}
	b.Output(trace.NextPrefix+"w", b.Op("Sub", nil, w, b.Op("Mul", nil, x, b.Initializer("rates", tensor.FromFloat32(long, toyRows, toyCols)))))
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
	for range toyRecords {
		record := make([]byte, 4*toyCols)
		for j := range toyCols {
			binary.LittleEndian.PutUint32(record[4*j:], math.Float32bits(float32(rng.NormFloat64())))
		}
		m.records = append(m.records, record)
	}
	infinite := make([]byte, 4*toyCols)
	binary.LittleEndian.PutUint32(infinite, 0x7f800000)
	m.records = append(m.records, infinite)
	for range toySteps {
		m.known = append(m.known, c.Random(rng))
	}
	m.weights = tensor.New(tensor.Float32, toyRows, toyCols)
	for i := range m.weights.Float32() {
		m.weights.Float32()[i] = float32(rng.NormFloat64())
	}
	m.initial["w"], m.initial["m"] = m.weights, tensor.New(tensor.Float32, 5)
	m.run(t)
	return m
}

// run executes the unit with its fault.
func (m *toy) run(t testing.TB) {
	state := map[string]*tensor.Tensor{}
	for name, x := range m.initial {
		state[name] = x.Clone()
	}
	if m.kind == "start" {
		flip(state[m.name], m.element)
	}
	if m.kind == "model" {
		state["w"] = tensor.New(tensor.Float32, toyRows, toyCols)
	}
	m.states = append(m.states, m.list(state))
	for step := range toySteps {
		values := m.step(t, step, state)
		m.values = append(m.values, values)
		after := map[string]*tensor.Tensor{}
		skipped := math.IsInf(float64(values[m.program.Guard].Float32()[0]), 0) || m.kind == "skip" && m.fault.step == step
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
		if m.kind == "after" && m.fault.step == step {
			after[m.name] = after[m.name].Clone()
			flip(after[m.name], m.element)
		}
		state = after
		m.states = append(m.states, m.list(state))
	}
	last := state["w"].Float32()
	for i, v := range m.weights.Float32() {
		m.payload = binary.LittleEndian.AppendUint32(m.payload, math.Float32bits(v-last[i]))
	}
	switch m.kind {
	case "payload":
		m.payload[m.element] ^= 1
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

func (m *toy) list(state map[string]*tensor.Tensor) []trace.Entry {
	var list []trace.Entry
	for name, x := range state {
		list = append(list, trace.Entry{Name: name, Role: trace.RoleState, Tensor: x})
	}
	return list
}

// step computes all values of a step.
func (m *toy) step(t testing.TB, step int, state map[string]*tensor.Tensor) []*tensor.Tensor {
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
			if m.kind == "flip" && m.fault.step == step && m.value == len(values) {
				flip(x, m.element)
			}
			values = append(values, x)
		}
	}
	return values
}

// batch reads the step's records.
func (m *toy) batch(step int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, toyRows, toyCols)
	for i := range x.Float32() {
		record := m.recordOf(step, i/toyCols)
		if m.kind == "seed" {
			record = (record + 1) % toyRecords
		}
		bits, err := find(m.records[record], i%toyCols)
		if err != nil {
			panic(err)
		}
		x.Float32()[i] = math.Float32frombits(uint32(bits))
	}
	if m.kind == "batch" && m.fault.step == step {
		x.Float32()[m.element] += 0.5
	}
	return x
}

func (m *toy) recordOf(step, row int) int {
	if step == m.skipStep && row == 0 {
		return toyRecords
	}
	return (7*step + row) % toyRecords
}

func find(record []byte, i int) (uint64, error) {
	if len(record) != 4*toyCols {
		return 0, errors.New("a record of another length")
	}
	return uint64(binary.LittleEndian.Uint32(record[4*i:])), nil
}

func (m *toy) PointStep(p int) int { return p * toySteps / (trace.Points - 1) }

func (m *toy) Initial(state string) (uint64, bool) { return 0, state == "w" }

func (m *toy) Input(step int, name string, element int) (Datum, error) {
	if name == "x" {
		return Datum{Record: m.recordOf(step, element/toyCols), Find: func(record []byte) (uint64, error) { return find(record, element%toyCols) }}, nil
	}
	if !strings.HasPrefix(name, "in") {
		return Datum{}, errors.New("part of the state")
	}
	return Datum{Record: -1, Bits: trace.Element(m.known[step][name], element)}, nil
}

func (m *toy) PayloadSize() int { return 4 * toyRows * toyCols }

func (m *toy) Slot(offset int) Slot {
	if offset < 4 {
		diff := m.weights.Float32()[0] - m.honestEnd()[0]
		return Slot{Known: true, Byte: byte(math.Float32bits(diff) >> (8 * offset))}
	}
	first := offset / 12 * 3 // blocks of three elements
	return Slot{Name: "w", Shape: []int{toyRows, toyCols}, First: first, Count: min(3, toyRows*toyCols-first), Index: offset - 4*first,
		Encode: func(before, after []float32) ([]byte, error) {
			var b []byte
			for i, v := range before {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v-after[i]))
			}
			return b, nil
		}}
}

// honestEnd is the weights at the end; only the honest toy is asked.
func (m *toy) honestEnd() []float32 {
	x, err := findEntry(m.states[toySteps], "w")
	if err != nil {
		panic(err)
	}
	return x.Float32()
}

func (m *toy) Program() *trace.Program                   { return m.program }
func (m *toy) Constant(i int) *tensor.Tensor             { return m.consts[i] }
func (m *toy) State(step int) ([]trace.Entry, error)     { return m.states[step], nil }
func (m *toy) Values(step int) ([]*tensor.Tensor, error) { return m.values[step], nil }
func (m *toy) Payload() ([]byte, error)                  { return m.payload, nil }

func (m *toy) Model() ([]trace.Entry, error) {
	return []trace.Entry{{Name: "w", Role: trace.RoleWeights, Tensor: m.weights}}, nil
}

func (m *toy) leaves() []merkle.Hash {
	var leaves []merkle.Hash
	for _, r := range m.records {
		leaves = append(leaves, merkle.Leaf(r))
	}
	return leaves
}

func (m *toy) Datum(i int) ([]byte, merkle.Proof, error) {
	return m.records[i], merkle.Prove(m.leaves(), i), nil
}

// terms are those of a game about this machine's claim.
func (m *toy) terms(t testing.TB) Terms {
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
	return Terms{Program: m.program.Root(), Model: trace.StateRoot(model), Dataset: merkle.Root(m.leaves()), Records: len(m.records), Steps: toySteps,
		Trace: trace.TraceRoot(points, payload), Payload: payload}
}
