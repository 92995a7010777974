package dispute

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"cosmossdk.io/core/appmodule"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	evmaddress "github.com/cosmos/evm/encoding/address"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/dispute/disputepb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// purse is a bank in which everybody has enough; it counts the coins that are in escrow.
type purse struct{ held *int64 }

func units(c sdk.Coins) int64 { return c[0].Amount.QuoRaw(1_000_000_000).Int64() }

func (p purse) SendCoinsFromAccountToModule(_ context.Context, _ sdk.AccAddress, _ string, c sdk.Coins) error {
	*p.held += units(c)
	return nil
}

func (p purse) SendCoinsFromModuleToAccount(_ context.Context, _ string, _ sdk.AccAddress, c sdk.Coins) error {
	*p.held -= units(c)
	return nil
}

func (p purse) BurnCoins(_ context.Context, _ string, c sdk.Coins) error {
	*p.held -= units(c)
	return nil
}

// oneRun is a work module with one run, whose one unit is revealed.
type oneRun struct {
	open, closed, convicted int
	fail                    error
}

var defender = protocol.Account{1}

func (w *oneRun) Run(_ context.Context, id protocol.Hash, charge escrow.Charge) (*work.State, error) {
	charge(1000)
	s := &work.State{ID: id, Spec: work.DefaultSpec(), Phase: work.PhaseAuditCommit}
	s.Spec.Steps, s.Spec.Recipe = 4, []byte("recipe")
	s.Round = &work.Round{Number: 1, Units: []work.Unit{{Worker: defender, Status: work.Revealed, Shard: protocol.Hash{9}}}}
	return s, nil
}

func (w *oneRun) OpenGame(sdk.Context, *work.State, uint32, uint32, protocol.Account) error {
	w.open++
	return nil
}

func (w *oneRun) CloseGame(_ sdk.Context, _ protocol.Hash, _, _ uint32, _ protocol.Account, c *work.Conviction, charge escrow.Charge) error {
	charge(1000)
	if w.fail != nil {
		return w.fail
	}
	w.closed++
	if c != nil {
		w.convicted++
	}
	return nil
}

type anyDataset struct{}

func (anyDataset) Dataset(context.Context, protocol.Hash, escrow.Charge) (registry.Dataset, error) {
	return registry.Dataset{Records: 5, RecordSize: 8}, nil
}

// anyPrograms knows sources that nobody asks.
type anyPrograms struct{}

func (anyPrograms) Effort([]byte) uint64 { return 1 }

func (anyPrograms) Source([]byte, uint64, uint64, protocol.Hash, int) (bisect.Source, error) {
	return nil, nil
}

func (anyPrograms) Aggregate([]byte, uint64, uint64, int) (protocol.Hash, error) {
	return protocol.Hash{}, nil
}

func (anyPrograms) Fold([]byte, uint64, uint64, protocol.Hash, []protocol.Hash) (bisect.Source, error) {
	return nil, nil
}

// bench is a keeper over an empty store with what it stands on.
type bench struct {
	*testing.T
	*Keeper
	sdk.Context
	works *oneRun
	held  int64
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, works: &oneRun{}}
	key := storetypes.NewKVStoreKey(ModuleName)
	var err error
	if b.Keeper, err = NewKeeper(runtime.NewKVStoreService(key), purse{&b.held}, b.works, anyDataset{}, anyPrograms{}); err != nil {
		t.Fatal(err)
	}
	b.Context = testutil.DefaultContext(key, storetypes.NewTransientStoreKey("t")).WithBlockHeight(1)
	return b
}

func (b *bench) send(from protocol.Account, m dispute.Msg) error {
	b.T.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	server := msgServer{b.Keeper, evmaddress.NewEvmCodec(network.AddressPrefix)}
	_, err = server.Execute(b.Context, &disputepb.MsgExecute{From: from.String(), Kind: m.Kind(), Body: body})
	return err
}

