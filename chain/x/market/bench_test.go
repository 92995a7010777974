package market

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	tmproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	sdkruntime "github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/store/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	evmaddress "github.com/cosmos/evm/encoding/address"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/market/marketpb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
	"github.com/mutirao/mutirao/protocol/money"
)

var records = flag.Int("records", 0, "asks and leases that are stored before a message is measured")

// BenchmarkMessage measures a message of each kind on a market that holds -records asks and leases, in the store of a validator:
// decoded, applied and written into the block's branch; then the same with the commit of the block, a hundred messages each.
func BenchmarkMessage(b *testing.B) {
	w := fill(b, *records)
	for _, kind := range []string{"place-ask", "seal-bid", "take-now", "accept-lease"} {
		b.Run(fmt.Sprintf("%s/records=%d", kind, *records), func(b *testing.B) { w.measure(b, kind, false) })
	}
	b.Run(fmt.Sprintf("place-ask+commit/records=%d", *records), func(b *testing.B) { w.measure(b, "place-ask", true) })
}

// purse is a bank in which everybody has enough: what the bank costs is not measured.
type purse struct{}

func (purse) SendCoinsFromAccountToModule(context.Context, sdk.AccAddress, string, sdk.Coins) error {
	return nil
}

func (purse) SendCoinsFromModuleToAccount(context.Context, string, sdk.AccAddress, sdk.Coins) error {
	return nil
}

func (purse) BurnCoins(context.Context, string, sdk.Coins) error { return nil }

// disk is a keeper over the kind of store that a validator has, on disk.
type disk struct {
	k      *Keeper
	ms     storetypes.CommitMultiStore
	db     *clockedDB
	height int64
	next   uint64 // of the senders
}

// clockedDB counts the time that is spent looking keys up in the database below the tree: it grows with the database, whatever the
// keeper does.
type clockedDB struct {
	dbm.DB
	spent time.Duration
}

func (d *clockedDB) Get(key []byte) ([]byte, error) {
	began := time.Now()
	defer func() { d.spent += time.Since(began) }()
	return d.DB.Get(key)
}

func (d *clockedDB) Has(key []byte) (bool, error) {
	began := time.Now()
	defer func() { d.spent += time.Since(began) }()
	return d.DB.Has(key)
}

func (d *clockedDB) Iterator(from, to []byte) (dbm.Iterator, error) {
	began := time.Now()
	defer func() { d.spent += time.Since(began) }()
	return d.DB.Iterator(from, to)
}

// fill stores n records, half of them asks in a thousand classes, half leases.
func fill(b *testing.B, n int) *disk {
	b.Helper()
	var err error
	db := &clockedDB{DB: dbm.NewMemDB()}
	key := storetypes.NewKVStoreKey(ModuleName)
	ms := store.NewCommitMultiStore(db, log.NewNopLogger())
	ms.MountStoreWithDB(key, storetypes.StoreTypeIAVL, db)
	if err := ms.LoadLatestVersion(); err != nil {
		b.Fatal(err)
	}
	d := &disk{ms: ms, db: db, height: 1, next: 1 << 32}
	if d.k, err = NewKeeper(sdkruntime.NewKVStoreService(key), purse{}, nil, pool, treasury); err != nil {
		b.Fatal(err)
	}
	for at := 0; at < n; {
		d.block(b, func(ctx sdk.Context) {
			for range 125_000 { // few commits: each rewrites most of a tree whose keys are hashes
				if at >= n {
					return
				}
				d.record(b, ctx, uint64(at))
				at += 2
			}
		})
	}
	return d
}

func (d *disk) record(b *testing.B, ctx sdk.Context, i uint64) {
	owner := number(i)
	class := classOf(i / 2 % 1000)
	a := market.Ask{
		ID: market.AskID(owner, class), Owner: owner, Class: class, Units: 4, Leased: 1, Reserve: auction.Price(1000 + i%997), Until: 1 << 30, Lapses: 1 << 30,
		UnitBond: bond, Bond: bond.Times(4),
	}
	l := market.Lease{
		ID: market.LeaseID(protocol.Hash{1}, a.ID), Ask: a.ID, Buyer: number(i % 5000), Provider: owner, Class: class, Units: 1, Tenors: 1, Status: market.Running,
		Quote: auction.Quote{Buyer: 1000, Seller: 1000}, Due: 1<<29 + protocol.Height(i), End: 1 << 29, Start: 1, Length: 1 << 29, Cost: money.MUT(1),
	}
	if err := d.k.putAsk(ctx, market.Ask{}, a, benchParams); err != nil {
		b.Fatal(err)
	}
	if err := d.k.putLease(ctx, market.Lease{}, l); err != nil {
		b.Fatal(err)
	}
}

