package workshop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/payload"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// FoldSource knows what the aggregate of a round reads and puts out: it implements bisect.Source. It follows from the
// recipe and from what the ledger knows: the public state by its roots, and the payload root of each admitted unit.
type FoldSource struct {
	outline      *round.Outline
	model, outer merkle.Hash   // the state before
	payloads     []merkle.Hash // roots of those of the admitted units
	entries      []string      // names of the state's entries, ascending
}

// NewFoldSource is the source of an aggregate that starts from a model and reads dispute.AggregateInputs, of which there is one at least.
func NewFoldSource(o *round.Outline, model protocol.Hash, inputs []protocol.Hash) FoldSource {
	return FoldSource{outline: o, model: model, outer: inputs[0], payloads: inputs[1:], entries: foldEntries(o)}
}

// foldEntries are the names of an aggregate's state, ascending.
func foldEntries(o *round.Outline) []string {
	list := []string{round.FoldRejected}
	for _, w := range o.Layout() {
		list = append(list, round.FoldTheta+w.Name, round.FoldMomentum+w.Name, round.FoldResidual+w.Name)
	}
	slices.Sort(list)
	return list
}

// PointStep implements bisect.Source: there is one step.
func (s FoldSource) PointStep(point int) int { return point / (trace.Points - 1) }

// Initial implements bisect.Source: units count as rejected until the step says otherwise. The rest has an Origin.
func (s FoldSource) Initial(string) (uint64, bool) { return uint64(trace.CanonicalBits(1)), false }

// Origin implements bisect.Source.
func (s FoldSource) Origin(state string) (bisect.Origin, bool) {
	for _, part := range []struct {
		prefix, role string
		root         merkle.Hash
	}{
		{round.FoldTheta, registry.RoleWeights, s.model},
		{round.FoldMomentum, roleMomentum, s.outer},
		{round.FoldResidual, roleResidual, s.outer},
	} {
		if name, ok := strings.CutPrefix(state, part.prefix); ok {
			return bisect.Origin{State: part.root, Name: name, Role: part.role}, true
		}
	}
	return bisect.Origin{}, false
}

// tokens of a unit: those that the run's terms name, which members check when they open the run.
func (s FoldSource) tokens() uint64 { return s.outline.UnitTokens(s.outline.Recipe().Train.Steps) }

// Input implements bisect.Source: tokens as the run's terms have them, codes and scales from pieces of the payloads.
func (s FoldSource) Input(_ int, name string, element int) (bisect.Datum, error) {
	if name == round.FoldTokens {
		return bisect.Datum{Record: -1, Bits: s.outline.CountTokens(s.tokens())}, nil
	}
	if w, ok := strings.CutPrefix(name, round.FoldScales); ok {
		return s.element(w, element, payload.BlockSize, func(e payload.Element) int { return e.Exponent }, func(_ payload.Element, b byte) uint64 {
			return uint64(trace.CanonicalBits(payload.Scale(b)))
		})
	}
	if w, ok := strings.CutPrefix(name, round.FoldCodes); ok {
		return s.element(w, element, 1, func(e payload.Element) int { return e.Code }, func(e payload.Element, b byte) uint64 {
			return uint64(int64(e.In(b)))
		})
	}
	return bisect.Datum{}, errors.New("not read from a payload")
}

// element finds an element of codes or scales, of which each stands for so many elements of the weight.
func (s FoldSource) element(weight string, element, each int, at func(payload.Element) int, bits func(payload.Element, byte) uint64) (bisect.Datum, error) {
	layout := s.outline.Layout()
	j := slices.IndexFunc(layout, func(w tensor.Named) bool { return w.Name == weight })
	if j < 0 {
		return bisect.Datum{}, fmt.Errorf("the model has no %q", weight)
	}
	perUnit := round.FoldBlocks(layout[j]) * payload.BlockSize / each
	unit, in := element/perUnit, element%perUnit*each
	if in >= layout[j].Tensor.Len() {
		return bisect.Datum{Record: -1}, nil // zeros behind the end
	}
	e := payload.Find(layout, j, in)
	piece, offset := at(e)/trace.PieceSize, at(e)%trace.PieceSize
	leaves := 1 + s.pieces()
	return bisect.Datum{
		Record: unit*leaves + 1 + piece,
		Leaf:   &bisect.Leaf{Root: s.payloads[unit], At: 1 + piece, Count: leaves},
		Find: func(b []byte) (uint64, error) {
			if offset >= len(b) {
				return 0, fmt.Errorf("a piece of %d bytes", len(b))
			}
			return bits(e, b[offset]), nil
		},
	}, nil
}

// pieces is the number of pieces of a payload.
func (s FoldSource) pieces() int {
	return (payload.Size(s.outline.Layout()) + trace.PieceSize - 1) / trace.PieceSize
}