// openAs opens a dispute of an account of its own and returns its id.
func (b *bench) openAs(i int) protocol.Hash {
	b.T.Helper()
	who := protocol.Account{2, byte(i >> 8), byte(i)}
	m := dispute.Open{Run: protocol.Hash{7}, Round: 1}
	if err := b.send(who, m); err != nil {
		b.Fatal(err)
	}
	run, _ := b.works.Run(b.Context, m.Run, escrow.Free)
	data, _ := anyDataset{}.Dataset(b.Context, protocol.Hash{}, escrow.Free)
	return dispute.ID(dispute.ClaimOf(run, run.Round.Units[0], data), who, 0)
}

func (b *bench) endAt(h protocol.Height) {
	b.T.Helper()
	b.Context = b.WithBlockHeight(int64(h))
	if err := b.endBlock(b.Context); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) left() int {
	b.T.Helper()
	answer, n := &disputepb.OpenResponse{}, 0
	run := protocol.Hash{7}
	for after := []byte(nil); ; {
		var err error
		if answer, err = (queryServer{b.Keeper}).Open(b.Context, &disputepb.OpenRequest{Run: run[:], After: after}); err != nil {
			b.Fatal(err)
		}
		if len(answer.Json) == 0 {
			return n
		}
		n += len(answer.Json)
		var last dispute.State
		if err := json.Unmarshal(answer.Json[len(answer.Json)-1], &last); err != nil {
			b.Fatal(err)
		}
		after = last.ID[:]
	}
}

// TestBlockEndsWhatFits has many disputes over one claim reach their deadline: the first that ends refutes the claim and slashes once, the
// others end without a verdict, so many in a block, and every bond goes back.
func TestBlockEndsWhatFits(t *testing.T) {
	b := newBench(t)
	const all = 3*maxEnds + 7
	for i := range all {
		b.openAs(i)
	}
	if b.left() != all || b.works.open != all {
		t.Fatalf("%d disputes are open, the run heard of %d", b.left(), b.works.open)
	}
	deadline := 1 + protocol.Height(dispute.DefaultParams().Clock)
	b.endAt(deadline - 1)
	if b.left() != all {
		t.Fatal("disputes ended before their deadline")
	}
	for block, most := range []int{maxEnds, maxEnds, maxEnds, 7} {
		before := b.left()
		b.endAt(deadline + protocol.Height(block))
		if ended := before - b.left(); ended > most || ended == 0 {
			t.Errorf("block %d ended %d disputes, %d may end", block, ended, most)
		}
	}
	if b.left() != 0 || b.held != 0 || b.works.convicted == 0 {
		t.Errorf("%d disputes are left with %d in escrow, %d convictions", b.left(), b.held, b.works.convicted)
	}
	if some, err := b.refuted.Has(b.Context, make([]byte, 32)); err != nil || some {
		t.Error("claims are left", err)
	}
	if h, err := b.history(b.Context, protocol.Account{2, 0, 1}); err != nil || h != (dispute.History{}) {
		t.Errorf("an opener who lost nothing has the history %+v, %v", h, err)
	}
}

// TestOthersEndWithoutVerdict lets one of two disputes run out of time before the other.
func TestOthersEndWithoutVerdict(t *testing.T) {
	b := newBench(t)
	first := b.openAs(0)
	b.Context = b.WithBlockHeight(100)
	second := b.openAs(1)
	deadline := 1 + protocol.Height(dispute.DefaultParams().Clock)
	b.endAt(deadline)
	if _, err := b.Keeper.Dispute(b.Context, first, escrow.Free); !errors.Is(err, protocol.ErrFinished) {
		t.Errorf("the first: %v", err)
	}
	if err := b.send(protocol.Account{9}, dispute.Play{Move: dispute.Move{Dispute: second, Side: dispute.Defender}, Signature: []byte{1}}); !errors.Is(err, protocol.ErrFinished) {
		t.Errorf("a move about a refuted claim: %v", err)
	}
	b.endAt(deadline + 1)
	if b.left() != 0 || b.held != 0 || b.works.closed != 1 {
		t.Errorf("%d open, %d in escrow, the run heard %d times", b.left(), b.held, b.works.closed)
	}
}

