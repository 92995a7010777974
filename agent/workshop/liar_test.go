package workshop

import (
	"math"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/verify/trace"
)

// deceit is what a worker does otherwise than it should. What is nil is done honestly.
type deceit struct {
	start   func(state map[string]*tensor.Tensor)                   // changes what the unit starts from
	inputs  func(step int, in map[string]*tensor.Tensor)            // changes what a step reads
	traced  *exec.Traced                                            // another graph of as many values
	lie     *lie                                                    // about one number
	after   func(step int, before, after map[string]*tensor.Tensor) // changes the state after a step
	payload func([]byte) []byte                                     // changes what is sent
}

// lie changes bits of one element of what a node puts out in one step. All that follows is computed from it.
type lie struct {
	step, value, element int
	flip                 uint32 // bits; 1 is one unit in the last place
}

// liar is a machine that keeps to a deceit: it answers from an execution that it has really done.
type liar struct {
	*Machine
	states [][]trace.Entry    // by number of steps
	values [][]*tensor.Tensor // by step
	sent   []byte
}

func (l *liar) State(step int) ([]trace.Entry, error)           { return l.states[step], nil }
func (l *liar) Values(step int) ([]*tensor.Tensor, error)       { return l.values[step], nil }
func (l *liar) Payload() ([]byte, error)                        { return l.sent, nil }
func (m *Machine) task() round.Task                             { return round.Task{Theta: m.theta, Seed: m.seed, Steps: m.steps} }
func flipped(x *tensor.Tensor, at int, b uint32) *tensor.Tensor { return flip(x.Clone(), at, b) }

func flip(x *tensor.Tensor, at int, b uint32) *tensor.Tensor {
	x.Float32()[at] = math.Float32frombits(math.Float32bits(x.Float32()[at]) ^ b)
	return x
}

// newLiar computes a unit with a deceit.
func newLiar(t testing.TB, m *Machine, d deceit) *liar {
	t.Helper()
	l := &liar{Machine: m}
	traced := m.traced
	if d.traced != nil {
		traced = d.traced
	}
	var state []round.Entry
	for at := range m.steps + 1 {
		in := inputsOf(t, m, at, state)
		if at == 0 && d.start != nil {
			d.start(in)
		}
		if at < m.steps && d.inputs != nil {
			d.inputs(at, in)
		}
		before := map[string]*tensor.Tensor{}
		var list []trace.Entry
		for _, v := range m.trainer.StepGraph().Inputs {
			if m.isState(v.Name) {
				before[v.Name] = in[v.Name]
				list = append(list, trace.Entry{Name: v.Name, Role: trace.RoleState, Tensor: in[v.Name]})
			}
		}
		l.states = append(l.states, list)
		if at == m.steps {
			break
		}
		values, err := traced.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		if d.lie != nil && d.lie.step == at {
			values = believe(t, m.trainer.StepGraph(), m.traced, in, d.lie.value, flipped(values[d.lie.value], d.lie.element, d.lie.flip))
		}
		l.values = append(l.values, values)
		next := map[string]*tensor.Tensor{}
		for i := range m.program.States {
			s := stateRecord(t, m, i)
			next[s.Name] = values[s.Next]
		}
		if d.after != nil {
			d.after(at, before, next)
		}
		state = nil
		for name, x := range next {
			state = append(state, round.Entry{Name: name, Role: trace.RoleState, Tensor: x})
		}
	}
	end := &Machine{Source: m.Source, theta: m.theta, at: m.steps, state: l.states[m.steps]}
	var err error
	if l.sent, err = end.Payload(); err != nil {
		t.Fatal(err)
	}
	if d.payload != nil {
		l.sent = d.payload(slices.Clone(l.sent))
	}
	return l
}

// inputsOf are all inputs of a step, from the state before it; nil is the start.
func inputsOf(t testing.TB, m *Machine, at int, state []round.Entry) map[string]*tensor.Tensor {
	t.Helper()
	inputs := map[string]*tensor.Tensor{}
	err := m.trainer.Walk(t.Context(), m.task(), at, state, func(_ int, in map[string]*tensor.Tensor) (bool, error) {
		for k, v := range in {
			inputs[k] = v
		}
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return inputs
}

func stateRecord(t testing.TB, m *Machine, i int) trace.StateRecord {
	t.Helper()
	record, _ := m.program.Record(m.program.StateAt(i))
	s, err := trace.ParseState(record)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// believe computes the values of a step in which all nodes that read one of them read a lie instead.
func believe(t testing.TB, step *graph.Graph, honest *exec.Traced, inputs map[string]*tensor.Tensor, value int, lie *tensor.Tensor) []*tensor.Tensor {
	t.Helper()
	g := *step
	name := honest.Values()[value]
	g.Inputs = append(slices.Clone(g.Inputs), graph.Value{Name: "a lie", DType: lie.DType(), Shape: lie.Shape()})
	g.Nodes = slices.Clone(g.Nodes)
	for i := range g.Nodes {
		in := slices.Clone(g.Nodes[i].Inputs)
		for j := range in {
			if in[j] == name {
				in[j] = "a lie"
			}
		}
		g.Nodes[i].Inputs = in
	}
	traced, err := exec.CompileTraced(&g)
	if err != nil {
		t.Fatal(err)
	}
	with := map[string]*tensor.Tensor{"a lie": lie}
	for k, v := range inputs {
		with[k] = v
	}
	values, err := traced.Run(with)
	if err != nil {
		t.Fatal(err)
	}
	n := len(g.Inputs) - 1
	values = append(values[:n:n], values[n+1:]...)
	values[value] = lie
	return values
}
