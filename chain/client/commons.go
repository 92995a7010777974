package client

import (
	"context"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/commons/commonspb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
)

const commonsQuery = "/mutirao.commons.v1.Query/"

// Treasury is the account of the treasury, the author of the runs of the commons.
func Treasury() protocol.Account {
	return protocol.Account(authtypes.NewModuleAddress(network.TreasuryAccount))
}

// CommonsParams are the parameters of the commons. Treasury, which a ledger knows by name, is empty.
func (c *Client) CommonsParams(ctx context.Context) (p commons.Params, err error) {
	return p, c.commons(ctx, "Params", &commonspb.ParamsRequest{}, &p)
}

// Commons is the budget of the commons and what it is made of.
func (c *Client) Commons(ctx context.Context) (s commons.Summary, err error) {
	return s, c.commons(ctx, "Status", &commonspb.StatusRequest{}, &s)
}

// Proposal returns one proposal with the money of its job, or protocol.ErrNotFound.
func (c *Client) Proposal(ctx context.Context, id protocol.Hash) (v commons.View, err error) {
	return v, c.commons(ctx, "Proposal", &commonspb.ProposalRequest{Id: id[:]}, &v)
}

// Proposals lists proposals by id: those that are voted on, or all.
func (c *Client) Proposals(ctx context.Context, open bool) ([]commons.Proposal, error) {
	return commonsList[commons.Proposal](ctx, c, "Proposals", func(after []byte) proto.Message {
		return &commonspb.ProposalsRequest{Open: open, After: after}
	})
}

// Stakes lists what an account has locked behind proposals.
func (c *Client) Stakes(ctx context.Context, who protocol.Account) ([]commons.Stake, error) {
	return commonsList[commons.Stake](ctx, c, "Votes", func(after []byte) proto.Message {
		return &commonspb.VotesRequest{Account: who[:], After: after}
	})
}

// Earnings is what an account has earned and cannot send to others yet.
func (c *Client) Earnings(ctx context.Context, who protocol.Account) (e commons.Earnings, err error) {
	return e, c.commons(ctx, "Account", &commonspb.AccountRequest{Account: who[:]}, &e)
}

func (c *Client) commons(ctx context.Context, method string, request proto.Message, value any) error {
	var answer commonspb.JSONResponse
	if err := c.query(ctx, commonsQuery+method, request, &answer); err != nil {
		return err
	}
	return decode(answer.Json, value)
}

// commonsList reads a list to its end.
func commonsList[T any](ctx context.Context, c *Client, method string, request func(after []byte) proto.Message) ([]T, error) {
	var list []T
	var after []byte
	for {
		var page commonspb.ListResponse
		if err := c.query(ctx, commonsQuery+method, request(after), &page); err != nil {
			return nil, err
		}
		for _, raw := range page.Json {
			var value T
			if err := decode(raw, &value); err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		if len(page.Next) == 0 {
			return list, nil
		}
		after = page.Next
	}
}
