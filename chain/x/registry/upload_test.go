package registry

import (
	"bytes"
	"errors"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/verify/trace"
)

// wide is an artifact of three chunks.
func wide(t *testing.T) []byte {
	t.Helper()
	b := graph.NewBuilder("wide")
	x := b.Input("x", tensor.Float32, 1, 400)
	b.Output("y", b.Op("MatMul", nil, x, b.Initializer("w", tensor.New(tensor.Float32, 400, 200))))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return graph.Encode(g)
}

// left counts what is stored of uploads.
func (s msgServer) left(t *testing.T, ctx sdk.Context) (n int) {
	t.Helper()
	err := errors.Join(
		s.uploads.Walk(ctx, nil, func([]byte, []byte) (bool, error) { n++; return false, nil }),
		s.chunks.Walk(ctx, nil, func(place, []byte) (bool, error) { n++; return false, nil }),
		s.uploadEnds.Walk(ctx, nil, func(due) (bool, error) { n++; return false, nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestUploadBecomesAModel and leaves nothing of itself; what is sent out of order changes nothing.
func TestUploadBecomesAModel(t *testing.T) {
	s, bank, ctx := newServer(t, nil)
	author, raw := protocol.Account{1}, wide(t)
	open := registry.OpenUpload{Name: "wide", Content: trace.PayloadRoot(raw), Size: uint64(len(raw))}
	id := registry.UploadID(author, open.Content)
	chunk := func(i int) registry.AddChunk {
		data := raw[i*registry.ChunkBytes:]
		return registry.AddChunk{Upload: id, Index: uint32(i), Data: data[:min(len(data), registry.ChunkBytes)]}
	}
	other := chunk(2)
	other.Data = bytes.Clone(other.Data)
	other.Data[0] ^= 1
	for i, step := range []struct {
		from byte
		m    protocol.Msg
		want error
	}{
		{1, chunk(0), protocol.ErrNotFound},
		{1, open, nil},
		{1, open, protocol.ErrExists},
		{1, chunk(1), protocol.ErrInvalid},
		{2, chunk(0), protocol.ErrInvalid},
		{1, chunk(0), nil},
		{1, chunk(0), protocol.ErrInvalid},
		{2, registry.AbortUpload{Upload: id}, protocol.ErrInvalid},
		{1, registry.AbortUpload{Upload: id}, nil},
		{1, open, nil},
		{1, chunk(0), nil},
		{1, chunk(1), nil},
		{1, other, protocol.ErrArtifact},
		{1, chunk(2), nil},
		{1, chunk(2), protocol.ErrNotFound},
	} {
		if err := s.apply(ctx, step.m, protocol.Account{step.from}); !errors.Is(err, step.want) || step.want == nil && err != nil {
			t.Fatalf("step %d: %s: %v, want %v", i, step.m.Kind(), err, step.want)
		}
	}
	model, err := registry.DepositID(raw, author)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := s.Artifact(ctx, model); err != nil || !bytes.Equal(kept, raw) {
		t.Errorf("keeps %d bytes: %v", len(kept), err)
	}
	if n := s.left(t, ctx); n != 0 || bank.payments != 1 {
		t.Errorf("%d entries are left, %d payments", n, bank.payments)
	}
	if err := s.apply(ctx, registry.WithdrawModel{Model: model}, author); err != nil || bank.payments != 2 {
		t.Errorf("withdrawn with %d payments: %v", bank.payments, err)
	}
}

// TestFinishingIsPaid: the last chunk runs out of gas before its model is hashed.
func TestFinishingIsPaid(t *testing.T) {
	s, _, ctx := newServer(t, nil)
	garbage := make([]byte, 100_000)
	open := registry.OpenUpload{Name: "n", Content: trace.PayloadRoot(garbage), Size: uint64(len(garbage))}
	if err := s.apply(ctx, open, protocol.Account{1}); err != nil {
		t.Fatal(err)
	}
	m := registry.AddChunk{Upload: registry.UploadID(protocol.Account{1}, open.Content), Data: garbage}
	if !s.outOfGas(t, ctx, GasPerUploadedByte*uint64(len(garbage)), m) {
		t.Error("the model was read")
	}
	if s.outOfGas(t, ctx, GasPerUploadedByte*uint64(len(garbage))+100_000, m) {
		t.Error("enough was not enough")
	}
}

// TestUploadsExpire a bounded number in a block, and one that the bank cannot pay does not stop the others.
func TestUploadsExpire(t *testing.T) {
	s, bank, ctx := newServer(t, nil)
	ctx = ctx.WithBlockHeight(5)
	const many = maxExpired + 5
	for i := range many {
		who := protocol.Account{byte(i + 1)}
		open := registry.OpenUpload{Name: "n", Content: protocol.Hash{9}, Size: registry.ChunkBytes + 1}
		if err := s.apply(ctx, open, who); err != nil {
			t.Fatal(err)
		}
		if err := s.apply(ctx, registry.AddChunk{Upload: registry.UploadID(who, open.Content), Data: make([]byte, registry.ChunkBytes)}, who); err != nil {
			t.Fatal(err)
		}
	}
	bank.fault = protocol.Account{1}
	for _, step := range []struct {
		height int64
		left   int
	}{{4 + registry.UploadBlocks, many}, {5 + registry.UploadBlocks, many - maxExpired}, {6 + registry.UploadBlocks, 1}, {6 + registry.UploadBlocks + retryBlocks, 1}} {
		if err := s.endBlock(ctx.WithBlockHeight(step.height)); err != nil {
			t.Fatal(err)
		}
		left := s.left(t, ctx)
		if least := 3 * step.left; left < least || left > least+3 {
			t.Errorf("block %d: %d entries left, want those of %d uploads", step.height, left, step.left)
		}
	}
	bank.fault = protocol.Account{}
	if err := s.endBlock(ctx.WithBlockHeight(10 * registry.UploadBlocks)); err != nil || s.left(t, ctx) != 0 || bank.payments != many {
		t.Errorf("%d entries left, %d payments: %v", s.left(t, ctx), bank.payments, err)
	}
}
