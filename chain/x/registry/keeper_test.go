package registry

import (
	"bytes"
	"context"
	"errors"
	"testing"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/x/registry/registrypb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
	"github.com/mutirao/mutirao/protocol/work"
)

// counter is a bank in which everybody has enough; it counts payments, and has a fault when it shall pay one account.
type counter struct {
	payments int
	fault    protocol.Account
}

var errFault = errors.New("a fault of the bank")

func (*counter) SendCoinsFromAccountToModule(context.Context, sdk.AccAddress, string, sdk.Coins) error {
	return nil
}
func (c *counter) SendCoinsFromModuleToAccount(_ context.Context, _ string, to sdk.AccAddress, _ sdk.Coins) error {
	if bytes.Equal(to, c.fault[:]) {
		return errFault
	}
	c.payments++
	return nil
}
func (*counter) BurnCoins(context.Context, string, sdk.Coins) error { return nil }

func newServer(t *testing.T, runs Runs) (msgServer, *counter, sdk.Context) {
	t.Helper()
	key, bank := storetypes.NewKVStoreKey(ModuleName), &counter{}
	k, err := NewKeeper(runtime.NewKVStoreService(key), bank, runs, func(sdk.Context, protocol.Hash) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return msgServer{Keeper: k}, bank, testutil.DefaultContext(key, storetypes.NewTransientStoreKey("t"))
}

// outOfGas reports whether applying m with so much gas runs out of it.
func (s msgServer) outOfGas(t *testing.T, ctx sdk.Context, gas uint64, m protocol.Msg) (out bool) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			if _, out = p.(storetypes.ErrorOutOfGas); !out {
				panic(p)
			}
		}
	}()
	err := s.apply(ctx.WithGasMeter(storetypes.NewGasMeter(gas)), m, protocol.Account{1})
	t.Logf("%s: %v", m.Kind(), err)
	return false
}

// TestStateIsPaidBeforeItIsDecoded stores what cannot be decoded: without the gas for its bytes nobody finds out.
func TestStateIsPaidBeforeItIsDecoded(t *testing.T) {
	const size, little = 10_000, escrow.GasPerStateByte*10_000 - 1
	garbage := make([]byte, size)
	run := &work.State{ID: protocol.Hash{1}, Spec: work.Spec{Dataset: protocol.Hash{2}}}
	s, _, ctx := newServer(t, func(_ context.Context, id protocol.Hash, charge escrow.Charge) (*work.State, error) {
		if id == run.ID {
			return run, nil
		}
		charge(size)
		return nil, errors.New("decoded")
	})
	model := registry.ModelID(run.Spec.InferenceProgram, run.Current.Model, run.ID)
	if err := s.models.Set(ctx, model[:], garbage); err != nil {
		t.Fatal(err)
	}
	if !s.outOfGas(t, ctx, little, registry.Use{Model: model, Fee: money.New(1)}) {
		t.Error("a use decoded the model")
	}
	if !s.outOfGas(t, ctx, little, registry.PublishModel{Run: protocol.Hash{9}}) {
		t.Error("a publication decoded the run")
	}
	if err := put(ctx, s.datasets, run.Spec.Dataset, registry.Dataset{}); err != nil {
		t.Fatal(err)
	}
	if !s.outOfGas(t, ctx, little, registry.PublishModel{Run: run.ID}) {
		t.Error("a publication decoded the model that is there already")
	}
	if err := s.datasets.Set(ctx, run.Spec.Dataset[:], garbage); err != nil {
		t.Fatal(err)
	}
	if !s.outOfGas(t, ctx, little, registry.PublishModel{Run: run.ID}) {
		t.Error("a publication decoded the dataset")
	}
}