// PayloadSize implements bisect.Source.
func (s FoldSource) PayloadSize() int { return 2*merkle.Size + len(s.payloads) }

// Slot implements bisect.Source: all bytes follow from the roots of the last state.
func (s FoldSource) Slot(int) bisect.Slot { return bisect.Slot{Entries: s.entries, Right: s.right} }

// right compares a byte with the roots of the next state, or, all at once, the bytes that say who is rejected.
func (s FoldSource) right(roots []merkle.Hash, piece []byte, at int) bool {
	root := func(name string) merkle.Hash { return roots[slices.Index(s.entries, name)] }
	var model, outer []merkle.Hash
	layout := s.outline.Layout()
	for _, w := range layout {
		model = append(model, trace.EntryLeaf(w.Name, registry.RoleWeights, root(round.FoldTheta+w.Name)))
		outer = append(outer, trace.EntryLeaf(w.Name, roleMomentum, root(round.FoldMomentum+w.Name)), trace.EntryLeaf(w.Name, roleResidual, root(round.FoldResidual+w.Name)))
	}
	switch m, o := merkle.Root(model), merkle.Root(outer); {
	case at < merkle.Size:
		return piece[at] == m[at]
	case at < 2*merkle.Size:
		return piece[at] == o[at-merkle.Size]
	}
	flags := make([]float32, len(s.payloads))
	for i, b := range piece[2*merkle.Size:] {
		if b > 1 {
			return false
		}
		flags[i] = float32(b)
	}
	return trace.TensorRoot(tensor.FromFloat32(flags, len(flags))) == root(round.FoldRejected)
}

// foldTrace is the root of the execution of an aggregate as a program: of 16 times the state before, in which all units are rejected, and the
// state after. A Fold finds the same, with all values of the step (TestFold).
func foldTrace(layout []tensor.Named, before, after roots, rejected []bool, sent []byte) merkle.Hash {
	none, out := make([]float32, len(rejected)), make([]float32, len(rejected))
	for i := range out {
		none[i] = 1
		if rejected[i] {
			out[i] = 1
		}
	}
	var points [trace.Points]merkle.Hash
	last := len(points) - 1
	points[0], points[last] = foldPoint(layout, before, none), foldPoint(layout, after, out)
	for p := range last {
		points[p] = points[0]
	}
	return trace.TraceRoot(points, trace.PayloadRoot(sent))
}

// foldPoint is the root of a state of an aggregate.
func foldPoint(layout []tensor.Named, r roots, rejected []float32) merkle.Hash {
	of := map[string]merkle.Hash{round.FoldRejected: trace.TensorRoot(tensor.FromFloat32(rejected, len(rejected)))}
	for i, w := range layout {
		of[round.FoldTheta+w.Name], of[round.FoldMomentum+w.Name], of[round.FoldResidual+w.Name] = r.theta[i], r.momentum[i], r.residual[i]
	}
	var leaves []merkle.Hash
	for _, name := range slices.Sorted(maps.Keys(of)) {
		leaves = append(leaves, trace.EntryLeaf(name, trace.RoleState, of[name]))
	}
	return merkle.Root(leaves)
}

// Fold is the aggregate of the open round, to be looked into in a dispute.
func (w *Workshop) Fold(ctx context.Context, s *work.State) (*Fold, error) {
	payloads, err := w.admitted(ctx, s)
	if err != nil {
		return nil, err
	}
	public, err := w.Public(ctx, s.Current)
	if err != nil {
		return nil, err
	}
	return NewFold(NewFoldSource(w.trainer.Outline, s.Current.Model, dispute.AggregateInputs(s)), public, payloads)
}

// FoldProgram is the program of an aggregate of n units.
func FoldProgram(o *round.Outline, n int) (*graph.Graph, *trace.Program, error) {
	g, err := o.FoldGraph(n)
	if err != nil {
		return nil, nil, err
	}
	p, err := trace.NewProgram(g)
	return g, p, err
}

// Fold is an aggregate that can be looked into: it implements bisect.Machine. It keeps all values of the step once they are asked for,
// about ten bytes for each weight and unit.
type Fold struct {
	FoldSource
	public  round.Public
	sent    [][]byte // payloads
	graph   *graph.Graph
	program *trace.Program
	inputs  map[string]*tensor.Tensor
	values  []*tensor.Tensor // nil until asked for
}

// NewFold makes the machine of an aggregate of payloads in canonical form.
func NewFold(s FoldSource, p round.Public, payloads [][]byte) (*Fold, error) {
	if len(payloads) != len(s.payloads) {
		return nil, fmt.Errorf("workshop: %d payloads of %d", len(payloads), len(s.payloads))
	}
	f := &Fold{FoldSource: s, public: p, sent: payloads}
	var list []round.Contribution
	for _, b := range payloads {
		list = append(list, round.Contribution{Payload: b, Tokens: s.tokens()})
	}
	var err error
	if f.inputs, err = s.outline.FoldInputs(p, list); err != nil {
		return nil, err
	}
	f.graph, f.program, err = FoldProgram(s.outline, len(payloads))
	return f, err
}

