package registry

import (
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
	"github.com/mutirao/mutirao/protocol/work"
)

// counter is a bank in which everybody has enough; it counts payments.
type counter struct{ payments int }

func (*counter) SendCoinsFromAccountToModule(context.Context, sdk.AccAddress, string, sdk.Coins) error {
	return nil
}
func (c *counter) SendCoinsFromModuleToAccount(context.Context, string, sdk.AccAddress, sdk.Coins) error {
	c.payments++
	return nil
}
func (*counter) BurnCoins(context.Context, string, sdk.Coins) error { return nil }

func newServer(t *testing.T, runs Runs) (msgServer, *counter, sdk.Context) {
	t.Helper()
	key, bank := storetypes.NewKVStoreKey(ModuleName), &counter{}
	k, err := NewKeeper(runtime.NewKVStoreService(key), bank, runs)
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