// TestAUseCostsTheSameForAnyNumberOfHolders and pays nobody yet; each holder claims its own part.
func TestAUseCostsTheSameForAnyNumberOfHolders(t *testing.T) {
	s, bank, ctx := newServer(t, nil)
	m := registry.Model{ID: protocol.Hash{1}}
	if err := put(ctx, s.models, m.ID, m); err != nil {
		t.Fatal(err)
	}
	const holders = 1000
	for i := range holders {
		h := registry.Holding{Model: m.ID, Holder: protocol.Account{byte(i), byte(i >> 8), 1}, PPM: 1_000_000 / holders}
		if err := s.putHolding(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.apply(ctx, registry.Use{Model: m.ID, Fee: money.New(1_000_000)}, protocol.Account{9}); err != nil || bank.payments != 0 {
		t.Fatalf("%d payments, %v", bank.payments, err)
	}
	first, second := protocol.Account{0, 0, 1}, protocol.Account{7, 1, 1}
	for _, who := range []protocol.Account{first, second} {
		if err := s.apply(ctx, registry.ClaimDividend{Model: m.ID, Holder: who}, protocol.Account{9}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.apply(ctx, registry.ClaimDividend{Model: m.ID, Holder: first}, first); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("a dividend is paid twice: %v", err)
	}
	m, err := s.Model(ctx, m.ID, escrow.Free)
	if err != nil || bank.payments != 2 || m.Paid != money.New(2000) {
		t.Errorf("%d payments, %s: %v", bank.payments, m.Paid, err)
	}
	if err := s.apply(ctx, registry.TransferShares{Model: m.ID, To: second, PPM: 1000}, first); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Holding(ctx, m.ID, first); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("an empty holding stays: %v", err)
	}
	list, err := queryServer{s.Keeper}.Holdings(ctx, &registrypb.HoldingsRequest{Model: m.ID[:]})
	if err != nil || len(list.Json) != holders-1 {
		t.Errorf("%d holdings: %v", len(list.GetJson()), err)
	}
	last, err := queryServer{s.Keeper}.Holdings(ctx, &registrypb.HoldingsRequest{Model: m.ID[:], After: second[:]})
	if err != nil || len(last.Json) == 0 || len(last.Json) >= len(list.Json) {
		t.Errorf("%d of %d holdings after one: %v", len(last.GetJson()), len(list.Json), err)
	}
}

// TestChannelsEndByThemselves: many in one block take several, one that cannot end stops no other, and it is tried again.
func TestChannelsEndByThemselves(t *testing.T) {
	s, bank, ctx := newServer(t, nil)
	m := registry.Model{ID: protocol.Hash{1}}
	if err := put(ctx, s.models, m.ID, m); err != nil {
		t.Fatal(err)
	}
	const channels = 2*maxEnds + 50
	at := func(h int64) sdk.Context { return ctx.WithBlockHeight(h) }
	for i := range channels {
		who := protocol.Account{byte(i), byte(i >> 8), 1}
		if err := s.apply(at(1), voucher.Open{Model: m.ID, Deposit: money.New(5), Blocks: 9, Nonce: uint64(i)}, who); err != nil {
			t.Fatal(err)
		}
	}
	bank.fault = protocol.Account{7, 0, 1}
	left := func() (n int) {
		if err := s.listChannels(ctx, nil, nil, func([]byte) bool { n++; return false }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		height int64
		left   int
	}{{9, channels}, {10, channels - maxEnds}, {11, channels - 2*maxEnds}, {12, 1}, {13, 1}} {
		if err := s.endBlock(at(c.height)); err != nil {
			t.Fatal(err)
		}
		// The faulty one counts as left from its first attempt on.
		if got := left(); got != c.left && got != c.left+1 {
			t.Errorf("after block %d %d channels are left, want %d", c.height, got, c.left)
		}
	}
	if left() != 1 || bank.payments != channels-1 {
		t.Errorf("%d left, %d payments", left(), bank.payments)
	}
	bank.fault = protocol.Account{}
	for h := int64(14); left() > 0 && h < 14+retryBlocks; h++ {
		if err := s.endBlock(at(h)); err != nil {
			t.Fatal(err)
		}
	}
	if left() != 0 || bank.payments != channels {
		t.Errorf("%d left, %d payments", left(), bank.payments)
	}
	list, err := queryServer{s.Keeper}.Channels(ctx, &registrypb.ChannelsRequest{Payer: bank.fault[:]})
	if err != nil || len(list.Json) != 0 {
		t.Errorf("%d channels of a payer: %v", len(list.GetJson()), err)
	}
}
