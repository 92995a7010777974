package client

import (
	"context"
	"encoding/json"

	"github.com/cosmos/gogoproto/proto"

	"github.com/mutirao/mutirao/chain/x/market/marketpb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

const marketQuery = "/mutirao.market.v1.Query/"

// MarketParams are the market's parameters. Pool and Treasury, which a ledger knows by name, are empty.
func (c *Client) MarketParams(ctx context.Context) (market.Params, error) {
	var answer marketpb.ParamsResponse
	var p market.Params
	if err := c.query(ctx, marketQuery+"Params", &marketpb.ParamsRequest{}, &answer); err != nil {
		return p, err
	}
	return p, decode(answer.Json, &p)
}

// Classes lists what is traded, with the base price of now, by id of the class.
func (c *Client) Classes(ctx context.Context) ([]market.ClassState, error) {
	return listAll[market.ClassState](ctx, c, "Classes", func(after []byte) proto.Message { return &marketpb.ClassesRequest{After: after} })
}

// Quote is what each of so many units of a class costs when they are taken at once, and how many of them are free. It returns
// protocol.ErrNotFound for a class in which nobody ever offered anything.
func (c *Client) Quote(ctx context.Context, class market.Class, units, minReputation uint32) (auction.Price, uint32, error) {
	raw, err := json.Marshal(class)
	if err != nil {
		return 0, 0, err
	}
	var answer marketpb.QuoteResponse
	request := &marketpb.QuoteRequest{Class: raw, Units: units, MinReputation: minReputation}
	err = c.query(ctx, marketQuery+"Quote", request, &answer)
	return auction.Price(answer.Price), uint32(min(answer.Free, uint64(units))), err
}

// ClassAsks lists the open asks of a class, the cheapest first.
func (c *Client) ClassAsks(ctx context.Context, class market.Class) ([]market.Ask, error) {
	id := class.ID()
	return listAll[market.Ask](ctx, c, "Asks", func(after []byte) proto.Message { return &marketpb.AsksRequest{Class: id[:], After: after} })
}

// OwnAsks lists the asks of an account.
func (c *Client) OwnAsks(ctx context.Context, owner protocol.Account) ([]market.Ask, error) {
	return listAll[market.Ask](ctx, c, "Asks", func(after []byte) proto.Message { return &marketpb.AsksRequest{Owner: owner[:], After: after} })
}

// Bids lists the bids of the batch that is open; terms are shown of those that have been opened.
func (c *Client) Bids(ctx context.Context) ([]market.Bid, error) {
	return listAll[market.Bid](ctx, c, "Bids", func(after []byte) proto.Message { return &marketpb.BidsRequest{After: after} })
}

// Leases lists the leases in which an account is buyer or provider, closed ones included.
func (c *Client) Leases(ctx context.Context, who protocol.Account) ([]market.Lease, error) {
	return listAll[market.Lease](ctx, c, "Leases", func(after []byte) proto.Message { return &marketpb.LeasesRequest{Account: who[:], After: after} })
}

// Lease returns one lease, or protocol.ErrNotFound.
func (c *Client) Lease(ctx context.Context, id protocol.Hash) (market.Lease, error) {
	var answer marketpb.LeaseResponse
	var l market.Lease
	if err := c.query(ctx, marketQuery+"Lease", &marketpb.LeaseRequest{Id: id[:]}, &answer); err != nil {
		return l, err
	}
	return l, decode(answer.Json, &l)
}

// Grade is a provider's reputation, from 0 to market.MaxGrade.
func (c *Client) Grade(ctx context.Context, who protocol.Account) (uint32, error) {
	var answer marketpb.ReputationResponse
	err := c.query(ctx, marketQuery+"Reputation", &marketpb.ReputationRequest{Account: who[:]}, &answer)
	return answer.Grade, err
}

// Prices lists what a class cost in its batches, the oldest first.
func (c *Client) Prices(ctx context.Context, class market.Class) ([]market.ClassPrice, error) {
	id := class.ID()
	return listAll[market.ClassPrice](ctx, c, "Prices", func(after []byte) proto.Message {
		return &marketpb.PricesRequest{Class: id[:], After: string(after)}
	})
}

// listAll reads a list to its end.
func listAll[T any](ctx context.Context, c *Client, method string, request func(after []byte) proto.Message) ([]T, error) {
	var list []T
	var after []byte
	for {
		var page marketpb.ListResponse
		if err := c.query(ctx, marketQuery+method, request(after), &page); err != nil {
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
