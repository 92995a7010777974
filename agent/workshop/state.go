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

// kept is a public state at hand, with its name on the ledger and the roots of its tensors.
type kept struct {
	ref    work.StateRef
	public round.Public
	roots  roots
}

// is reports whether it is the state that ref names. The address of its bytes does not matter: who computes the state need not fetch it.
func (k kept) is(ref work.StateRef) bool {
	return len(k.roots.theta) > 0 && k.ref.Model == ref.Model && k.ref.Outer == ref.Outer
}

// roots are those of the tensors of a public state, in the order of its weights.
type roots struct{ theta, momentum, residual []merkle.Hash }

func rootsOf(p round.Public) roots {
	of := func(list []tensor.Named) []merkle.Hash {
		tensors := make([]*tensor.Tensor, len(list))
		for i, t := range list {
			tensors[i] = t.Tensor
		}
		return trace.TensorRoots(tensors)
	}
	return roots{of(p.Theta), of(p.Momentum), of(p.Residual)}
}

// model is the root of the weights, outer that of the outer optimizer's state; both are in the order of names.
func (r roots) model(layout []tensor.Named) merkle.Hash {
	leaves := make([]merkle.Hash, len(layout))
	for i, w := range layout {
		leaves[i] = trace.EntryLeaf(w.Name, registry.RoleWeights, r.theta[i])
	}
	return merkle.Root(leaves)
}

func (r roots) outer(layout []tensor.Named) merkle.Hash {
	var leaves []merkle.Hash
	for i, w := range layout {
		leaves = append(leaves, trace.EntryLeaf(w.Name, roleMomentum, r.momentum[i]), trace.EntryLeaf(w.Name, roleResidual, r.residual[i]))
	}
	return merkle.Root(leaves)
}

// Keep stores a public state, serves it to peers and returns its name on the ledger.
func (w *Workshop) Keep(ctx context.Context, p round.Public) (work.StateRef, error) {
	k, err := w.keep(ctx, p)
	return k.ref, err
}

func (w *Workshop) keep(ctx context.Context, p round.Public) (kept, error) {
	blob, err := w.blobs.Put(ctx, round.EncodePublic(p))
	if err != nil {
		return kept{}, err
	}
	r := rootsOf(p)
	return kept{work.StateRef{Model: r.model(p.Theta), Outer: r.outer(p.Theta), Blob: blob}, p, r}, nil
}

// Public returns the state that ref names: the one asked for or computed last, or from the store or peers, checked against both roots.
func (w *Workshop) Public(ctx context.Context, ref work.StateRef) (round.Public, error) {
	if w.at.is(ref) {
		return w.at.public, nil
	}
	k := w.next
	if !k.is(ref) {
		var err error
		if k, err = w.fetch(ctx, ref); err != nil {
			return round.Public{}, err
		}
	}
	w.at, w.first = k, w.firstPoint(k.public, k.roots.theta)
	return k.public, nil
}

// fetch gets a state that is not at hand.
func (w *Workshop) fetch(ctx context.Context, ref work.StateRef) (kept, error) {
	encoded, err := get(ctx, w.blobs, ref.Blob, round.MaxPublic)
	if err != nil {
		return kept{}, fmt.Errorf("fetch the model: %w", err)
	}
	p, err := round.DecodePublic(encoded)
	if err != nil {
		return kept{}, fmt.Errorf("model of the round: %w", err)
	}
	k := kept{ref, p, rootsOf(p)}
	if k.roots.model(p.Theta) != ref.Model || k.roots.outer(p.Theta) != ref.Outer {
		return kept{}, fmt.Errorf("model of the round: %w: its roots differ", ErrMismatch)
	}
	return k, nil
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
