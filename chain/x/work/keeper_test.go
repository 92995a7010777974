package work

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	evmaddress "github.com/cosmos/evm/encoding/address"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// purse is a bank in which everybody has enough.
type purse struct{}

func (purse) SendCoinsFromAccountToModule(context.Context, sdk.AccAddress, string, sdk.Coins) error {
	return nil
}
func (purse) SendCoinsFromModuleToAccount(context.Context, string, sdk.AccAddress, sdk.Coins) error {
	return nil
}
func (purse) BurnCoins(context.Context, string, sdk.Coins) error { return nil }

// anyDataset knows every dataset.
type anyDataset struct{}

func (anyDataset) HasDataset(context.Context, protocol.Hash) (bool, error) { return true, nil }
func (anyDataset) HasModel(context.Context, protocol.Hash) (bool, error)   { return true, nil }

// noMarket has no leases.
type noMarket struct{}

func (noMarket) Lease(context.Context, protocol.Hash, escrow.Charge) (market.Lease, error) {
	return market.Lease{}, protocol.ErrNotFound
}
func (noMarket) Forfeit(sdk.Context, protocol.Hash, protocol.Account, escrow.Charge) error {
	return nil
}
func (noMarket) Base(context.Context, market.Class, escrow.Charge) (auction.Price, error) {
	return 0, protocol.ErrNotFound
}
func (noMarket) Checked(sdk.Context, protocol.Account, bool) error { return nil }

func (noMarket) TakenUp(sdk.Context, protocol.Hash) error { return nil }

func (noMarket) Absent(sdk.Context, protocol.Hash) error { return nil }

func (noMarket) Ended(sdk.Context, protocol.Hash, protocol.Account) error { return nil }

// ownMoney is the commons where every run pays for itself.
type ownMoney struct{}

func (ownMoney) Settle(_ sdk.Context, _ *work.State, effects []protocol.Effect) ([]protocol.Effect, error) {
	return effects, nil
}
func (ownMoney) Welcome(sdk.Context, protocol.Account, protocol.Hash) error { return nil }

// newKeeper is a keeper over an empty store, at height 1.
func newKeeper(t *testing.T) (*Keeper, sdk.Context) {
	t.Helper()
	key := storetypes.NewKVStoreKey(ModuleName)
	k, err := NewKeeper(runtime.NewKVStoreService(key), purse{}, anyDataset{}, noMarket{}, func() Commons { return ownMoney{} })
	if err != nil {
		t.Fatal(err)
	}
	return k, testutil.DefaultContext(key, storetypes.NewTransientStoreKey("t")).WithBlockHeight(1)
}

var author = protocol.Account{19: 1}

// newRun creates a run that waits for members; distinct nonces make distinct runs.
func newRun(t *testing.T, k *Keeper, ctx sdk.Context, nonce uint64) protocol.Hash {
	t.Helper()
	spec := work.DefaultSpec()
	h := protocol.Hash{31: 1}
	spec.Name, spec.Dataset, spec.Program, spec.InferenceProgram, spec.Params = "n", h, h, h, []string{"w"}
	spec.Initial, spec.Rounds, spec.Steps = work.StateRef{Model: h, Outer: h, Blob: h}, 1, 1
	spec.Price.PerUnit, spec.ProviderBond, spec.VerifierBond = money.MUT(1), money.MUT(1), money.MUT(1)
	m := work.CreateRun{Nonce: nonce, Spec: spec}
	execute(t, k, ctx, m)
	return work.RunID(author, m)
}

// execute hands a message to the module as a transaction does.
func execute(t *testing.T, k *Keeper, ctx sdk.Context, m work.Msg) {
	t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	server := msgServer{k, evmaddress.NewEvmCodec(network.AddressPrefix)}
	if _, err := server.Execute(ctx, &workpb.MsgExecute{From: author.String(), Kind: m.Kind(), Body: body}); err != nil {
		t.Fatal(err)
	}
}

// outOfGas reports whether f runs out of gas.
func outOfGas(t *testing.T, f func()) (out bool) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			if _, out = p.(storetypes.ErrorOutOfGas); !out {
				panic(p)
			}
		}
	}()
	f()
	return false
}

// TestStateIsPaidBeforeItIsDecoded stores what cannot be decoded: without the gas for its bytes nobody finds out.
func TestStateIsPaidBeforeItIsDecoded(t *testing.T) {
	k, ctx := newKeeper(t)
	id := protocol.Hash{1}
	if err := k.runs.Set(ctx, id[:], make([]byte, 800_000)); err != nil {
		t.Fatal(err)
	}
	little := ctx.WithGasMeter(storetypes.NewGasMeter(1_000_000))
	if !outOfGas(t, func() { execute(t, k, little, work.Leave{Run: id}) }) {
		t.Error("a state of 800 kB was read for a million gas")
	}
}

