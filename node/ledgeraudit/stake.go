package ledgeraudit

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cryptoenc "github.com/cometbft/cometbft/crypto/encoding"
	cmttypes "github.com/cometbft/cometbft/types"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkquery "github.com/cosmos/cosmos-sdk/types/query"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	govv1beta1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1beta1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"cosmossdk.io/math"

	"github.com/mutirao/mutirao/audit"
	"github.com/mutirao/mutirao/chain/encoding"
	"github.com/mutirao/mutirao/chain/network"
)

// stakeTerms are the stake and the numbers of staking at genesis.
func stakeTerms(appState []byte) (audit.StakeTerms, error) {
	t := audit.StakeTerms{Bonded: moduleAccount(stakingtypes.BondedPoolName), NotBonded: moduleAccount(stakingtypes.NotBondedPoolName), Power: network.PowerReduction.BigInt()}
	var modules struct{ Staking, Slashing json.RawMessage }
	if err := json.Unmarshal(appState, &modules); err != nil {
		return t, err
	}
	enc := encoding.New()
	staking, slashing := *stakingtypes.DefaultGenesisState(), *slashingtypes.DefaultGenesisState()
	if len(modules.Staking) > 0 {
		if err := enc.Codec.UnmarshalJSON(modules.Staking, &staking); err != nil {
			return t, fmt.Errorf("genesis of stake: %w", err)
		}
	}
	if len(modules.Slashing) > 0 {
		if err := enc.Codec.UnmarshalJSON(modules.Slashing, &slashing); err != nil {
			return t, fmt.Errorf("genesis of slashing: %w", err)
		}
	}
	t.Unbonding = int64(staking.Params.UnbondingTime)
	t.DoubleSign, t.Downtime = slashing.Params.SlashFractionDoubleSign.BigInt(), slashing.Params.SlashFractionDowntime.BigInt()
	for _, v := range staking.Validators {
		operator, err := validator(v.OperatorAddress)
		if err != nil {
			return t, err
		}
		consensus, err := v.GetConsAddr()
		if err != nil {
			return t, err
		}
		t.Validators = append(t.Validators, audit.Validator{
			Operator: operator, Consensus: padded(consensus), Tokens: v.Tokens.BigInt(), Shares: v.DelegatorShares.BigInt(), Bonded: v.IsBonded(),
			Left: v.UnbondingHeight, Ends: nanoseconds(v.UnbondingTime), Commission: v.Commission.Rate.BigInt(),
		})
	}
	return t, delegations(staking, &t)
}

// delegations are whose stake it is, and what of it is on its way.
func delegations(g stakingtypes.GenesisState, t *audit.StakeTerms) error {
	for _, d := range g.Delegations {
		ends, err := parties(d.DelegatorAddress, d.ValidatorAddress)
		if err != nil {
			return err
		}
		t.Delegations = append(t.Delegations, audit.Delegation{Who: ends[0], Validator: ends[1], Shares: d.Shares.BigInt()})
	}
	for _, u := range g.UnbondingDelegations {
		ends, err := parties(u.DelegatorAddress, u.ValidatorAddress)
		if err != nil {
			return err
		}
		for _, e := range u.Entries {
			t.Leaving = append(t.Leaving, audit.Leaving{Who: ends[0], Validator: ends[1], Height: e.CreationHeight, Ends: nanoseconds(e.CompletionTime),
				Initial: e.InitialBalance.BigInt(), Balance: e.Balance.BigInt()})
		}
	}
	for _, r := range g.Redelegations {
		ends, err := parties(r.DelegatorAddress, r.ValidatorSrcAddress, r.ValidatorDstAddress)
		if err != nil {
			return err
		}
		for _, e := range r.Entries {
			t.Moved = append(t.Moved, audit.Redelegation{Who: ends[0], From: ends[1], To: ends[2], Height: e.CreationHeight, Ends: nanoseconds(e.CompletionTime),
				Initial: e.InitialBalance.BigInt(), Shares: e.SharesDst.BigInt()})
		}
	}
	return nil
}

