package ledgeraudit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authante "github.com/cosmos/cosmos-sdk/x/auth/ante"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	antetypes "github.com/cosmos/evm/ante/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"cosmossdk.io/math"

	"github.com/mutirao/mutirao/audit"
	"github.com/mutirao/mutirao/chain/encoding"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/precompile/infer"
	registryprecompile "github.com/mutirao/mutirao/chain/precompile/registry"
	"github.com/mutirao/mutirao/chain/precompile/request"
	commonshost "github.com/mutirao/mutirao/chain/x/commons"
	"github.com/mutirao/mutirao/chain/x/commons/commonspb"
	"github.com/mutirao/mutirao/chain/x/dispute"
	"github.com/mutirao/mutirao/chain/x/dispute/disputepb"
	markethost "github.com/mutirao/mutirao/chain/x/market"
	"github.com/mutirao/mutirao/chain/x/market/marketpb"
	"github.com/mutirao/mutirao/chain/x/params/paramspb"
	"github.com/mutirao/mutirao/chain/x/registry"
	"github.com/mutirao/mutirao/chain/x/registry/registrypb"
	requesthost "github.com/mutirao/mutirao/chain/x/request"
	"github.com/mutirao/mutirao/chain/x/work"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/market"
)

// decoder turns blocks of CometBFT into the audit's log.
type decoder struct {
	decode      sdk.TxDecoder
	moved, paid common.Hash            // events of the registry's precompile
	request     map[common.Hash]string // names of events of the requests' precompile
}

func newDecoder() decoder {
	registry := embedded("IRegistry")
	d := decoder{encoding.New().TxConfig.TxDecoder(), registry.Events["SharesMoved"].ID, registry.Events["DividendPaid"].ID, map[common.Hash]string{}}
	for name, e := range embedded("IRequests").Events {
		d.request[e.ID] = name
	}
	return d
}

func embedded(name string) abi.ABI {
	parsed, err := abi.JSON(bytes.NewReader(contracts.Load(name).ABI))
	if err != nil {
		panic("the embedded ABI of " + name + " is damaged: " + err.Error())
	}
	return parsed
}

// genesisOf reads the balances with which the network began.
func genesisOf(doc *cmttypes.GenesisDoc) (audit.Genesis, error) {
	g := audit.Genesis{
		Balances: map[audit.Account]*big.Int{}, Work: moduleAccount(work.ModuleName), Registry: moduleAccount(registry.ModuleName), Disputes: moduleAccount(dispute.ModuleName),
		Requests: moduleAccount(requesthost.ModuleName), Fees: moduleAccount(authtypes.FeeCollectorName),
	}
	var err error
	if g.Market, err = marketTerms(doc.AppState); err != nil {
		return g, err
	}
	if g.Commons, err = commonsTerms(doc.AppState); err != nil {
		return g, err
	}
	if g.Stake, err = stakeTerms(doc.AppState); err != nil {
		return g, err
	}
	for _, v := range doc.Validators {
		g.Stake.Set = append(g.Stake.Set, audit.SetChange{Consensus: padded(v.PubKey.Address()), Power: v.Power})
	}
	if g.Govern, err = governTerms(doc.AppState); err != nil {
		return g, err
	}
	if g.Rewards, err = rewardTerms(doc.AppState); err != nil {
		return g, err
	}
	var state struct {
		Bank struct {
			Balances []struct {
				Address string
				Coins   []struct{ Denom, Amount string }
			}
		}
	}
	if err := json.Unmarshal(doc.AppState, &state); err != nil {
		return g, fmt.Errorf("genesis: %w", err)
	}
	for _, b := range state.Bank.Balances {
		who, err := account(b.Address)
		if err != nil {
			return g, fmt.Errorf("genesis: %w", err)
		}
		for _, c := range b.Coins {
			amount, err := audit.ParseCoins(c.Amount)
			if err != nil || c.Denom != network.Denom {
				return g, fmt.Errorf("genesis: balance of %s: %s %s: %w", b.Address, c.Amount, c.Denom, err)
			}
			g.Balances[who] = amount
		}
	}
	return g, nil
}

