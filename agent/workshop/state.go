package workshop

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/optim"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// Roles of the outer optimizer's tensors in a state root.
const (
	roleMomentum = "momentum"
	roleResidual = "residual"
)

// Keep stores a public state, serves it to peers and returns its name on the ledger.
func (w *Workshop) Keep(ctx context.Context, p round.Public) (work.StateRef, error) {
	blob, err := w.blobs.Put(ctx, round.EncodePublic(p))
	if err != nil {
		return work.StateRef{}, err
	}
	return work.StateRef{Model: modelRoot(p), Outer: outerRoot(p), Blob: blob}, nil
}

// Public returns the state that ref names: the one asked for last, or from the store or peers, checked against both roots.
func (w *Workshop) Public(ctx context.Context, ref work.StateRef) (round.Public, error) {
	if w.ref == ref {
		return w.public, nil
	}
	encoded, err := get(ctx, w.blobs, ref.Blob, round.MaxPublic)
	if err != nil {
		return round.Public{}, fmt.Errorf("fetch the model: %w", err)
	}
	p, err := round.DecodePublic(encoded)
	if err != nil {
		return round.Public{}, fmt.Errorf("model of the round: %w", err)
	}
	roots := tensorRoots(p.Theta)
	if rootOf(registry.RoleWeights, p.Theta, roots) != ref.Model || outerRoot(p) != ref.Outer {
		return round.Public{}, fmt.Errorf("model of the round: %w: its roots differ", ErrMismatch)
	}
	w.ref, w.public, w.first = ref, p, w.firstPoint(p, roots)
	return p, nil
}

// firstPoint is the root of the state that every unit of a round starts from: the weights, whose roots are known from checking the model, and
// what the optimizer begins with, which is the same in all rounds. So no unit hashes its start.
func (w *Workshop) firstPoint(p round.Public, weights []merkle.Hash) merkle.Hash {
	if w.begin == nil {
		w.begin = map[string]merkle.Hash{}
		for _, v := range w.trainer.StepGraph().Outputs {
			if name, ok := strings.CutPrefix(v.Name, optim.Next); ok {
				x := tensor.New(v.DType, v.Shape...)
				if first := optim.Initial(name); first != 0 {
					x.Float32()[0] = first
				}
				w.begin[name] = trace.TensorRoot(x)
			}
		}
	}
	roots := maps.Clone(w.begin)
	for i, t := range p.Theta {
		roots[t.Name] = weights[i]
	}
	var leaves []merkle.Hash
	for _, name := range slices.Sorted(maps.Keys(roots)) {
		leaves = append(leaves, trace.EntryLeaf(name, trace.RoleState, roots[name]))
	}
	return merkle.Root(leaves)
}

func tensorRoots(list []tensor.Named) []merkle.Hash {
	roots := make([]merkle.Hash, len(list))
	for i, t := range list {
		roots[i] = trace.TensorRoot(t.Tensor)
	}
	return roots
}

// rootOf is the root of a state of tensors of one role, in name order, whose roots are known.
func rootOf(role string, list []tensor.Named, roots []merkle.Hash) merkle.Hash {
	leaves := make([]merkle.Hash, len(list))
	for i, t := range list {
		leaves[i] = trace.EntryLeaf(t.Name, role, roots[i])
	}
	return merkle.Root(leaves)
}

func modelRoot(p round.Public) protocol.Hash {
	return trace.StateRoot(entries(nil, registry.RoleWeights, p.Theta))
}

func outerRoot(p round.Public) protocol.Hash {
	return trace.StateRoot(entries(entries(nil, roleMomentum, p.Momentum), roleResidual, p.Residual))
}

func entries(list []trace.Entry, role string, tensors []tensor.Named) []trace.Entry {
	for _, t := range tensors {
		list = append(list, trace.Entry{Name: t.Name, Role: role, Tensor: t.Tensor})
	}
	return list
}