// parties reads the address of an account and those of validators.
func parties(who string, validators ...string) ([]audit.Account, error) {
	a, err := account(who)
	list := []audit.Account{a}
	for _, v := range validators {
		if err != nil {
			break
		}
		a, err = validator(v)
		list = append(list, a)
	}
	return list, err
}

func validator(bech32 string) (audit.Account, error) {
	raw, err := sdk.ValAddressFromBech32(bech32)
	return padded(raw), err
}

// nanoseconds since 1970; times of the SDK that are not set count as 1970.
func nanoseconds(t time.Time) int64 { return max(t.UnixNano(), 0) }

// governTerms are governance at genesis, with what is not decided.
func governTerms(appState []byte) (audit.GovernTerms, error) {
	t := audit.GovernTerms{Escrow: moduleAccount(govtypes.ModuleName), Next: govv1.DefaultStartingProposalID, Proposals: map[uint64]*audit.Proposal{}}
	var modules struct{ Gov json.RawMessage }
	if err := json.Unmarshal(appState, &modules); err != nil || len(modules.Gov) == 0 {
		return t, err
	}
	var g govv1.GenesisState
	if err := encoding.New().Codec.UnmarshalJSON(modules.Gov, &g); err != nil {
		return t, fmt.Errorf("genesis of governance: %w", err)
	}
	t.Next = g.StartingProposalId
	if g.Params != nil {
		ratio, err := math.LegacyNewDecFromStr(g.Params.ProposalCancelRatio)
		if err != nil {
			return t, fmt.Errorf("genesis of governance: %w", err)
		}
		t.CancelRatio = ratio.BigInt()
		if g.Params.ProposalCancelDest != "" {
			if t.CancelTo, err = sender(g.Params.ProposalCancelDest); err != nil {
				return t, err
			}
		}
	}
	for _, p := range g.Proposals {
		list, err := nested(p.GetMsgs())
		if err != nil {
			return t, err
		}
		t.Proposals[p.Id] = &audit.Proposal{Deposits: map[audit.Account]*big.Int{}, Messages: list}
	}
	for _, d := range g.Deposits {
		who, err := sender(d.Depositor)
		if err != nil {
			return t, err
		}
		if p := t.Proposals[d.ProposalId]; p != nil {
			p.Deposits[who] = sdk.Coins(d.Amount).AmountOf(network.Denom).BigInt()
		}
	}
	return t, nil
}

// nested translates the messages of a proposal, which may hold anything: one that cannot be read is of an unknown kind.
func nested(msgs []sdk.Msg, err error) ([]audit.Message, error) {
	var list []audit.Message
	for _, m := range msgs {
		one, err := message(m)
		if err != nil {
			one = audit.Message{Kind: sdk.MsgTypeURL(m)}
		}
		list = append(list, one)
	}
	return list, err
}

// stakeBody is the body of a message about stake.
type stakeBody struct {
	Validator, To, Consensus audit.Account
	Amount                   string
	Height                   int64
	Commission               string `json:",omitempty"` // of 10^18
}