// marketTerms are the market's parameters: the rules' defaults unless the genesis sets others.
func marketTerms(appState []byte) (audit.MarketTerms, error) {
	p := market.DefaultParams(protocol.Account{}, protocol.Account{})
	var state struct {
		Market struct {
			Params []struct{ Value []byte }
		}
	}
	err := json.Unmarshal(appState, &state)
	if err == nil && len(state.Market.Params) > 0 {
		err = json.Unmarshal(state.Market.Params[0].Value, &p)
	}
	if err != nil {
		return audit.MarketTerms{}, fmt.Errorf("genesis of the market: %w", err)
	}
	t := audit.MarketTerms{
		Escrow: moduleAccount(markethost.ModuleName), Pool: moduleAccount(network.PoolAccount), Treasury: moduleAccount(network.TreasuryAccount),
		Holdback: int64(p.HoldbackBlocks), Split: [3]int64{int64(p.Split.Provider), int64(p.Split.Pool), int64(p.Split.Treasury)},
		SealFee: int64(p.SealFee), SilenceFee: int64(p.SilenceFee), Batch: p.BatchBlocks,
	}
	for i, blocks := range p.Tenors {
		t.Tenors[i] = int64(blocks)
	}
	return t, nil
}

// commonsTerms are the parameters of the commons, in the same way.
func commonsTerms(appState []byte) (audit.CommonsTerms, error) {
	p := commons.DefaultParams(protocol.Account{})
	var state struct {
		Commons struct {
			Params []struct{ Value []byte }
		}
	}
	err := json.Unmarshal(appState, &state)
	if err == nil && len(state.Commons.Params) > 0 {
		err = json.Unmarshal(state.Commons.Params[0].Value, &p)
	}
	if err != nil {
		return audit.CommonsTerms{}, fmt.Errorf("genesis of the commons: %w", err)
	}
	deposit, err := audit.ParseCoins(p.Deposit.String())
	return audit.CommonsTerms{Escrow: moduleAccount(commonshost.ModuleName), Deposit: deposit, Waived: int(p.FreeTxs)}, err
}

func moduleAccount(name string) audit.Account {
	return audit.Account(authtypes.NewModuleAddress(name))
}

func account(bech32 string) (audit.Account, error) {
	raw, err := sdk.AccAddressFromBech32(bech32)
	if err != nil {
		return audit.Account{}, err
	}
	return padded(raw), nil
}

// padded is the account of an address. The SDK's own addresses of 32 bytes, which nothing here funds, keep their last 20.
func padded(raw []byte) audit.Account { return audit.Account(common.BytesToAddress(raw)) }

// block translates one block with its results.
func (d decoder) block(b *cmttypes.Block, r *abci.ResponseFinalizeBlock) (audit.Block, error) {
	out := audit.Block{Height: uint64(b.Height), Time: nanoseconds(b.Time), BaseFee: new(big.Int), Evidence: evidence(b.Evidence.Evidence), Signed: signed(b.LastCommit)}
	if len(r.TxResults) != len(b.Txs) {
		return out, fmt.Errorf("%w: block %d has %d transactions and %d results", errMissing, b.Height, len(b.Txs), len(r.TxResults))
	}
	var err error
	if out.Set, err = setChanges(r.ValidatorUpdates); err != nil {
		return out, fmt.Errorf("block %d: validators: %w", b.Height, err)
	}
	decided := decisions{}
	for _, e := range r.Events {
		if attribute(e, "mode") == "BeginBlock" {
			early, ok, err := began(e)
			if err != nil {
				return out, fmt.Errorf("block %d: event %s: %w", b.Height, e.Type, err)
			}
			if ok {
				out.Begin = append(out.Begin, early)
				continue
			}
		} else if decision, ok := decided.read(e); ok {
			out.End = append(out.End, decision)
			continue
		}
		switch verdict := event(e); {
		case e.Type == "fee_market":
			fee, err := math.LegacyNewDecFromStr(verdict.Attributes["base_fee"])
			if err != nil {
				return out, fmt.Errorf("block %d: base fee: %w", b.Height, err)
			}
			out.BaseFee = fee.TruncateInt().BigInt()
		case ours(e.Type):
			out.End = append(out.End, verdict)
		}
	}
	for i, raw := range b.Txs {
		txs, err := d.tx(raw, r.TxResults[i])
		if err != nil {
			return out, fmt.Errorf("block %d, transaction %d: %w", b.Height, i, err)
		}
		out.Txs = append(out.Txs, txs...)
	}
	return out, nil
}

