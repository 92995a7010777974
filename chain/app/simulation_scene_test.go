package app_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/app"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// scene is what an actor of a simulation sees: the state, chance, and what it remembers.
type scene struct {
	t      testing.TB
	app    *app.App
	ctx    sdk.Context
	r      *rand.Rand
	people []person
	sims   []simtypes.Account // the same people
	*plot
}

// deed is a transaction that somebody wants.
type deed struct {
	from   person
	gas    uint64
	msgs   []sdk.Msg
	pays   *person // the granter of the fee
	call   *call   // an Ethereum transaction instead of msgs
	labels []string
}

// call is what an Ethereum transaction does; to is nil to deploy data.
type call struct {
	to    *common.Address
	value money.Amount
	data  []byte
}

// operation is a kind of deed. act returns nil if there is nothing of the kind to do now.
type operation struct {
	name   string
	weight int
	act    func(*scene) *deed
}

func (s *scene) height() int64           { return s.ctx.BlockHeight() + 1 } // of the block that will have the deed
func (s *scene) person() person          { return s.people[s.r.Intn(len(s.people))] }
func (s *scene) chance(percent int) bool { return s.r.Intn(100) < percent }
func (s *scene) hash() (h protocol.Hash) { s.r.Read(h[:]); return h }
func (s *scene) owner(of protocol.Account) (person, bool) {
	i := slices.IndexFunc(s.people, func(p person) bool { return p.Account() == of })
	if i < 0 {
		return person{}, false
	}
	return s.people[i], true
}

// some is an element of a list; the list must have one.
func some[T any](s *scene, list []T) T { return list[s.r.Intn(len(list))] }

// has is what somebody can spend.
func (s *scene) has(p person) math.Int {
	who := p.Account()
	return s.app.Bank.GetBalance(s.ctx, who[:], network.Denom).Amount
}

// amount is a random part of what somebody can spend, at most a fraction of it, and at least 1.
func (s *scene) amount(p person, fraction int64) money.Amount {
	most := s.has(p).QuoRaw(fraction)
	if !most.IsPositive() {
		return money.New(1)
	}
	drawn := new(big.Int).Rand(s.r, most.BigInt())
	a, err := network.Amount(math.NewIntFromBigInt(drawn.Add(drawn, big.NewInt(1))))
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// rules is a deed of our own modules.
func (s *scene) rules(from person, list ...protocol.Msg) *deed {
	d := &deed{from: from, gas: 6_000_000}
	for _, m := range list {
		wrapped, n, err := client.Wrap(from.Account(), m)
		if err != nil {
			s.t.Fatal(err)
		}
		d.gas += 30 * uint64(n)
		d.msgs, d.labels = append(d.msgs, wrapped), append(d.labels, m.Kind())
	}
	return d
}

// native is a deed of the SDK's modules.
func (s *scene) native(from person, m sdk.Msg) *deed {
	return &deed{from: from, gas: 3_000_000, msgs: []sdk.Msg{m}, labels: []string{sdk.MsgTypeURL(m)}}
}

// sign makes the transaction of a deed, next in its sender's sequence. The price leaves room for the base fee to rise.
func (s *scene) sign(d *deed) []byte {
	s.t.Helper()
	who := d.from.Account()
	number, sequence := network.NewcomerNumber(who), uint64(0)
	if account := s.app.Account.GetAccount(s.ctx, who[:]); account != nil {
		number, sequence = account.GetAccountNumber(), account.GetSequence()
	}
	price := math.MaxInt(math.NewInt(network.MinGasPrice), s.app.FeeMarket.GetBaseFee(s.ctx).TruncateInt()).MulRaw(2)
	if d.call != nil {
		return signEthereum(s.t, s.app, d.from, sequence, price.BigInt(), d.gas, d.call)
	}
	e := client.Envelope{Number: number, Sequence: sequence, Gas: d.gas, Price: price}
	if d.pays != nil {
		e.Granter = d.pays.Account()
	}
	raw, err := client.Sign(context.Background(), s.app.TxConfig(), d.from.Key, e, d.msgs...)
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

func signEthereum(t testing.TB, a *app.App, from person, nonce uint64, price *big.Int, gas uint64, c *call) []byte {
	t.Helper()
	v := c.value.Bytes()
	return signedTx(t, a, from, &ethtypes.DynamicFeeTx{
		ChainID: big.NewInt(network.EVMChainID), Nonce: nonce, GasFeeCap: price, GasTipCap: new(big.Int), Gas: gas, To: c.to, Value: new(big.Int).SetBytes(v[:]), Data: c.data,
	})
}

// signedTx signs an Ethereum transaction of any type and wraps it as the chain carries it.
func signedTx(t testing.TB, a *app.App, from person, inner ethtypes.TxData) []byte {
	t.Helper()
	signer := ethtypes.LatestSignerForChainID(big.NewInt(network.EVMChainID))
	tx, err := ethtypes.SignNewTx(from.eth, signer, inner)
	if err != nil {
		t.Fatal(err)
	}
	msg := new(evmtypes.MsgEthereumTx)
	if err := msg.FromSignedEthereumTx(tx, signer); err != nil {
		t.Fatal(err)
	}
	built, err := msg.BuildTx(a.TxConfig().NewTxBuilder(), network.Denom)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := a.TxConfig().TxEncoder()(built)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// factories takes the SDK's own operations for a driver that puts transactions into blocks.
type factories struct{ list []operation }

var _ simsx.Registry = (*factories)(nil)

// Add is called by the modules of the SDK.
func (f *factories) Add(weight uint32, x simsx.SimMsgFactoryX) {
	f.list = append(f.list, operation{sdk.MsgTypeURL(x.MsgType()), int(weight), func(s *scene) *deed {
		reporter := simsx.NewBasicSimulationReporter().WithScope(x.MsgType())
		if later, ok := x.(simsx.HasFutureOpsRegistry); ok {
			later.SetFutureOpsRegistry(noFuture{}) // voters are operations of their own
		}
		data := simsx.NewChainDataSource(s.ctx, s.r, s.app.Account, modest{s.app.Bank}, s.app.Account.AddressCodec(), s.sims...)
		from, m := quietly(reporter, func() ([]simsx.SimAccount, sdk.Msg) { return x.Create()(s.ctx, data, reporter) })
		if reporter.IsSkipped() || m == nil || len(from) != 1 {
			return nil
		}
		who, ok := s.owner(protocol.Account(from[0].Address))
		if !ok {
			return nil
		}
		d := s.native(who, m)
		d.gas = 6_000_000
		if v := x.DeliveryResultHandler()(nil); v != nil {
			d.labels = []string{fmt.Sprintf("%s, which must fail", d.labels[0])}
		}
		return d
	}})
}

// quietly ends a factory that was skipped and went on with what it lacks.
func quietly(reporter simsx.SimulationReporter, make func() ([]simsx.SimAccount, sdk.Msg)) (from []simsx.SimAccount, m sdk.Msg) {
	defer func() {
		if p := recover(); p != nil {
			if !reporter.IsSkipped() {
				panic(p)
			}
			from, m = nil, nil
		}
	}()
	return make()
}

type noFuture struct{}

func (noFuture) Add(_ time.Time, _ simsx.SimMsgFactoryX) {}