// stakeMessage translates the messages of staking and governance. ok is false for others.
func stakeMessage(m sdk.Msg) (out audit.Message, ok bool, err error) {
	staked := func(kind, who string, coin sdk.Coin, body stakeBody, validators ...string) (audit.Message, bool, error) {
		from, err := sender(who)
		for i, to := 0, []*audit.Account{&body.Validator, &body.To}; i < len(validators) && err == nil; i++ {
			*to[i], err = validator(validators[i])
		}
		if err != nil {
			return out, true, err
		}
		body.Amount = coin.Amount.String()
		raw, err := json.Marshal(body)
		return audit.Message{From: from, Kind: kind, Body: raw}, true, err
	}
	switch m := m.(type) {
	case *stakingtypes.MsgCreateValidator:
		operator, err := validator(m.ValidatorAddress)
		if err != nil {
			return out, true, err
		}
		consensus, err := keyAddress(m.Pubkey)
		if err != nil {
			return out, true, err
		}
		return staked("staking/create-validator", operator.String(), m.Value, stakeBody{Consensus: consensus, Commission: m.Commission.Rate.BigInt().String()})
	case *stakingtypes.MsgEditValidator:
		operator, err := validator(m.ValidatorAddress)
		if err != nil {
			return out, true, err
		}
		body := stakeBody{}
		if m.CommissionRate != nil {
			body.Commission = m.CommissionRate.BigInt().String()
		}
		return staked("staking/edit-validator", operator.String(), sdk.Coin{Amount: math.ZeroInt()}, body, m.ValidatorAddress)
	case *stakingtypes.MsgDelegate:
		return staked("staking/delegate", m.DelegatorAddress, m.Amount, stakeBody{}, m.ValidatorAddress)
	case *stakingtypes.MsgUndelegate:
		return staked("staking/undelegate", m.DelegatorAddress, m.Amount, stakeBody{}, m.ValidatorAddress)
	case *stakingtypes.MsgCancelUnbondingDelegation:
		return staked("staking/cancel", m.DelegatorAddress, m.Amount, stakeBody{Height: m.CreationHeight}, m.ValidatorAddress)
	case *stakingtypes.MsgBeginRedelegate:
		return staked("staking/redelegate", m.DelegatorAddress, m.Amount, stakeBody{}, m.ValidatorSrcAddress, m.ValidatorDstAddress)
	}
	return governMessage(m)
}

// keyAddress is the address of a validator's key in a message.
func keyAddress(packed *codectypes.Any) (audit.Account, error) {
	if packed == nil {
		return audit.Account{}, fmt.Errorf("%w: a validator without a key", errMissing)
	}
	key, ok := packed.GetCachedValue().(cryptotypes.PubKey)
	if !ok {
		return audit.Account{}, fmt.Errorf("%w: a validator's key of type %s", errMissing, packed.TypeUrl)
	}
	return padded(key.Address()), nil
}

func governMessage(m sdk.Msg) (out audit.Message, ok bool, err error) {
	type body struct {
		Proposal uint64
		Amount   string
		Messages []audit.Message
	}
	governed := func(kind, who string, b body) (audit.Message, bool, error) {
		from, err := sender(who)
		if err != nil {
			return out, true, err
		}
		raw, err := json.Marshal(b)
		return audit.Message{From: from, Kind: kind, Body: raw}, true, err
	}
	amount := func(c []sdk.Coin) string { return sdk.Coins(c).AmountOf(network.Denom).String() }
	switch m := m.(type) {
	case *govv1.MsgSubmitProposal:
		list, err := nested(m.GetMsgs())
		if err != nil {
			return out, true, err
		}
		return governed("gov/submit", m.Proposer, body{Amount: amount(m.InitialDeposit), Messages: list})
	case *govv1.MsgDeposit:
		return governed("gov/deposit", m.Depositor, body{Proposal: m.ProposalId, Amount: amount(m.Amount)})
	case *govv1beta1.MsgSubmitProposal: // of a text, which does nothing
		return governed("gov/submit", m.Proposer, body{Amount: amount(m.InitialDeposit)})
	case *govv1beta1.MsgDeposit:
		return governed("gov/deposit", m.Depositor, body{Proposal: m.ProposalId, Amount: amount(m.Amount)})
	case *govv1.MsgCancelProposal:
		return governed("gov/cancel", m.Proposer, body{Proposal: m.ProposalId, Amount: "0"})
	}
	return out, false, nil
}

