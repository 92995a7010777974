package app_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	feemarkettypes "github.com/cosmos/evm/x/feemarket/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/ethereum/go-ethereum/common"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/lightproof"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
	"github.com/mutirao/mutirao/protocol/money"
)

// moved exports the chain's state, begins another network from it, lets both make a block, and compares every stored value and both
// exports. It returns the other chain.
func (c *chain) moved() *chain {
	c.t.Helper()
	last := c.doc.GenesisTime.Add(time.Duration(c.height) * time.Second)
	doc, err := c.app.Export(last)
	if err != nil {
		c.t.Fatal(err)
	}
	if doc.InitialHeight != c.height+1 {
		c.t.Errorf("goes on at block %d after block %d", doc.InitialHeight, c.height)
	}
	if _, err := app.Import(doc); err != nil {
		c.t.Fatal(err)
	}
	other, err := app.New(log.NewNopLogger(), dbm.NewMemDB(), c.programs)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { other.Close() })
	if _, err := other.InitChain(app.InitRequest(doc)); err != nil {
		c.t.Fatal(err)
	}
	height := c.height
	c.block()
	there := &chain{t: c.t, app: other, doc: c.doc, proposer: c.proposer, height: height, programs: c.programs, price: c.price}
	there.block()
	c.same(there)
	a, err := c.app.Export(last)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := other.Export(last)
	if err != nil {
		c.t.Fatal(err)
	}
	if !bytes.Equal(a.AppState, b.AppState) {
		c.t.Error("the exports differ")
	}
	return there
}

// same compares all stores of two chains and counts the differences.
func (c *chain) same(other *chain) (differences int) {
	c.t.Helper()
	differ := func(format string, args ...any) {
		c.t.Helper()
		differences++
		c.t.Errorf(format, args...)
	}
	for _, name := range slices.Sorted(maps.Keys(c.app.Stores())) {
		if name == c.but {
			continue
		}
		a := c.app.CommitMultiStore().GetKVStore(c.app.Stores()[name]).Iterator(nil, nil)
		b := other.app.CommitMultiStore().GetKVStore(other.app.Stores()[name]).Iterator(nil, nil)
		for a.Valid() || b.Valid() {
			switch {
			case !b.Valid() || a.Valid() && bytes.Compare(a.Key(), b.Key()) < 0:
				if !local(name, a.Key()) {
					differ("store %s: key %x is lost", name, a.Key())
				}
				a.Next()
			case !a.Valid() || bytes.Compare(a.Key(), b.Key()) > 0:
				if !local(name, b.Key()) {
					differ("store %s: key %x is new", name, b.Key())
				}
				b.Next()
			default:
				if !bytes.Equal(a.Value(), b.Value()) && !local(name, a.Key()) {
					differ("store %s: key %x is %x, was %x", name, a.Key(), b.Value(), a.Value())
				}
				a.Next()
				b.Next()
			}
		}
		a.Close()
		b.Close()
	}
	return differences
}

// local says which stored values belong to one history and not to its state: headers of past blocks that staking keeps for other chains;
// the serial numbers of unbondings, by which other chains could hold them, and so what contains one; and hashes of past blocks in Ethereum's
// history contract, which have no bytes where blocks have no hashes, as in these tests. Slashing exports the blocks that were missed, so a map of
// none is gone; how many were missed is compared. An account that is made later has a number that follows from the hash of the state, which
// is of one history; accounts are compared in the exports. What ends at one moment is in the order in which it began. The gas of messages of staking grows with the length of those serial numbers, and
// with it the gas of a block.
func local(store string, key []byte) bool {
	if store == evmtypes.StoreKey {
		return bytes.HasPrefix(key, evmtypes.AddressStoragePrefix(common.HexToAddress("0x0000F90827F1C53a10cb7A02335B175320002935")))
	}
	if store == authtypes.StoreKey || store == feemarkettypes.StoreKey && bytes.Equal(key, feemarkettypes.KeyPrefixBlockGasWanted) {
		return true
	}
	if store == slashingtypes.StoreKey {
		return bytes.HasPrefix(key, slashingtypes.ValidatorMissedBlockBitmapKeyPrefix)
	}
	return store == stakingtypes.StoreKey && slices.ContainsFunc([][]byte{
		stakingtypes.HistoricalInfoKey, stakingtypes.UnbondingIDKey, stakingtypes.UnbondingIndexKey, stakingtypes.UnbondingTypeKey,
		stakingtypes.ValidatorsKey, stakingtypes.UnbondingDelegationKey, stakingtypes.RedelegationKey, stakingtypes.UnbondingQueueKey, stakingtypes.RedelegationQueueKey,
	}, func(prefix []byte) bool { return bytes.HasPrefix(key, prefix) })
}

// A network goes on from an export of another, with a vote under way. The tests of the modules end with the same for their own state.
func TestExportGoesOn(t *testing.T) {
	s := finishRun(t)
	there := s.moved()
	from, to := s.author.Account(), s.provider.Account()
	for _, on := range []*chain{s.chain, there} {
		if r := on.native(s.author, 300_000, banktypes.NewMsgSend(from[:], to[:], network.Coins(money.New(7)))); r.Code != 0 {
			t.Error(r.Log)
		}
	}
	s.same(there)
}

// What light clients verify is where package lightproof says: the app proves a model, a receipt and a balance under those keys.
func TestStateProvesSubjects(t *testing.T) {
	s, model := published(t)
	s.block() // which commits to the state with the model
	receipts, err := s.app.Query(context.Background(), &abci.RequestQuery{Path: "/mutirao.work.v1.Query/Records", Data: marshal(t, &workpb.RecordsRequest{Run: s.run[:], Kind: "receipt"})})
	var page workpb.RecordsResponse
	if err != nil || page.Unmarshal(receipts.Value) != nil || len(page.Records) == 0 {
		t.Fatalf("receipts: %v", err)
	}
	for _, subject := range []lightproof.Subject{
		{Kind: lightproof.Model, ID: model.String()}, {Kind: lightproof.Receipt, ID: s.run.String(), Key: page.Records[0].Key},
		{Kind: lightproof.Balance, ID: s.author.Account().String()}, {Kind: lightproof.Share, ID: model.String(), Key: s.author.Account().String()},
	} {
		store, key, err := subject.StoreKey()
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.app.Query(context.Background(), &abci.RequestQuery{Path: "/store/" + store + "/key", Data: key, Height: s.height - 1, Prove: true})
		if err != nil || len(r.Value) == 0 || r.ProofOps == nil || len(r.ProofOps.Ops) != 2 {
			t.Errorf("%+v: %d bytes, %s: %v", subject, len(r.Value), r.Log, err)
		}
		if subject.Kind == lightproof.Receipt && !bytes.Equal(r.Value, page.Records[0].Json) {
			t.Errorf("the receipt is %s", r.Value)
		}
	}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
