package client

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkquery "github.com/cosmos/cosmos-sdk/types/query"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/mutirao/mutirao/chain/network"
	paramshost "github.com/mutirao/mutirao/chain/x/params"
	"github.com/mutirao/mutirao/chain/x/params/paramspb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

func decode64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }

// Governance is the account in whose name accepted proposals act.
func Governance() protocol.Account {
	return protocol.Account(authtypes.NewModuleAddress(govtypes.ModuleName))
}

// Upgrade is the message by which governance sets the height of an upgrade.
func Upgrade(name string, height int64, info string) sdk.Msg {
	from := Governance()
	return &upgradetypes.MsgSoftwareUpgrade{Authority: sdk.AccAddress(from[:]).String(), Plan: upgradetypes.Plan{Name: name, Height: height, Info: info}}
}

// DecodeMsg reads a message of any module from its JSON form, which names its type in "@type".
func (c *Client) DecodeMsg(raw []byte) (m sdk.Msg, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", protocol.ErrInvalid, p)
		}
	}()
	if err := c.codec.UnmarshalInterfaceJSON(raw, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", protocol.ErrInvalid, err)
	}
	return m, nil
}

// Propose submits messages to the vote, with a deposit.
func (c *Client) Propose(ctx context.Context, title, summary string, deposit money.Amount, msgs ...sdk.Msg) error {
	who := c.Account()
	m, err := govv1.NewMsgSubmitProposal(msgs, network.Coins(deposit), sdk.AccAddress(who[:]).String(), "", title, summary, false)
	if err != nil {
		return err
	}
	return c.execute(ctx, stakingGas+50*uint64(len(summary)), m)
}

// Choices are the words for votes.
var Choices = map[string]govv1.VoteOption{"yes": govv1.OptionYes, "no": govv1.OptionNo, "abstain": govv1.OptionAbstain, "veto": govv1.OptionNoWithVeto}

// Vote votes about a proposal with one of Choices. The weight is the stake of the account.
func (c *Client) Vote(ctx context.Context, proposal uint64, choice govv1.VoteOption) error {
	who := c.Account()
	return c.execute(ctx, stakingGas, govv1.NewMsgVote(who[:], proposal, choice, ""))
}

// Proposal is what is voted about.
type Proposal struct {
	ID      uint64    `json:"id"`
	Title   string    `json:"title"`
	Summary string    `json:"summary"`
	Status  string    `json:"status"` // "deposit", "voting", "passed", "rejected" or "failed"
	Ends    time.Time `json:"ends,omitzero"`
	Yes     string    `json:"yes"` // votes, in MUT
	No      string    `json:"no"`
	Abstain string    `json:"abstain"`
	Veto    string    `json:"veto"`
	Reason  string    `json:"reason,omitempty"` // why it failed
}

// latest asks for the last page.
var latest = &sdkquery.PageRequest{Limit: 100, Reverse: true}

// Ballots lists at most a hundred proposals, the latest first.
func (c *Client) Ballots(ctx context.Context) ([]Proposal, error) {
	var answer govv1.QueryProposalsResponse
	if err := c.query(ctx, "/cosmos.gov.v1.Query/Proposals", &govv1.QueryProposalsRequest{Pagination: latest}, &answer); err != nil {
		return nil, err
	}
	list := []Proposal{}
	for _, p := range answer.Proposals {
		one := Proposal{ID: p.Id, Title: p.Title, Summary: p.Summary, Status: statusNames[p.Status], Reason: p.FailedReason}
		if p.VotingEndTime != nil {
			one.Ends = *p.VotingEndTime
		}
		tally := p.FinalTallyResult
		if p.Status == govv1.StatusVotingPeriod {
			var now govv1.QueryTallyResultResponse
			if err := c.query(ctx, "/cosmos.gov.v1.Query/TallyResult", &govv1.QueryTallyResultRequest{ProposalId: p.Id}, &now); err != nil {
				return nil, err
			}
			tally = now.Tally
		}
		if tally != nil {
			one.Yes, one.No, one.Abstain, one.Veto = mut(tally.YesCount), mut(tally.NoCount), mut(tally.AbstainCount), mut(tally.NoWithVetoCount)
		}
		list = append(list, one)
	}
	return list, nil
}

// mut writes a count of amut in MUT.
func mut(count string) string {
	a, err := money.Parse(count)
	if err != nil {
		return "0"
	}
	return a.Coins()
}

var statusNames = map[govv1.ProposalStatus]string{govv1.StatusDepositPeriod: "deposit", govv1.StatusVotingPeriod: "voting", govv1.StatusPassed: "passed",
	govv1.StatusRejected: "rejected", govv1.StatusFailed: "failed"}

// Numbers lists what governance may change.
func (c *Client) Numbers(ctx context.Context) (paramshost.Listing, error) {
	var answer paramspb.ListResponse
	var l paramshost.Listing
	if err := c.query(ctx, "/mutirao.params.v1.Query/List", &paramspb.ListRequest{}, &answer); err != nil {
		return l, err
	}
	return l, decode(answer.Json, &l)
}

// Simulate asks what messages of a proposal would change.
func (c *Client) Simulate(ctx context.Context, msgs ...sdk.Msg) (paramshost.Report, error) {
	var r paramshost.Report
	request := &paramspb.SimulateRequest{}
	for _, m := range msgs {
		packed, err := codectypes.NewAnyWithValue(m)
		if err != nil {
			return r, err
		}
		request.Messages = append(request.Messages, packed)
	}
	var answer paramspb.SimulateResponse
	if err := c.query(ctx, "/mutirao.params.v1.Query/Simulate", request, &answer); err != nil {
		return r, err
	}
	return r, decode(answer.Json, &r)
}