func ours(kind string) bool {
	module, _, found := strings.Cut(kind, ".")
	return found && (module == "work" || module == "dispute" || module == "registry" || module == "voucher" || module == "market" || module == "commons" || module == "request")
}

func event(e abci.Event) audit.Event {
	out := audit.Event{Kind: e.Type, Attributes: map[string]string{}}
	for _, a := range e.Attributes {
		out.Attributes[a.Key] = a.Value
	}
	return out
}

// tx translates a transaction. One that cannot be decoded was refused and moved nothing.
func (d decoder) tx(raw cmttypes.Tx, r *abci.ExecTxResult) ([]audit.Tx, error) {
	t, err := d.decode(raw)
	if err != nil {
		return nil, nil
	}
	if calls, err := d.ethereum(t, r); err != nil || len(calls) > 0 {
		return calls, err
	}
	out := audit.Tx{ID: "0x" + strings.ToLower(hex.EncodeToString(raw.Hash())), OK: r.Code == 0}
	for _, e := range r.Events {
		if ours(e.Type) {
			out.Events = append(out.Events, event(e))
		}
	}
	if fee, ok := t.(sdk.FeeTx); ok && charged(r) {
		out.Payer = padded(fee.FeePayer())
		if granter := fee.FeeGranter(); len(granter) > 0 {
			out.Payer = padded(granter)
		}
		out.Gas = &audit.Gas{Limit: fee.GetGas(), Used: uint64(r.GasUsed), Fee: fee.GetFee().AmountOf(network.Denom).BigInt(), Priority: priority(t)}
	}
	for _, m := range parts(t.GetMsgs()) {
		message, err := message(m)
		if err != nil && out.OK {
			return nil, err
		}
		if err != nil { // it was refused for that
			message = audit.Message{Kind: sdk.MsgTypeURL(m)}
		}
		out.Messages = append(out.Messages, message)
	}
	return []audit.Tx{out}, nil
}

// charged reports whether the transaction came past the door, where its fee is taken unless it is waived.
func charged(r *abci.ExecTxResult) bool {
	for _, e := range r.Events {
		if e.Type == "commons.waived" {
			return false
		}
	}
	for _, e := range r.Events {
		for _, a := range e.Attributes {
			if e.Type == sdk.EventTypeTx && a.Key == sdk.AttributeKeyFee {
				return true
			}
		}
	}
	return false
}

func priority(t sdk.Tx) *big.Int {
	extended, ok := t.(authante.HasExtensionOptionsTx)
	if !ok {
		return nil
	}
	for _, option := range extended.GetExtensionOptions() {
		if dynamic, ok := option.GetCachedValue().(*antetypes.ExtensionOptionDynamicFeeTx); ok {
			if dynamic.MaxPriorityPrice.IsNil() {
				return new(big.Int)
			}
			return dynamic.MaxPriorityPrice.TruncateInt().BigInt()
		}
	}
	return nil
}

// parts replaces a payment to several by one to each. It has one payer.
func parts(list []sdk.Msg) (out []sdk.Msg) {
	for _, m := range list {
		many, ok := m.(*banktypes.MsgMultiSend)
		if !ok || len(many.Inputs) != 1 {
			out = append(out, m)
			continue
		}
		for _, o := range many.Outputs {
			out = append(out, &banktypes.MsgSend{FromAddress: many.Inputs[0].Address, ToAddress: o.Address, Amount: o.Coins})
		}
	}
	return out
}

