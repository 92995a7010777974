package workshop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// Machine is a unit that can be looked into: it implements bisect.Machine by computing again what is asked for. One goroutine owns it.
type Machine struct {
	Source
	trainer *round.Trainer
	ctx     context.Context // of the dispute; bisect.Machine has none in its methods
	theta   []tensor.Named
	records [][]byte
	program *trace.Program
	traced  *exec.Traced

	at      int // of state and inputs; -1 before the first walk
	state   []trace.Entry
	inputs  map[string]*tensor.Tensor // of the step after it
	values  []*tensor.Tensor          // of the step asked for last, which most of a game is about; nil before
	valued  int                       // that step
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
	return &Machine{Source: NewSource(t.Outline, seed, steps), trainer: t, ctx: ctx, theta: theta, records: records, program: program, traced: traced, at: -1}, nil
}

// Program implements bisect.Machine.
func (m *Machine) Program() *trace.Program { return m.program }

// Constant implements bisect.Machine.
func (m *Machine) Constant(i int) *tensor.Tensor {
	return m.outline.StepGraph().Initializers[i].Tensor
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
		m.at, m.state, m.inputs = at, nil, map[string]*tensor.Tensor{}
		for _, v := range m.outline.StepGraph().Inputs {
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
	if m.values != nil && m.valued == step {
		return m.values, nil
	}
	m.values = nil // to be collected before the next are made
	if err := m.reach(step); err != nil {
		return nil, err
	}
	var err error
	m.values, err = m.traced.Run(m.inputs)
	m.valued = step
	return m.values, err
}

// Machine is a unit that starts from a public state, to be looked into in a dispute. sent is the payload to defend; nil for what the
// unit's weights lead to.
func (w *Workshop) Machine(ctx context.Context, from work.StateRef, shard protocol.Hash, steps int, sent []byte) (*Machine, error) {
	public, err := w.Public(ctx, from)
	if err != nil {
		return nil, err
	}
	m, err := NewMachine(ctx, w.trainer, public.Theta, w.trainer.Data().Leaves(), shard, steps)
	if err != nil {
		return nil, err
	}
	m.payload = sent
	return m, nil
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
	m.payload, err = m.outline.Pack(m.theta, after)
	if errors.Is(err, round.ErrDiverged) {
		m.payload, err = noise(m.PayloadSize()), nil
	}
	return m.payload, err
}

// noise stands for the payload of a unit that diverges, which has none: it differs from whatever is claimed, so a challenger finds a byte to
// point at, and there the referee finds weights that cannot be encoded, or other bytes than claimed.
func noise(size int) []byte {
	b := make([]byte, size)
	rand.Read(b) // never fails (crypto/rand)
	return b
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
