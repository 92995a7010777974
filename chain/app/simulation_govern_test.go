package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	govv1beta1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1beta1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
	feemarkettypes "github.com/cosmos/evm/x/feemarket/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/chain/network"
	paramshost "github.com/mutirao/mutirao/chain/x/params"
	"github.com/mutirao/mutirao/chain/x/params/paramspb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	paramrules "github.com/mutirao/mutirao/protocol/params"
)

// ofSDK are operations of the SDK's modules that its own simulations lack.
func ofSDK() []operation {
	return []operation{
		{"prune allowances", 10, func(s *scene) *deed {
			who := s.person()
			return s.native(who, &feegrant.MsgPruneAllowances{Pruner: bech(who.Account())})
		}},
		{"unjail", 30, (*scene).returnsFromJail},
		{"old governance", 12, (*scene).governsTheOldWay},
		{"usurp", 15, (*scene).usurps},
	}
}

func bech(a protocol.Account) string { return sdk.AccAddress(a[:]).String() }

// returnsFromJail is of somebody who may: the SDK's own operation mostly finds one that may not.
func (s *scene) returnsFromJail() *deed {
	all, err := s.app.Staking.GetAllValidators(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, i := range s.r.Perm(len(all)) {
		if !all[i].IsJailed() {
			continue
		}
		operator, err := sdk.ValAddressFromBech32(all[i].OperatorAddress)
		if err != nil {
			s.t.Fatal(err)
		}
		if who, ok := s.owner(protocol.Account(operator)); ok {
			return s.native(who, slashingtypes.NewMsgUnjail(all[i].OperatorAddress))
		}
	}
	return nil
}

// upgradeName is what a simulation calls its upgrades, each of which its program knows when it is due.
const upgradeName = "simulated"

// governs puts changes of numbers, upgrades and attempts at parameters of the SDK's modules to the vote.
func (s *scene) governs() *deed {
	var list []sdk.Msg
	wrap := func(m protocol.Msg) {
		wrapped, _, err := client.Wrap(client.Governance(), m)
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, wrapped)
	}
	plan, planned := s.app.Upgrade.GetUpgradePlan(s.ctx)
	switch n := s.r.Intn(100); {
	case n < 40:
		wrap(s.change())
	case n < 50:
		wrap(paramrules.Cancel{Name: s.change().Name})
	case n < 60:
		// decided and taken back in one proposal: the only way to be sure that something waits
		c := s.change()
		wrap(c)
		wrap(paramrules.Cancel{Name: c.Name})
	case n < 75:
		list = append(list, client.Upgrade(upgradeName+fmt.Sprint(s.next()), s.height()+60+s.r.Int63n(100), ""))
	case n < 90 && planned == nil && plan.Height > 0:
		list = append(list, &upgradetypes.MsgCancelUpgrade{Authority: bech(client.Governance())})
	default:
		list = append(list, some(s, s.authorities(bech(client.Governance()))))
	}
	return s.puts(list...)
}

