package onnx

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/tensor"
)

// ErrLimit is wrapped by errors about a run that would take more than its Session's Limits.
var ErrLimit = errors.New("limit of the session")

// Limits bound one run of a Session.
type Limits struct {
	// Work is in multiply-accumulates, as graph.MACs counts them; what is interpreted and compiled counts too, by estimates.
	Work uint64
	// Elements bounds the elements that the values of a run hold at one time, within a factor of two, and those of one compiled program.
	// A string counts one for each four bytes.
	Elements uint64
}

// DefaultLimits allow some minutes on one core, and 4 GiB.
var DefaultLimits = Limits{Work: 1 << 44, Elements: 1 << 30}

// Session runs a model on inputs of any shape. Nodes whose shapes follow from those of the inputs are compiled to programs, as large as
// can be and once for each tuple of shapes; what depends on data (control flow, sequences, strings, sizes) is interpreted node by node
// between them. The bits are those of the graph that Specialise makes, where it can make one: an operator is computed by the same rule.
// A Session keeps the programs of the shapes that were used last. It is not safe for concurrent use.
type Session struct {
	main   *body
	open   opener
	words  Vocabulary
	limits Limits
	cache  cache

	weights *exec.Weights // its constants
	folds   *folds

	// unrolls is how many nodes of bodies a program may write out; longer loops are interpreted. The bits are the same.
	unrolls int
}

const sessionUnrolls = 256

// NewSession reads the model's constants and resolves names. Errors wrap ErrInvalid or ErrUnsupported and name the node.
func (m *Model) NewSession(limits Limits) (*Session, error) {
	opset, err := m.usableOpset()
	if err != nil {
		return nil, err
	}
	s := &Session{open: m.open, words: m.Vocabulary(), limits: limits, cache: newCache(), unrolls: sessionUnrolls, weights: exec.NewWeights()}
	s.folds = &folds{weights: s.weights, known: map[*nodeProto][]*value{}}
	s.main, err = s.newBody(&m.proto.graph, nil, opset)
	return s, err
}

// Run computes the outputs. Values are shared, not copied: inputs must not change while outputs are in use. Errors wrap ErrInvalid,
// ErrUnsupported, ErrLimit, exec.ErrInput or exec.ErrIndex, and name the node.
func (s *Session) Run(in map[string]Value) (map[string]Value, error) {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if !slices.ContainsFunc(s.main.inputs, func(slot int) bool { return s.main.names[slot] == name }) {
			return nil, fmt.Errorf("%w: the model has no input %q", ErrInvalid, name)
		}
	}
	list := make([]Value, len(s.main.inputs))
	for i, slot := range s.main.inputs {
		v, ok := in[s.main.names[slot]]
		if !ok {
			return nil, fmt.Errorf("%w: input %q is missing", ErrInvalid, s.main.names[slot])
		}
		list[i] = v
	}
	r := &run{s: s}
	out, err := s.main.run(r, list, nil)
	if err != nil {
		return nil, err
	}
	results := map[string]Value{}
	for i, slot := range s.main.outputs {
		results[s.main.names[slot]] = out[i]
	}
	return results, nil
}

// run is the state of one run: what it has spent and what it holds.
type run struct {
	s      *Session
	work   uint64   // spent
	made   uint64   // elements made since they were counted last
	frames []*frame // those that are open, the main graph's first
}

// Estimates of work, in multiply-accumulates: a core does about 64 a nanosecond at best.
const (
	workOfNode    = 1 << 14 // interpreting a node
	workOfCompile = 1 << 18 // making a node part of a program
)

// spend counts work before it is done.
func (r *run) spend(work uint64) error {
	if r.work += work; r.work > r.s.limits.Work || r.work < work {
		return fmt.Errorf("%w: more work than %d multiply-accumulates", ErrLimit, r.s.limits.Work)
	}
	return nil
}

// hold counts elements before they are made. When they may exceed the limit, what the run holds is counted exactly.
func (r *run) hold(elements uint64) error {
	if elements > r.s.limits.Elements {
		return r.tooMuch()
	}
	if r.made += elements; r.made <= r.s.limits.Elements {
		return nil
	}
	seen := map[*tensor.Tensor]bool{}
	held := elements
	for _, f := range r.frames {
		for _, e := range f.env {
			held += e.elements(seen)
		}
		for _, list := range f.lists {
			for _, v := range *list {
				held += v.elements(seen)
			}
		}
	}
	if held > r.s.limits.Elements {
		return r.tooMuch()
	}
	r.made = 0
	return nil
}

func (r *run) tooMuch() error {
	return fmt.Errorf("%w: more than %d elements at one time", ErrLimit, r.s.limits.Elements)
}

// elements is what v holds; a tensor counts once.
func (v Value) elements(seen map[*tensor.Tensor]bool) uint64 {
	switch {
	case v.Tensor != nil && !seen[v.Tensor]:
		seen[v.Tensor] = true
		return uint64(v.Tensor.Len())
	case v.Text != nil:
		return v.Text.elements()
	}
	sum := uint64(0)
	for _, e := range v.Sequence {
		sum += 8 + e.elements(seen)
	}
	return sum
}

func (t *Text) elements() uint64 {
	sum := uint64(0)
	for _, s := range t.Data {
		sum += 4 + uint64(len(s))/4
	}
	return sum
}