func message(m sdk.Msg) (audit.Message, error) {
	rule := func(from, kind string, body []byte) (audit.Message, error) {
		who, err := sender(from)
		return audit.Message{From: who, Kind: kind, Body: body}, err
	}
	switch m := m.(type) {
	case *workpb.MsgExecute:
		return rule(m.From, m.Kind, m.Body)
	case *disputepb.MsgExecute:
		return rule(m.From, m.Kind, m.Body)
	case *marketpb.MsgExecute:
		return rule(m.From, m.Kind, m.Body)
	case *commonspb.MsgExecute:
		return rule(m.From, m.Kind, m.Body)
	case *paramspb.MsgExecute:
		return rule(m.From, m.Kind, m.Body)
	case *registrypb.MsgExecute:
		return rule(m.From, m.Kind, m.Body)
	case *banktypes.MsgSend:
		from, err := sender(m.FromAddress)
		if err != nil {
			return audit.Message{}, err
		}
		to, err := sender(m.ToAddress)
		return audit.Message{From: from, To: to, Kind: audit.KindSend, Value: m.Amount.AmountOf(network.Denom).BigInt()}, err
	}
	if out, ok, err := stakeMessage(m); ok || err != nil {
		return out, err
	}
	if kind := sdk.MsgTypeURL(m); !quiet[kind] {
		return audit.Message{Kind: kind}, nil
	}
	return audit.Message{Kind: audit.KindQuiet}, nil
}

// sender reads an address in either form.
func sender(s string) (audit.Account, error) {
	if strings.HasPrefix(s, "0x") {
		var a audit.Account
		err := a.UnmarshalText([]byte(strings.ToLower(s)))
		return a, err
	}
	return account(s)
}

// ethereum translates the Ethereum transactions of t; there are none in a native one.
func (d decoder) ethereum(t sdk.Tx, r *abci.ExecTxResult) ([]audit.Tx, error) {
	var out []audit.Tx
	responses, err := evmtypes.DecodeTxResponses(r.Data)
	if err != nil {
		return nil, err
	}
	for i, m := range t.GetMsgs() {
		msg, ok := m.(*evmtypes.MsgEthereumTx)
		if !ok {
			continue
		}
		tx := msg.AsTransaction()
		from := audit.Account(msg.GetSender())
		one := audit.Tx{ID: tx.Hash().Hex(), Payer: from}
		gas := &audit.Gas{Limit: tx.Gas(), Used: tx.Gas(), Cap: tx.GasFeeCap(), Priority: tx.GasTipCap()}
		if charged(r) {
			one.Gas = gas
		}
		if r.Code == 0 && i < len(responses) {
			one.OK, gas.Used = responses[i].VmError == "", responses[i].GasUsed
			to := crypto.CreateAddress(common.Address(from), tx.Nonce())
			if tx.To() != nil {
				to = *tx.To()
			}
			one.Messages = []audit.Message{{From: from, To: audit.Account(to), Kind: audit.KindCall, Value: tx.Value(), Acts: d.acts(responses[i].Logs)}}
		}
		out = append(out, one)
	}
	return out, nil
}

// acts reads the logs of the precompiles, in their order. Topics are the event, the model and accounts, the data is one number.
func (d decoder) acts(logs []*evmtypes.Log) []audit.ContractAct {
	var list []audit.ContractAct
	for _, l := range logs {
		if common.HexToAddress(l.Address) == request.Address {
			list = append(list, d.requestAct(l)...)
			continue
		}
		if len(l.Topics) < 3 || len(l.Data) != 32 {
			continue
		}
		account := func(i int) audit.Account { return audit.Account(common.HexToAddress(l.Topics[i])) }
		model, number := audit.Hash(common.HexToHash(l.Topics[1])), new(big.Int).SetBytes(l.Data)
		switch {
		case common.HexToAddress(l.Address) == infer.Address:
			list = append(list, audit.ContractAct{Kind: audit.ActUse, Model: model, From: account(2), Fee: number})
		case common.HexToAddress(l.Address) != registryprecompile.Address:
		case common.HexToHash(l.Topics[0]) == d.moved && len(l.Topics) == 4:
			list = append(list, audit.ContractAct{Kind: audit.ActMove, Model: model, From: account(2), To: account(3), Parts: number.Int64()})
		case common.HexToHash(l.Topics[0]) == d.paid:
			list = append(list, audit.ContractAct{Kind: audit.ActClaim, Model: model, To: account(2)})
		}
	}
	return list
}