var benchParams = market.DefaultParams(pool, treasury)

func number(i uint64) (a protocol.Account) {
	binary.BigEndian.PutUint64(a[:], i*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(a[8:], i)
	return a
}

func classOf(i uint64) market.Class {
	return market.Class{Resource: fmt.Sprintf("cpu-%d", i), Region: "eu", Tier: market.Audited}
}

// block executes in a branch of the store, as a block does, and commits it.
func (d *disk) block(b *testing.B, f func(sdk.Context)) {
	branch := d.ms.CacheMultiStore()
	f(sdk.NewContext(branch, tmproto.Header{Height: d.height}, false, log.NewNopLogger()).WithBlockHeight(d.height).WithHeaderHash([]byte{1}))
	branch.Write()
	d.ms.Commit()
	d.height++
}

// measure reports the least time of a message over blocks of a hundred, and the least without what the database took.
func (d *disk) measure(b *testing.B, kind string, commit bool) {
	const each = 100
	// The store of the benchmark lies in memory, gigabytes of it. Without this a message pays for sweeping them: not so on a validator.
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	least, own := time.Duration(1<<62), time.Duration(1<<62)
	for b.Loop() {
		d.height = d.height/10*10 + 10 // bids are sealed in the first blocks of a batch
		var took time.Duration
		began := time.Now()
		d.block(b, func(ctx sdk.Context) {
			var calls []*marketpb.MsgExecute
			if err := d.k.sealed.Remove(ctx); err != nil {
				b.Fatal(err)
			}
			for range each {
				calls = append(calls, d.call(b, ctx, kind))
			}
			server := msgServer{d.k, evmaddress.NewEvmCodec(network.AddressPrefix)}
			d.db.spent = 0
			began = time.Now()
			for _, c := range calls {
				branch, write := ctx.CacheContext()
				if _, err := server.Execute(branch, c); err != nil {
					b.Fatal(err)
				}
				write()
			}
			took = time.Since(began)
			own = min(own, took-d.db.spent)
		})
		if commit {
			took = time.Since(began)
		}
		least = min(least, took)
	}
	b.ReportMetric(float64(least.Nanoseconds())/each, "least-ns/message")
	if !commit {
		b.ReportMetric(float64(own.Nanoseconds())/each, "without-db-ns/message")
	}
}

// call makes a message of a fresh sender; what it needs to find is put into the store first.
func (d *disk) call(b *testing.B, ctx sdk.Context, kind string) *marketpb.MsgExecute {
	d.next++
	who, class := number(d.next), classOf(d.next%1000)
	var m protocol.Msg
	switch kind {
	case "place-ask":
		m = market.PlaceAsk{Class: class, Units: 4, Reserve: auction.Price(1000 + d.next%997), Until: 1 << 30, UnitBond: bond}
	case "seal-bid":
		m = market.SealBid{Seal: protocol.Hash{1}, Deposit: money.MUT(1), Batch: uint64(d.height) / 10}
	case "take-now", "accept-lease":
		// An ask of a class of its own, so that every message finds the same.
		class.Resource = fmt.Sprintf("own-%d", d.next)
		a := market.Ask{ID: market.AskID(who, class), Owner: who, Class: class, Units: 4, Reserve: 1000, Until: 1 << 30, Lapses: 1 << 30, UnitBond: bond, Bond: bond.Times(4)}
		if err := d.k.putAsk(ctx, market.Ask{}, a, benchParams); err != nil {
			b.Fatal(err)
		}
		take := market.TakeNow{Class: class, Units: 1, Tenors: 1, Limit: 2000, Nonce: d.next}
		m = take
		if kind == "accept-lease" {
			server := msgServer{d.k, evmaddress.NewEvmCodec(network.AddressPrefix)}
			if err := server.apply(ctx, take, who); err != nil {
				b.Fatal(err)
			}
			m = market.AcceptLease{Lease: market.LeaseID(market.TakeID(take, who), a.ID)}
		}
	}
	body, err := json.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	return &marketpb.MsgExecute{From: who.String(), Kind: m.Kind(), Body: body}
}