// TestDisputeThatCannotEndRests damages what ends a dispute: it must neither stop the chain nor be tried in every block.
func TestDisputeThatCannotEndRests(t *testing.T) {
	b := newBench(t)
	b.openAs(0)
	b.works.fail = errors.New("damaged")
	deadline := 1 + protocol.Height(dispute.DefaultParams().Clock)
	postponed := func(h protocol.Height) (n int) {
		b.Context = b.WithEventManager(sdk.NewEventManager())
		b.endAt(h)
		for _, e := range b.EventManager().Events() {
			if e.Type == "dispute.postponed" {
				n++
			}
		}
		return n
	}
	if n := postponed(deadline); n != 1 {
		t.Errorf("postponed %d times", n)
	}
	if n := postponed(deadline + 1); n != 0 || b.left() != 1 {
		t.Errorf("postponed %d times, %d open", n, b.left())
	}
	b.works.fail = nil
	b.endAt(deadline + retryBlocks)
	if b.left() != 0 || b.works.convicted != 1 {
		t.Error("the dispute does not end after the rest")
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
	b := newBench(t)
	id := protocol.Hash{1}
	if err := b.disputes.Set(b.Context, id[:], make([]byte, 800_000)); err != nil {
		t.Fatal(err)
	}
	b.Context = b.WithGasMeter(storetypes.NewGasMeter(GasPerMove + 1_000_000))
	if !outOfGas(t, func() { b.send(protocol.Account{3}, dispute.Back{Dispute: id, Amount: dispute.DefaultParams().Bond}) }) {
		t.Error("a state of 800 kB was read for a million gas")
	}
}

// TestGenesisKeepsDisputes exports disputes in play, imports them elsewhere and lets them end there.
func TestGenesisKeepsDisputes(t *testing.T) {
	a, b := newBench(t), newBench(t)
	custom := dispute.Params{Bond: dispute.DefaultParams().Bond, Prices: 2, Clock: 40}
	raw, err := json.Marshal(custom)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.params.Set(a.Context, raw); err != nil {
		t.Fatal(err)
	}
	id := a.openAs(0)
	a.openAs(1)
	files := map[string]*file{}
	if err := NewModule(a.Keeper, nil).ExportGenesis(a.Context, target(files)); err != nil {
		t.Fatal(err)
	}
	if err := NewModule(b.Keeper, nil).ValidateGenesis(source(files)); err != nil {
		t.Fatal(err)
	}
	if err := NewModule(b.Keeper, nil).InitGenesis(b.Context, source(files)); err != nil {
		t.Fatal(err)
	}
	s, err := a.Keeper.Dispute(a.Context, id, escrow.Free)
	if err != nil {
		t.Fatal(err)
	}
	same, err := b.Keeper.Dispute(b.Context, id, escrow.Free)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := json.Marshal(s)
	two, _ := json.Marshal(same)
	if !bytes.Equal(one, two) || s.Defends != 40 {
		t.Errorf("exported\n%s, imported\n%s", one, two)
	}
	b.held = a.held
	b.endAt(41)
	b.endAt(42)
	if b.left() != 0 || b.held != 0 {
		t.Errorf("%d are left, %d in escrow", b.left(), b.held)
	}
}

type file struct{ bytes.Buffer }

func (*file) Close() error { return nil }

func target(files map[string]*file) appmodule.GenesisTarget {
	return func(name string) (io.WriteCloser, error) {
		files[name] = new(file)
		return files[name], nil
	}
}

func source(files map[string]*file) appmodule.GenesisSource {
	return func(name string) (io.ReadCloser, error) {
		if files[name] == nil {
			return nil, nil
		}
		f := new(file)
		f.Write(files[name].Bytes())
		return f, nil
	}
}
