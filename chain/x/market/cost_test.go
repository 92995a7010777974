package market

import (
	"context"
	"fmt"
	"testing"

	"cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// meter counts what a keeper asks of its store.
type meter struct {
	store.KVStoreService
	n tally
}

type tally struct{ reads, writes, walks, steps int }

func (m *meter) OpenKVStore(ctx context.Context) store.KVStore {
	return metered{m.KVStoreService.OpenKVStore(ctx), &m.n}
}

type metered struct {
	store.KVStore
	n *tally
}

func (s metered) Get(key []byte) ([]byte, error) { s.n.reads++; return s.KVStore.Get(key) }
func (s metered) Has(key []byte) (bool, error)   { s.n.reads++; return s.KVStore.Has(key) }
func (s metered) Set(key, value []byte) error    { s.n.writes++; return s.KVStore.Set(key, value) }
func (s metered) Delete(key []byte) error        { s.n.writes++; return s.KVStore.Delete(key) }

func (s metered) Iterator(from, to []byte) (store.Iterator, error) {
	s.n.walks++
	i, err := s.KVStore.Iterator(from, to)
	return stepping{i, s.n}, err
}

type stepping struct {
	store.Iterator
	n *tally
}

func (i stepping) Next() { i.n.steps++; i.Iterator.Next() }

// TestCostOfAMessageDoesNotGrow counts what each message asks of the store, and its gas, in a market that is nearly empty and in
// one with thousands of records: the same.
func TestCostOfAMessageDoesNotGrow(t *testing.T) {
	few, many := costs(t, 0), costs(t, 3000)
	for name, cost := range few {
		if many[name] != cost {
			t.Errorf("%s costs %+v in a small market, %+v in a large one", name, cost, many[name])
		}
	}
}

type cost struct {
	tally
	gas uint64
}

func costs(t *testing.T, others int) map[string]cost {
	w := newWorld(t)
	key := storetypes.NewKVStoreKey(ModuleName)
	m := &meter{KVStoreService: runtime.NewKVStoreService(key)}
	var err error
	if w.k, err = NewKeeper(m, purse{}, nil, pool, treasury); err != nil {
		t.Fatal(err)
	}
	w.ctx = testutil.DefaultContext(key, storetypes.NewTransientStoreKey("t"))
	for i := range uint64(others) {
		who := number(i)
		w.must(w.send(who, market.PlaceAsk{Class: cpu(uint8(i % 3)), Units: 2, Reserve: auction.Price(1000 + i), Until: 1 << 20, UnitBond: bond}))
		if i%2 == 0 {
			w.must(w.send(who, market.TakeNow{Class: cpu(uint8(i % 3)), Units: 1, Tenors: 1, Limit: 1 << 40, Nonce: i}))
		}
		if i%4 == 0 {
			w.must(w.send(who, market.SealBid{Seal: protocol.Hash{byte(i)}, Deposit: bond}))
		}
	}
	// The cheapest ask is the same in both markets.
	w.must(w.send(person(0), ask(0, 3, 10)))
	w.must(w.send(person(3), ask(1, 3, 10)))
	terms := market.Terms{Alternatives: []market.Alternative{{Class: cpu(0), Units: 1, Limit: 20}}, Tenors: 1}
	take := market.TakeNow{Class: cpu(0), Units: 1, Tenors: 1, Limit: 1 << 40}
	lease := market.LeaseID(market.TakeID(take, person(1)), market.AskID(person(0), cpu(0)))
	seal := market.TermsSeal(terms, person(1), 0, protocol.Hash{1})
	out := map[string]cost{}
	for _, step := range []struct {
		who int
		h   protocol.Height
		m   protocol.Msg
	}{
		{1, 0, market.SealBid{Seal: seal, Deposit: terms.Most()}},
		{1, 6, market.OpenBid{Bid: market.BidID(person(1), 0, seal), Terms: terms, Salt: protocol.Hash{1}}},
		{1, 6, take},
		{0, 6, market.AcceptLease{Lease: lease}},
		{0, 6, ask(0, 4, 11)},
		{2, 6, ask(0, 1, 5000)},
		{1, 6, market.EndLease{Lease: lease}},
		{0, 7, market.SettleLease{Lease: lease}},
		{3, 7, market.WithdrawAsk{Ask: market.AskID(person(3), cpu(1))}},
	} {
		w.h, m.n = step.h, tally{}
		gas := storetypes.NewGasMeter(1 << 40)
		ctx := w.ctx
		w.ctx = ctx.WithGasMeter(gas)
		w.must(w.send(person(step.who), step.m))
		w.ctx = ctx
		// The number of a class's base price and of its units has more digits in a larger market: a little gas for each.
		out[fmt.Sprintf("%s by %d", step.m.Kind(), step.who)] = cost{m.n, gas.GasConsumed() / 1000}
	}
	return out
}
