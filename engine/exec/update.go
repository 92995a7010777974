package exec

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// ErrSkipped is returned by a program of CompileUpdate that left its state as it was, because the guard was not finite.
var ErrSkipped = errors.New("update skipped: a value is not finite")

// Update says which outputs of a graph are the next contents of which inputs.
type Update struct {
	// State maps the name of an output to that of the input, of the same type and shape, whose tensor it replaces.
	State map[string]string
	// Guard is a float32 output of one element. If it is not finite nothing is replaced.
	Guard string
}

// CompileUpdate is Compile for a graph that is run on its own outputs, as a training step is: the tensors given as inputs named in
// u.State are overwritten with the outputs, where possible while those are computed, so that a step needs no second copy of weights
// and moments. Those outputs are not among the ones that RunInto wants. When RunInto returns ErrSkipped the state is as it was;
// after another error it is undefined. It returns graph.Infer's error, or one that wraps graph.ErrInvalid if u does not fit g.
func CompileUpdate(g *graph.Graph, u Update) (*Program, error) {
	values, err := graph.Infer(g)
	if err != nil {
		return nil, err
	}
	has := func(list []graph.Value, name string) bool {
		return slices.ContainsFunc(list, func(v graph.Value) bool { return v.Name == name })
	}
	_, replaces := u.State[u.Guard]
	if v := values[u.Guard]; !has(g.Outputs, u.Guard) || replaces || v.DType != tensor.Float32 || v.Len() != 1 {
		return nil, fmt.Errorf("%w: guard %q is not a float32 output of one element", graph.ErrInvalid, u.Guard)
	}
	seen := map[string]bool{}
	for _, out := range sortedKeys(u.State) {
		in := u.State[out]
		x, y := values[in], values[out]
		if !has(g.Inputs, in) || !has(g.Outputs, out) || seen[in] || x.DType != y.DType || !slices.Equal(x.Shape, y.Shape) {
			return nil, fmt.Errorf("%w: output %q cannot replace input %q", graph.ErrInvalid, out, in)
		}
		seen[in] = true
	}
	return compile(g, &u, NewWeights())
}

// replacement is an input whose tensor an output replaces.
type replacement struct {
	in, out int  // storages
	copied  bool // at the end of a run
	// held takes the new contents before any input is replaced, where they are in memory that is not ours.
	held *tensor.Tensor
	// canonical says that the step which computes the output makes its NaN canonical.
	canonical bool
}

// replace decides, for each output that replaces an input, whether it can be written to the input's tensor at once: when the guard is
// known and nothing needs the input any more. Others are computed elsewhere and copied at the end. It returns them and the first
// instruction that replaces something.
func (c *compiler) replace(u *Update) (list []replacement, commit int) {
	commit = len(c.code)
	guard := c.storages[c.ids[u.Guard]].maker
	taken := map[int]bool{}
	for _, name := range sortedKeys(u.State) {
		r := replacement{in: c.ids[u.State[name]], out: c.ids[name]}
		s := &c.storages[r.out]
		switch {
		case s.place == planned && !taken[r.out] && s.maker > guard && c.unread(r.in, r.out):
			s.place = replaced
			commit = min(commit, s.maker)
		case s.place == planned:
			s.place, r.copied = kept, true
		default: // an output of its own, an initializer, or another input, which may be replaced before it is copied
			r.copied, r.held = true, tensor.New(s.dtype, s.len)
		}
		taken[r.out] = true
		list = append(list, r)
	}
	return list, commit
}

// unread reports whether the instruction that makes out may write to the tensor of input in.
func (c *compiler) unread(in, out int) bool {
	if c.isOutput[in] {
		return false
	}
	maker := c.storages[out].maker
	for i := maker; i < len(c.code); i++ {
		at := slices.Index(c.code[i].in, in)
		if at < 0 {
			continue
		}
		again := slices.Contains(c.code[i].in[at+1:], in)
		if i > maker || again || !c.code[i].overwrites(slices.Index(c.code[i].out, out), at) {
			return false
		}
	}
	return true
}

// finish makes what was replaced canonical and copies what could not be written at once.
func (p *Program) finish() {
	for _, r := range p.state {
		if r.held != nil {
			r.held.CopyFrom(p.values[r.out])
		}
	}
	for _, r := range p.state {
		switch {
		case r.held != nil:
			p.values[r.in].CopyFrom(r.held)
		case r.copied:
			p.values[r.in].CopyFrom(p.values[r.out])
		}
		if p.values[r.in].DType() == tensor.Float32 && !r.canonical {
			kernel.Canonicalize(p.f32[r.in])
		}
	}
}

func sortedKeys(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
