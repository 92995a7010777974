package registry

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// TestDepositedModelIsKept deposits a model, finds its bytes and its holding, withdraws it, and finds the bytes gone.
func TestDepositedModelIsKept(t *testing.T) {
	s, bank, ctx := newServer(t, nil)
	b := graph.NewBuilder("double")
	x := b.Input("x", tensor.Float32, 1, 2)
	b.Output("y", b.Op("Add", nil, x, x))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	author, raw := protocol.Account{1}, graph.Encode(g)
	id, err := registry.DepositID(raw, author)
	if err != nil {
		t.Fatal(err)
	}
	deposit := registry.DepositModel{Name: "double", Artifact: raw}
	if err := s.apply(ctx, deposit, author); err != nil {
		t.Fatal(err)
	}
	if kept, err := s.Artifact(ctx, id); err != nil || !bytes.Equal(kept, raw) {
		t.Errorf("keeps %d bytes: %v", len(kept), err)
	}
	if size, err := s.ArtifactSize(ctx, id); err != nil || size != len(raw) {
		t.Errorf("size %d: %v", size, err)
	}
	if h, err := s.Holding(ctx, id, author); err != nil || h.PPM != 1_000_000 {
		t.Errorf("holding %+v: %v", h, err)
	}
	if err := s.apply(ctx, deposit, author); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("the same again: %v", err)
	}
	if err := s.apply(ctx, registry.WithdrawModel{Model: id}, protocol.Account{2}); !errors.Is(err, protocol.ErrInvalid) {
		t.Errorf("withdrawn by another: %v", err)
	}
	if err := s.apply(ctx, registry.WithdrawModel{Model: id}, author); err != nil || bank.payments != 1 {
		t.Errorf("withdrawn with %d payments: %v", bank.payments, err)
	}
	if _, err := s.Artifact(ctx, id); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("the bytes are still there: %v", err)
	}
	if m, err := s.Model(ctx, id, escrow.Free); err != nil || m.Callable != nil {
		t.Errorf("model %+v: %v", m, err)
	}
	if err := s.apply(ctx, deposit, author); err != nil {
		t.Errorf("deposited again: %v", err)
	}
}