// Program implements bisect.Machine.
func (f *Fold) Program() *trace.Program { return f.program }

// Constant implements bisect.Machine.
func (f *Fold) Constant(i int) *tensor.Tensor { return f.graph.Initializers[i].Tensor }

// Values implements bisect.Machine.
func (f *Fold) Values(int) ([]*tensor.Tensor, error) {
	if f.values == nil {
		traced, err := exec.CompileTraced(f.graph)
		if err != nil {
			return nil, err
		}
		if f.values, err = traced.Run(f.inputs); err != nil {
			return nil, err
		}
	}
	return f.values, nil
}

// State implements bisect.Machine.
func (f *Fold) State(step int) ([]trace.Entry, error) {
	after := func(s trace.StateRecord) *tensor.Tensor { return f.inputs[s.Name] }
	if step > 0 {
		values, err := f.Values(0)
		if err != nil {
			return nil, err
		}
		if guard := values[f.program.Guard].Float32()[0]; guard == guard {
			after = func(s trace.StateRecord) *tensor.Tensor { return values[s.Next] }
		}
	}
	var list []trace.Entry
	for i := range f.program.States {
		record, _ := f.program.Record(f.program.StateAt(i))
		s, err := trace.ParseState(record)
		if err != nil {
			return nil, err
		}
		list = append(list, trace.Entry{Name: s.Name, Role: trace.RoleState, Tensor: after(s)})
	}
	return list, nil
}

// Next is the public state after the round, and which units are rejected.
func (f *Fold) Next() (next round.Public, rejected []bool, err error) {
	state, err := f.State(1)
	if err != nil {
		return round.Public{}, nil, err
	}
	for _, e := range state {
		for _, part := range []struct {
			prefix string
			list   *[]tensor.Named
		}{{round.FoldTheta, &next.Theta}, {round.FoldMomentum, &next.Momentum}, {round.FoldResidual, &next.Residual}} {
			if name, ok := strings.CutPrefix(e.Name, part.prefix); ok {
				*part.list = append(*part.list, tensor.Named{Name: name, Tensor: e.Tensor})
			}
		}
		if e.Name == round.FoldRejected {
			for _, v := range e.Tensor.Float32() {
				rejected = append(rejected, v != 0)
			}
		}
	}
	return next, rejected, nil
}

// Payload implements bisect.Machine: what the vote for this aggregate says.
func (f *Fold) Payload() ([]byte, error) {
	next, rejected, err := f.Next()
	if err != nil {
		return nil, err
	}
	v := work.Vote{Next: work.StateRef{Model: modelRoot(next), Outer: outerRoot(next)}}
	admitted := make([]uint32, len(rejected))
	for i, out := range rejected {
		admitted[i] = uint32(i)
		if out {
			v.Rejected = append(v.Rejected, uint32(i))
		}
	}
	return dispute.AggregateBytes(v, admitted), nil
}

// Trace is the root of the execution, which a vote names.
func (f *Fold) Trace() (protocol.Hash, error) {
	var points [trace.Points]merkle.Hash
	for p := range points {
		state, err := f.State(f.PointStep(p))
		if err != nil {
			return protocol.Hash{}, err
		}
		points[p] = trace.StateRoot(state)
	}
	b, err := f.Payload()
	return trace.TraceRoot(points, trace.PayloadRoot(b)), err
}

// Model implements bisect.Machine.
func (f *Fold) Model() ([]trace.Entry, error) { return f.Named(f.model) }

// Named implements bisect.Archive.
func (f *Fold) Named(root merkle.Hash) ([]trace.Entry, error) {
	if root == f.model {
		return entries(nil, registry.RoleWeights, f.public.Theta), nil
	}
	return entries(entries(nil, roleMomentum, f.public.Momentum), roleResidual, f.public.Residual), nil
}

// Datum implements bisect.Machine: a piece of a payload.
func (f *Fold) Datum(i int) ([]byte, merkle.Proof, error) {
	leaves := 1 + f.pieces()
	unit, leaf := i/leaves, i%leaves
	if unit >= len(f.sent) || leaf == 0 {
		return nil, nil, fmt.Errorf("workshop: piece %d of the payloads", i)
	}
	b := f.sent[unit]
	from := (leaf - 1) * trace.PieceSize
	return bytes.Clone(b[from:min(from+trace.PieceSize, len(b))]), merkle.Prove(trace.PayloadLeaves(b), leaf), nil
}
