package app_test

import (
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	ethmath "github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	abci "github.com/cometbft/cometbft/abci/types"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
)

// published is a chain with a finished run's model, which contracts cannot call.
func published(t testing.TB) (*story, protocol.Hash) {
	t.Helper()
	s := finishRun(t)
	s.must(s.author, registry.PublishModel{Run: s.run})
	state := s.state()
	return s, registry.ModelID(state.Spec.InferenceProgram, state.Current.Model, s.run)
}

func sign(t testing.TB, who person, channel protocol.Hash, uses, amount uint64) voucher.Voucher {
	t.Helper()
	v, err := who.SignVoucher(channel, uses, money.New(amount))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A voucher's digest is the one that go-ethereum, and with it every wallet, computes for the typed data.
func TestVoucherIsTypedData(t *testing.T) {
	v := voucher.Voucher{Channel: hashOf(7), Uses: 1<<40 - 1, Amount: money.MUT(123_456_789)}
	data := apitypes.TypedData{
		Types: apitypes.Types{
			"EIP712Domain": {{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"}},
			"Voucher":      {{Name: "channel", Type: "bytes32"}, {Name: "uses", Type: "uint256"}, {Name: "amount", Type: "uint256"}},
		},
		PrimaryType: "Voucher",
		Domain:      apitypes.TypedDataDomain{Name: voucher.DomainName, Version: voucher.DomainNumber, ChainId: ethmath.NewHexOrDecimal256(network.EVMChainID)},
		Message: apitypes.TypedDataMessage{
			"channel": common.Hash(v.Channel).Bytes(), "uses": new(big.Int).SetUint64(v.Uses).String(), "amount": v.Amount.String(),
		},
	}
	want, _, err := apitypes.TypedDataAndHash(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Digest(voucher.Separator(network.EVMChainID)); common.Hash(got) != common.BytesToHash(want) {
		t.Errorf("digest %s, wallets compute %x", got, want)
	}
}

func TestVouchersOnTheChain(t *testing.T) {
	s, model := published(t)
	payer := s.author
	open := voucher.Open{Model: model, Deposit: money.New(1_000_000), Blocks: 100_000, Nonce: 1}
	if err := s.submit(payer, voucher.Open{Model: hashOf(1), Deposit: money.New(1), Blocks: 1}); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("a channel to no model: %v", err)
	}
	s.must(payer, open)
	if err := s.submit(payer, open); !errors.Is(err, protocol.ErrExists) {
		t.Errorf("the same channel again: %v", err)
	}
	second := open
	second.Nonce = 2
	s.must(payer, second)
	a, b := voucher.ChannelID(payer.Account(), model, 1), voucher.ChannelID(payer.Account(), model, 2)

	// Of a batch count the new, signed and covered ones, each by itself.
	wallet := sign(t, payer, b, 7, 70)
	wallet.Signature[voucher.SignatureBytes-1] += 27 // as wallets write it
	list := []voucher.Voucher{
		sign(t, payer, a, 10, 1000), sign(t, s.provider, a, 20, 2000), sign(t, payer, hashOf(9), 1, 1), sign(t, payer, a, 11, 1000),
		sign(t, payer, a, 12, 1100), sign(t, payer, b, 1, 2_000_000), wallet,
	}
	s.must(s.verifier, voucher.Redeem{Vouchers: voucher.Pack(list)})
	m, err := s.app.Registry.Model(s.context(), model, escrow.Free)
	if err != nil || m.Earned != money.New(1170) || m.Uses != 19 {
		t.Errorf("the model earned %s for %d uses: %v", m.Earned, m.Uses, err)
	}
	if err := s.submit(s.verifier, voucher.Redeem{Vouchers: voucher.Pack(list)}); !errors.Is(err, protocol.ErrDuplicate) {
		t.Errorf("the same vouchers again: %v", err)
	}
	forged := sign(t, payer, a, 13, 1200)
	forged.Amount = money.New(1300)
	if err := s.submit(s.verifier, voucher.Redeem{Vouchers: voucher.Pack([]voucher.Voucher{forged})}); !errors.Is(err, protocol.ErrNotAssigned) {
		t.Errorf("a voucher changed after signing: %v", err)
	}
	s.must(s.provider, registry.ClaimDividend{Model: model, Holder: s.provider.Account()})

	// Notice does not undo what was signed before; then the rest goes back without anybody's message.
	if err := s.submit(s.verifier, voucher.Close{Channel: a}); !errors.Is(err, protocol.ErrNotAssigned) {
		t.Errorf("notice by a stranger: %v", err)
	}
	s.must(payer, voucher.Close{Channel: a})
	s.must(s.verifier, voucher.Redeem{Vouchers: voucher.Pack([]voucher.Voucher{sign(t, payer, a, 100, 500_000)})})
	before := s.balance(payer.Account())
	for range voucher.Notice {
		s.block()
	}
	if got := s.balance(payer.Account()).Minus(before); got != money.New(500_000) {
		t.Errorf("the payer got %s back", got)
	}
	if err := s.submit(s.verifier, voucher.Redeem{Vouchers: voucher.Pack([]voucher.Voucher{sign(t, payer, a, 101, 500_001)})}); !errors.Is(err, protocol.ErrNotFound) {
		t.Errorf("a voucher of a channel that has ended: %v", err)
	}
	s.moved()
}

// BenchmarkVouchers redeems one voucher of each of 3,000 channels in a transaction, as a node executes it: the check at the door, the block
// with its signatures, and the commit, here to a database in memory. A voucher settles all uses since the one before; here there are 10.
func BenchmarkVouchers(b *testing.B) {
	s, model := published(b)
	s.price = 1_000_000 // full blocks make gas dearer
	const channels, each, perTx = voucher.MaxVouchers, 10, 250
	ids := make([]protocol.Hash, channels)
	for from := 0; from < channels; from += perTx {
		list := make([]sdk.Msg, perTx)
		for i := range list {
			nonce := uint64(from + i)
			ids[nonce] = voucher.ChannelID(s.author.Account(), model, nonce)
			m, _, err := client.Wrap(s.author.Account(), voucher.Open{Model: model, Deposit: money.New(1 << 40), Blocks: 1_000_000, Nonce: nonce})
			if err != nil {
				b.Fatal(err)
			}
			list[i] = m
		}
		if r := s.native(s.author, network.BlockGas, list...); r.Code != 0 {
			b.Fatal(r.Log)
		}
	}
	for round := uint64(1); b.Loop(); round++ {
		b.StopTimer()
		list := make([]voucher.Voucher, channels)
		for i, id := range ids {
			list[i] = sign(b, s.author, id, round*each, round*each*100)
		}
		m, _, err := client.Wrap(s.verifier.Account(), voucher.Redeem{Vouchers: voucher.Pack(list)})
		if err != nil {
			b.Fatal(err)
		}
		raw := s.signed(s.verifier, network.BlockGas, m)
		b.StartTimer()
		if r, err := s.app.CheckTx(&abci.RequestCheckTx{Tx: raw, Type: abci.CheckTxType_New}); err != nil || r.Code != 0 {
			b.Fatal(err, r)
		}
		if r := s.block(raw)[0]; r.Code != 0 {
			b.Fatal(r.Log)
		} else if round == 1 {
			b.Logf("%d bytes, %d gas", len(raw), r.GasUsed)
		}
	}
	b.ReportMetric(float64(channels)*float64(b.N)/b.Elapsed().Seconds(), "vouchers/s")
	b.ReportMetric(float64(channels*each)*float64(b.N)/b.Elapsed().Seconds(), "uses/s")
}