// puts is a proposal with the whole deposit.
func (s *scene) puts(list ...sdk.Msg) *deed {
	p, err := s.app.Gov.Params.Get(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	who := s.person()
	deposit := sdk.Coins(p.MinDeposit)
	if s.chance(25) && deposit[0].Amount.GT(math.NewInt(2)) {
		deposit = deposit.QuoInt(math.NewInt(2)) // somebody else adds the rest
	}
	if !s.has(who).GT(deposit.AmountOf(network.Denom)) {
		return nil
	}
	m, err := govv1.NewMsgSubmitProposal(list, deposit, bech(who.Account()), "", "a change", "for a reason", false)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.native(who, m)
}

// change is of a number, within its bounds and reach.
func (s *scene) change() paramrules.Set {
	b := some(s, paramrules.Bounds)
	now := s.number(b.Name)
	value := min(max(now+now/2, now+1), b.Max)
	if s.chance(50) || value == now {
		value = max(now-now/3, b.Min)
	}
	if s.chance(10) {
		value = b.Min + uint64(s.r.Int63n(int64(b.Max-b.Min)))
	}
	return paramrules.Set{Name: b.Name, Value: value}
}

// number is the value of a number that governance may change.
func (s *scene) number(name string) uint64 {
	r, err := s.app.Query(s.t.Context(), &abci.RequestQuery{Path: "/mutirao.params.v1.Query/List"})
	if err != nil || r.Code != 0 { // before the first block
		b, err := paramrules.BoundOf(name)
		if err != nil {
			s.t.Fatal(err)
		}
		return b.Min
	}
	var answer paramspb.ListResponse
	var listing paramshost.Listing
	if err := errors.Join(answer.Unmarshal(r.Value), json.Unmarshal(answer.Json, &listing)); err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(listing.List, func(e paramshost.Entry) bool { return e.Name == name })
	return listing.List[i].Value
}

// agrees has a validator that has not voted yet vote for what is ours.
func (s *scene) agrees() *deed {
	next, err := s.app.Gov.ProposalID.Peek(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := s.app.Staking.GetBondedValidatorsByPower(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	for id := next; id > 0 && id+8 > next; id-- {
		p, err := s.app.Gov.Proposals.Get(s.ctx, id)
		if err != nil || p.Status != govv1.StatusVotingPeriod || id%4 == 3 { // some find no friends
			continue
		}
		for _, v := range all {
			operator, err := sdk.ValAddressFromBech32(v.OperatorAddress)
			if err != nil {
				s.t.Fatal(err)
			}
			who, ok := s.owner(protocol.Account(operator))
			if has, err := s.app.Gov.Votes.Has(s.ctx, collections.Join(id, sdk.AccAddress(operator))); !ok || err != nil || has {
				continue
			}
			return s.native(who, govv1.NewMsgVote(sdk.AccAddress(operator), id, govv1.OptionYes, ""))
		}
	}
	return nil
}

// governsTheOldWay uses the first version of the messages of governance.
func (s *scene) governsTheOldWay() *deed {
	who := s.person()
	account := who.Account()
	next, err := s.app.Gov.ProposalID.Peek(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	if next < 2 {
		return nil
	}
	id := next - 1 - uint64(s.r.Intn(int(min(next-1, 4))))
	switch s.r.Intn(4) {
	case 3:
		m, err := govv1beta1.NewMsgSubmitProposal(govv1beta1.NewTextProposal("t", "d"), network.Coins(money.New(1+s.r.Uint64()>>50)), account[:])
		if err != nil {
			s.t.Fatal(err)
		}
		return s.native(who, m)
	case 0:
		return s.native(who, govv1beta1.NewMsgDeposit(account[:], id, network.Coins(money.New(1+s.r.Uint64()>>40))))
	case 1:
		return s.native(who, govv1beta1.NewMsgVote(account[:], id, govv1beta1.OptionAbstain))
	default:
		return s.native(who, govv1beta1.NewMsgVoteWeighted(account[:], id, govv1beta1.NewNonSplitVoteOption(govv1beta1.OptionNo)))
	}
}

// authorities are the messages that only the account of an authority may send, in the name of somebody.
func (s *scene) authorities(by string) []sdk.Msg {
	consensus := s.app.GetConsensusParams(s.ctx)
	return []sdk.Msg{
		&authtypes.MsgUpdateParams{Authority: by, Params: authtypes.DefaultParams()},
		&banktypes.MsgUpdateParams{Authority: by, Params: banktypes.DefaultParams()},
		&banktypes.MsgSetSendEnabled{Authority: by, SendEnabled: []*banktypes.SendEnabled{{Denom: network.Denom}}},
		&stakingtypes.MsgUpdateParams{Authority: by, Params: stakingtypes.DefaultParams()},
		&slashingtypes.MsgUpdateParams{Authority: by, Params: slashingtypes.DefaultParams()},
		&govv1.MsgUpdateParams{Authority: by, Params: govv1.DefaultParams()},
		&consensustypes.MsgUpdateParams{Authority: by, Block: consensus.Block, Evidence: consensus.Evidence, Validator: consensus.Validator},
		&feemarkettypes.MsgUpdateParams{Authority: by, Params: feemarkettypes.DefaultParams()},
		&evmtypes.MsgUpdateParams{Authority: by, Params: evmtypes.DefaultParams()},
		&evmtypes.MsgRegisterPreinstalls{Authority: by},
		&upgradetypes.MsgSoftwareUpgrade{Authority: by, Plan: upgradetypes.Plan{Name: "coup", Height: s.height() + 5}},
		&upgradetypes.MsgCancelUpgrade{Authority: by},
	}
}

// usurps sends what only an authority may, and what no module takes.
func (s *scene) usurps() *deed {
	who := s.person()
	by := bech(who.Account())
	list := s.authorities(by)
	wrapped, _, err := client.Wrap(who.Account(), paramrules.Set{Name: "gov.deposit_mut", Value: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	legacy, err := govv1.NewLegacyContent(govv1beta1.NewTextProposal("t", "d"), authtypes.NewModuleAddress(govtypes.ModuleName).String())
	if err != nil {
		s.t.Fatal(err)
	}
	proof, err := types.NewAnyWithValue(&evidencetypes.Equivocation{Height: 1, Time: s.ctx.BlockTime(), Power: 1, ConsensusAddress: sdk.ConsAddress(make([]byte, 20)).String()})
	if err != nil {
		s.t.Fatal(err)
	}
	list = append(list, wrapped, legacy, &evidencetypes.MsgSubmitEvidence{Submitter: by, Evidence: proof})
	m := some(s, list)
	d := s.native(who, m)
	d.labels = []string{d.labels[0] + ", which must fail"}
	return d
}