// quiet are messages that move no coins beyond their fee.
var quiet = map[string]bool{
	"/cosmos.gov.v1.MsgVote": true, "/cosmos.gov.v1.MsgVoteWeighted": true, "/cosmos.gov.v1beta1.MsgVote": true, "/cosmos.gov.v1beta1.MsgVoteWeighted": true,
	"/cosmos.slashing.v1beta1.MsgUnjail":         true,
	"/cosmos.feegrant.v1beta1.MsgGrantAllowance": true, "/cosmos.feegrant.v1beta1.MsgRevokeAllowance": true, "/cosmos.feegrant.v1beta1.MsgPruneAllowances": true,
	"/cosmos.gov.v1.MsgExecLegacyContent": true, "/cosmos.upgrade.v1beta1.MsgSoftwareUpgrade": true, "/cosmos.upgrade.v1beta1.MsgCancelUpgrade": true,
}

// attribute is the value of an event's attribute, or "".
func attribute(e abci.Event, key string) string {
	for _, a := range e.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// began reads an event from before the transactions. Of a slash only who, why and at which power is read, no amount.
func began(e abci.Event) (out audit.Event, ok bool, err error) {
	switch {
	case e.Type == "params.changed":
		return event(e), true, nil
	case e.Type == slashingtypes.EventTypeSlash && attribute(e, slashingtypes.AttributeKeyAddress) != "":
		raw, err := sdk.ConsAddressFromBech32(attribute(e, slashingtypes.AttributeKeyAddress))
		return audit.Event{Kind: "staking.slashed", Attributes: map[string]string{
			"consensus": padded(raw).String(), "power": attribute(e, slashingtypes.AttributeKeyPower), "reason": attribute(e, slashingtypes.AttributeKeyReason),
		}}, true, err
	}
	return out, false, nil
}

// decisions reads what became of proposals. That coins were burned in governance's account before one is announced says that its deposits
// were, not how much that is.
type decisions struct{ burned bool }

func (d *decisions) read(e abci.Event) (out audit.Event, ok bool) {
	switch e.Type {
	case banktypes.EventTypeCoinBurn:
		who, err := account(attribute(e, banktypes.AttributeKeyBurner))
		d.burned = d.burned || err == nil && who == moduleAccount(govtypes.ModuleName)
	case govtypes.EventTypeActiveProposal, govtypes.EventTypeInactiveProposal:
		out = audit.Event{Kind: "gov.decided", Attributes: map[string]string{
			"proposal": attribute(e, govtypes.AttributeKeyProposalID), "result": attribute(e, govtypes.AttributeKeyProposalResult), "burned": fmt.Sprint(d.burned),
		}}
		d.burned, ok = false, true
	}
	return out, ok
}

// setChanges are who joins and leaves the set of validators.
func setChanges(updates []abci.ValidatorUpdate) ([]audit.SetChange, error) {
	var list []audit.SetChange
	for _, u := range updates {
		key, err := cryptoenc.PubKeyFromProto(u.PubKey)
		if err != nil {
			return nil, err
		}
		list = append(list, audit.SetChange{Consensus: padded(key.Address()), Power: u.Power})
	}
	return list, nil
}

// evidence is who signed two blocks at one height.
func evidence(list cmttypes.EvidenceList) []audit.Misbehavior {
	var out []audit.Misbehavior
	for _, e := range list {
		for _, m := range e.ABCI() {
			out = append(out, audit.Misbehavior{Consensus: padded(m.Validator.Address), Height: m.Height})
		}
	}
	return out
}

// stakes asks for the stake of validators.
func stakes(ctx context.Context, s source, height int64, st *audit.State) error {
	st.Stakes = map[audit.Account]*big.Int{}
	for next := []byte(nil); ; {
		var page stakingtypes.QueryValidatorsResponse
		request := &stakingtypes.QueryValidatorsRequest{Pagination: &sdkquery.PageRequest{Key: next, Limit: 100}}
		if err := ask(ctx, s, height, "/cosmos.staking.v1beta1.Query/Validators", request, &page); err != nil {
			return err
		}
		for _, v := range page.Validators {
			who, err := validator(v.OperatorAddress)
			if err != nil {
				return err
			}
			st.Stakes[who] = v.Tokens.BigInt()
		}
		if next = page.Pagination.GetNextKey(); len(next) == 0 {
			return nil
		}
	}
}
