package workshop

import (
	"context"
	"fmt"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
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
	if modelRoot(p) != ref.Model || outerRoot(p) != ref.Outer {
		return round.Public{}, fmt.Errorf("model of the round: %w: its roots differ", ErrMismatch)
	}
	w.ref, w.public = ref, p
	return p, nil
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
