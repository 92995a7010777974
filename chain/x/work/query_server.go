package work

import (
	"context"
	"encoding/json"

	"cosmossdk.io/collections"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
)

// maxListed bounds the ids in one answer.
const maxListed = 1000

type queryServer struct{ *Keeper }

// Runs lists ids in the order of creation.
func (q queryServer) Runs(ctx context.Context, r *workpb.RunsRequest) (*workpb.RunsResponse, error) {
	answer := &workpb.RunsResponse{}
	err := q.ids.Walk(ctx, new(collections.Range[uint64]).StartInclusive(r.After), func(_ uint64, id []byte) (bool, error) {
		answer.Ids = append(answer.Ids, id)
		return len(answer.Ids) == maxListed, nil
	})
	return answer, err
}

// Run returns one state.
func (q queryServer) Run(ctx context.Context, r *workpb.RunRequest) (*workpb.RunResponse, error) {
	id, err := hosted.Hash(r.Id)
	if err != nil {
		return nil, fault.Query(err)
	}
	state, err := q.Keeper.Run(ctx, id, escrow.Free)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(state)
	return &workpb.RunResponse{Json: raw}, err
}

// Records lists what a run has recorded, in the order of keys.
func (q queryServer) Records(ctx context.Context, r *workpb.RecordsRequest) (*workpb.RecordsResponse, error) {
	run, err := hosted.Hash(r.Run)
	if err != nil {
		return nil, fault.Query(err)
	}
	answer := &workpb.RecordsResponse{}
	err = q.records.List(ctx, run, r.Kind, r.After, func(key string, raw []byte) {
		answer.Records = append(answer.Records, &workpb.Record{Key: key, Json: raw})
	})
	return answer, err
}
