package client

import (
	"context"

	"github.com/mutirao/mutirao/chain/x/dispute/disputepb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
)

// Disputes lists the open disputes about a run, by id.
func (c *Client) Disputes(ctx context.Context, run protocol.Hash) ([]*dispute.State, error) {
	var list []*dispute.State
	var after []byte
	for {
		var page disputepb.OpenResponse
		if err := c.query(ctx, "/mutirao.dispute.v1.Query/Open", &disputepb.OpenRequest{Run: run[:], After: after}, &page); err != nil {
			return nil, err
		}
		if len(page.Json) == 0 {
			return list, nil
		}
		for _, raw := range page.Json {
			s := new(dispute.State)
			if err := decode(raw, s); err != nil {
				return nil, err
			}
			list, after = append(list, s), s.ID[:]
		}
	}
}

// Dispute returns one open dispute, or protocol.ErrNotFound, also for one that has ended.
func (c *Client) Dispute(ctx context.Context, id protocol.Hash) (*dispute.State, error) {
	var answer disputepb.DisputeResponse
	if err := c.query(ctx, "/mutirao.dispute.v1.Query/Dispute", &disputepb.DisputeRequest{Id: id[:]}, &answer); err != nil {
		return nil, err
	}
	s := new(dispute.State)
	return s, decode(answer.Json, s)
}

// DisputeParams are the terms of all disputes.
func (c *Client) DisputeParams(ctx context.Context) (dispute.Params, error) {
	var answer disputepb.ParamsResponse
	if err := c.query(ctx, "/mutirao.dispute.v1.Query/Params", &disputepb.ParamsRequest{}, &answer); err != nil {
		return dispute.Params{}, err
	}
	var p dispute.Params
	return p, decode(answer.Json, &p)
}

// Rulings lists how disputes about a run have ended, in their order.
func (c *Client) Rulings(ctx context.Context, run protocol.Hash) ([]dispute.Ruling, error) {
	return disputeRecords[dispute.Ruling](ctx, c, run)
}

// Moves lists the moves of a dispute, open or ended, in their order.
func (c *Client) Moves(ctx context.Context, id protocol.Hash) ([]dispute.Moved, error) {
	return disputeRecords[dispute.Moved](ctx, c, id)
}

func disputeRecords[R protocol.Recorded](ctx context.Context, c *Client, owner protocol.Hash) ([]R, error) {
	return pages[R](func(kind, after string) ([]recorded, error) {
		var page disputepb.RecordsResponse
		err := c.query(ctx, "/mutirao.dispute.v1.Query/Records", &disputepb.RecordsRequest{Owner: owner[:], Kind: kind, After: after}, &page)
		return recordedOf(page.Records), err
	})
}

// Sign signs a move of the client's account.
func (c *Client) Sign(digest protocol.Hash) ([]byte, error) { return c.key.Sign(digest) }