// endBlock ends block h.
func endBlock(t *testing.T, k *Keeper, ctx sdk.Context, h protocol.Height) {
	t.Helper()
	if err := k.endBlock(ctx.WithBlockHeight(int64(h))); err != nil {
		t.Fatal(err)
	}
}

// stopped counts the runs that have stopped.
func stopped(t *testing.T, k *Keeper, ctx sdk.Context, ids []protocol.Hash) (n int) {
	t.Helper()
	for _, id := range ids {
		s, err := k.Run(ctx, id, escrow.Free)
		if err != nil {
			t.Fatal(err)
		}
		if s.Phase == work.PhaseStopped {
			n++
		}
	}
	return n
}

// TestBlockTicksWhatFits lets runs with nobody in them reach one deadline: as many bytes as a block may take end in it, the
// rest in the next, each with the same outcome.
func TestBlockTicksWhatFits(t *testing.T) {
	k, ctx := newKeeper(t)
	var ids []protocol.Hash
	for i := range uint64(4) {
		ids = append(ids, newRun(t, k, ctx, i))
	}
	endBlock(t, k, ctx, 1)
	for _, id := range ids { // JSON may end with spaces
		raw, err := k.raw(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.runs.Set(ctx, id[:], append(raw, bytes.Repeat([]byte{' '}, 3<<20)...)); err != nil {
			t.Fatal(err)
		}
	}
	deadline := 1 + protocol.Height(work.DefaultSpec().Windows.Wait)
	endBlock(t, k, ctx, deadline-1)
	if n := stopped(t, k, ctx, ids); n != 0 {
		t.Fatalf("%d runs stopped before their deadline", n)
	}
	endBlock(t, k, ctx, deadline)
	if n := stopped(t, k, ctx, ids); n != 2 {
		t.Errorf("%d runs of 3 MiB stopped in one block, 2 fit", n)
	}

	// A message does not send a run that waits to the end of the queue.
	for _, id := range ids {
		due, waits, err := k.agenda.Due(ctx, id)
		if !waits {
			continue // stopped
		}
		execute(t, k, ctx.WithBlockHeight(int64(deadline+1)), work.Join{Run: id, Role: work.Provider, Peer: "p"})
		if now, _, again := k.agenda.Due(ctx, id); again != nil || err != nil || now != due {
			t.Errorf("a message moved the tick from block %d to %d: %v", due, now, err)
		}
	}
	endBlock(t, k, ctx, deadline+1)
	if n := stopped(t, k, ctx, ids); n != len(ids) {
		t.Errorf("%d runs stopped after two blocks, want all %d", n, len(ids))
	}
}

func TestBlockTicksSoManyRuns(t *testing.T) {
	k, ctx := newKeeper(t)
	var ids []protocol.Hash
	for i := range uint64(maxTicks + 1) {
		ids = append(ids, newRun(t, k, ctx, i))
	}
	endBlock(t, k, ctx, 1)
	endBlock(t, k, ctx, 2) // all of them wait for their deadline now
	deadline := 1 + protocol.Height(work.DefaultSpec().Windows.Wait)
	endBlock(t, k, ctx, deadline)
	if n := stopped(t, k, ctx, ids); n != maxTicks {
		t.Errorf("%d runs stopped in one block", n)
	}
	endBlock(t, k, ctx, deadline+1)
	if n := stopped(t, k, ctx, ids); n != len(ids) {
		t.Errorf("%d of %d runs stopped after two blocks", n, len(ids))
	}
}

// TestRunThatCannotTickRests damages a run: it must neither stop the chain nor be tried in every block.
func TestRunThatCannotTickRests(t *testing.T) {
	k, ctx := newKeeper(t)
	bad, good := newRun(t, k, ctx, 1), newRun(t, k, ctx, 2)
	if err := k.runs.Set(ctx, bad[:], []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	postponed := func(h protocol.Height) (n int) {
		ctx := ctx.WithEventManager(sdk.NewEventManager())
		endBlock(t, k, ctx, h)
		for _, e := range ctx.EventManager().Events() {
			if e.Type == "work.postponed" {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		height protocol.Height
		want   int
	}{{1, 1}, {2, 0}, {retryBlocks, 0}, {1 + retryBlocks, 1}, {2 + retryBlocks, 0}} {
		if n := postponed(c.height); n != c.want {
			t.Errorf("block %d: the run was postponed %d times, want %d", c.height, n, c.want)
		}
	}
	endBlock(t, k, ctx, 1+protocol.Height(work.DefaultSpec().Windows.Wait))
	if n := stopped(t, k, ctx, []protocol.Hash{good}); n != 1 {
		t.Error("the other run did not go on")
	}
}
