package workshop

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/optim"
	"github.com/mutirao/mutirao/learn/payload"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// Source knows what a unit of a recipe reads and sends: it implements bisect.Source. It is the same for both players and the referee.
type Source struct {
	trainer *round.Trainer
	seed    protocol.Hash
	steps   int
}

// NewSource is the source of a unit with a shard's seed.
func NewSource(t *round.Trainer, seed protocol.Hash, steps int) Source { return Source{t, seed, steps} }

// PointStep implements bisect.Source.
func (s Source) PointStep(point int) int { return s.trainer.PointStep(point, s.steps) }

// Initial implements bisect.Source.
func (s Source) Initial(state string) (uint64, bool) {
	for _, w := range s.trainer.Layout() {
		if w.Name == state {
			return 0, true
		}
	}
	return uint64(trace.CanonicalBits(optim.Initial(state))), false
}

// Input implements bisect.Source.
func (s Source) Input(step int, name string, element int) (bisect.Datum, error) {
	if name == optim.LearningRate {
		return bisect.Datum{Record: -1, Bits: uint64(trace.CanonicalBits(s.trainer.Rate(step, s.steps)))}, nil
	}
	for _, v := range s.trainer.StepGraph().Inputs {
		if v.Name != name || s.isState(name) {
			continue
		}
		batch := s.trainer.Recipe().Train.Batch
		each := v.Len() / batch
		return bisect.Datum{Record: s.trainer.RecordOf(s.seed, step, element/each), Find: func(record []byte) (uint64, error) {
			one, err := s.trainer.ReadRecord(record)
			if err != nil {
				return 0, err
			}
			return trace.Element(one[name], element%each), nil
		}}, nil
	}
	return bisect.Datum{}, errors.New("not read from the data set")
}

func (s Source) isState(name string) bool {
	for _, v := range s.trainer.StepGraph().Outputs {
		if x, ok := strings.CutPrefix(v.Name, optim.Next); ok && x == name {
			return true
		}
	}
	return false
}

// PayloadSize implements bisect.Source.
func (s Source) PayloadSize() int { return payload.Size(s.trainer.Layout()) }

// Slot implements bisect.Source.
func (s Source) Slot(offset int) bisect.Slot {
	p := payload.Locate(offset, s.trainer.Layout())
	return bisect.Slot{Known: p.Head, Byte: p.Byte, Name: p.Name, Shape: p.Shape, First: p.First, Count: p.Count, Index: p.Index,
		Encode: func(before, after []float32) ([]byte, error) {
			change := make([]float32, len(before))
			for i := range change {
				change[i] = before[i] - after[i]
			}
			return payload.EncodeBlock(change)
		}}
}

// Machine is a unit that can be looked into: it implements bisect.Machine by computing again what is asked for. One goroutine owns it.
type Machine struct {
	Source
	ctx     context.Context // of the dispute; bisect.Machine has none in its methods
	theta   []tensor.Named
	records [][]byte
	program *trace.Program
	traced  *exec.Traced

	at      int // of state and inputs; -1 before the first walk
	state   []trace.Entry
	inputs  map[string]*tensor.Tensor // of the step after it
	values  []*tensor.Tensor          // of that step; nil until asked for
	leaves  []merkle.Hash             // of the records; nil until asked for
	payload []byte
}

// NewMachine makes a machine for a unit that starts from weights. It takes the data set's records, which must not change.
func NewMachine(ctx context.Context, t *round.Trainer, theta []tensor.Named, records [][]byte, seed protocol.Hash, steps int) (*Machine, error) {
	program, err := trace.NewProgram(t.StepGraph())
	if err != nil {
		return nil, err
	}
	traced, err := exec.CompileTraced(t.StepGraph())
	if err != nil {
		return nil, err
	}
	return &Machine{Source: NewSource(t, seed, steps), ctx: ctx, theta: theta, records: records, program: program, traced: traced, at: -1}, nil
}

// Program implements bisect.Machine.
func (m *Machine) Program() *trace.Program { return m.program }

// Constant implements bisect.Machine.
func (m *Machine) Constant(i int) *tensor.Tensor {
	return m.trainer.StepGraph().Initializers[i].Tensor
}

// reach walks to a step, from where the machine stands if that is before it.
func (m *Machine) reach(step int) error {
	if m.at == step {
		return nil
	}
	from, state := 0, []round.Entry(nil)
	if m.at >= 0 && m.at < step {
		from = m.at
		for _, e := range m.state {
			state = append(state, round.Entry(e))
		}
	}
	task := round.Task{Theta: m.theta, Seed: m.seed, Steps: m.steps}
	return m.trainer.Walk(m.ctx, task, from, state, func(at int, in map[string]*tensor.Tensor) (bool, error) {
		if at < step {
			return true, nil
		}
		m.at, m.values, m.state, m.inputs = at, nil, nil, map[string]*tensor.Tensor{}
		for _, v := range m.trainer.StepGraph().Inputs {
			m.inputs[v.Name] = in[v.Name]
			if m.isState(v.Name) {
				m.state = append(m.state, trace.Entry{Name: v.Name, Role: trace.RoleState, Tensor: in[v.Name]})
			}
		}
		return false, nil
	})
}

// State implements bisect.Machine.
func (m *Machine) State(step int) ([]trace.Entry, error) {
	if step < 0 || step > m.steps {
		return nil, fmt.Errorf("workshop: state after step %d of %d", step, m.steps)
	}
	if err := m.reach(step); err != nil {
		return nil, err
	}
	return m.state, nil
}

// Values implements bisect.Machine.
func (m *Machine) Values(step int) ([]*tensor.Tensor, error) {
	if step < 0 || step >= m.steps {
		return nil, fmt.Errorf("workshop: values of step %d of %d", step+1, m.steps)
	}
	if err := m.reach(step); err != nil {
		return nil, err
	}
	if m.values == nil {
		var err error
		if m.values, err = m.traced.Run(m.inputs); err != nil {
			return nil, err
		}
	}
	return m.values, nil
}

// Payload implements bisect.Machine.
func (m *Machine) Payload() ([]byte, error) {
	if m.payload != nil {
		return m.payload, nil
	}
	state, err := m.State(m.steps)
	if err != nil {
		return nil, err
	}
	var after []tensor.Named
	for _, w := range m.theta {
		for _, e := range state {
			if e.Name == w.Name {
				after = append(after, tensor.Named{Name: e.Name, Tensor: e.Tensor})
			}
		}
	}
	m.payload, err = m.trainer.Pack(m.theta, after)
	return m.payload, err
}

// Model implements bisect.Machine.
func (m *Machine) Model() ([]trace.Entry, error) {
	return entries(nil, trace.RoleWeights, m.theta), nil
}

// Datum implements bisect.Machine.
func (m *Machine) Datum(i int) ([]byte, merkle.Proof, error) {
	if m.leaves == nil {
		for _, r := range m.records {
			m.leaves = append(m.leaves, merkle.Leaf(r))
		}
	}
	if i < 0 || i >= len(m.records) {
		return nil, nil, fmt.Errorf("workshop: record %d of %d", i, len(m.records))
	}
	return m.records[i], merkle.Prove(m.leaves, i), nil
}
