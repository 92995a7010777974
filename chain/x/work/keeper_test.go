package work

import (
	"context"
	"encoding/json"
	"testing"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	evmaddress "github.com/cosmos/evm/encoding/address"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
	"github.com/mutirao/mutirao/protocol"
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

// newKeeper is a keeper over an empty store, at height 1.
func newKeeper(t *testing.T) (*Keeper, sdk.Context) {
	t.Helper()
	key := storetypes.NewKVStoreKey(ModuleName)
	k, err := NewKeeper(runtime.NewKVStoreService(key), purse{}, anyDataset{})
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
