package dispute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/dispute/disputepb"
	"github.com/mutirao/mutirao/protocol"
)

// Bounds on the open disputes in one answer.
const (
	maxListed      = 100
	maxListedBytes = 1 << 20
)

type queryServer struct{ *Keeper }

// Open lists the open disputes about a run, by id.
func (q queryServer) Open(ctx context.Context, r *disputepb.OpenRequest) (*disputepb.OpenResponse, error) {
	run, err := hosted.Hash(r.Run)
	if err != nil {
		return nil, fault.Query(err)
	}
	answer, size := &disputepb.OpenResponse{}, 0
	from := collections.NewPrefixedPairRange[[]byte, []byte](run[:])
	if len(r.After) > 0 {
		from = from.StartExclusive(r.After)
	}
	err = q.ofRun.Walk(ctx, from, func(key pair) (bool, error) {
		raw, err := q.disputes.Get(ctx, key.K2())
		if err != nil {
			return true, err
		}
		answer.Json = append(answer.Json, raw)
		size += len(raw)
		return len(answer.Json) == maxListed || size >= maxListedBytes, nil
	})
	return answer, err
}

// Dispute returns one open dispute.
func (q queryServer) Dispute(ctx context.Context, r *disputepb.DisputeRequest) (*disputepb.DisputeResponse, error) {
	id, err := hosted.Hash(r.Id)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := q.disputes.Get(ctx, id[:])
	if errors.Is(err, collections.ErrNotFound) {
		return nil, fault.Query(fmt.Errorf("%w: no open dispute %s", protocol.ErrNotFound, id))
	}
	return &disputepb.DisputeResponse{Json: raw}, err
}

// Records lists what was recorded about a run or a dispute, in the order of keys.
func (q queryServer) Records(ctx context.Context, r *disputepb.RecordsRequest) (*disputepb.RecordsResponse, error) {
	owner, err := hosted.Hash(r.Owner)
	if err != nil {
		return nil, fault.Query(err)
	}
	answer := &disputepb.RecordsResponse{}
	err = q.records.List(ctx, owner, r.Kind, r.After, func(key string, raw []byte) {
		answer.Records = append(answer.Records, &disputepb.Record{Key: key, Json: raw})
	})
	return answer, err
}

// Params returns the terms of all disputes.
func (q queryServer) Params(ctx context.Context, _ *disputepb.ParamsRequest) (*disputepb.ParamsResponse, error) {
	p, err := q.Keeper.Params(ctx)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(p)
	return &disputepb.ParamsResponse{Json: raw}, err
}
