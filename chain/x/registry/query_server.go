package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/x/registry/registrypb"
	"github.com/mutirao/mutirao/protocol"
)

// maxListed bounds the ids in one answer.
const maxListed = 1000

type queryServer struct{ *Keeper }

// Dataset returns one dataset.
func (q queryServer) Dataset(ctx context.Context, r *registrypb.DatasetRequest) (*registrypb.DatasetResponse, error) {
	id, err := hosted.Hash(r.Id)
	if err != nil {
		return nil, fault.Query(err)
	}
	d, err := q.Keeper.Dataset(ctx, id, escrow.Free)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(d)
	return &registrypb.DatasetResponse{Json: raw}, err
}

// Model returns one model without its artifact.
func (q queryServer) Model(ctx context.Context, r *registrypb.ModelRequest) (*registrypb.ModelResponse, error) {
	id, err := hosted.Hash(r.Id)
	if err != nil {
		return nil, fault.Query(err)
	}
	m, err := q.Keeper.Model(ctx, id, escrow.Free)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(m)
	return &registrypb.ModelResponse{Json: raw}, err
}

// Models lists ids in ascending order.
func (q queryServer) Models(ctx context.Context, r *registrypb.ModelsRequest) (*registrypb.ModelsResponse, error) {
	after := new(collections.Range[[]byte])
	if len(r.After) > 0 {
		after = after.StartExclusive(r.After)
	}
	answer := &registrypb.ModelsResponse{}
	err := q.models.Walk(ctx, after, func(id, _ []byte) (bool, error) {
		answer.Ids = append(answer.Ids, id)
		return len(answer.Ids) == maxListed, nil
	})
	return answer, err
}

// Artifact returns the bytes of one model.
func (q queryServer) Artifact(ctx context.Context, r *registrypb.ArtifactRequest) (*registrypb.ArtifactResponse, error) {
	id, err := hosted.Hash(r.Id)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := q.Keeper.Artifact(ctx, id)
	if err != nil {
		return nil, fault.Query(err)
	}
	return &registrypb.ArtifactResponse{Graph: raw}, nil
}

// Upload returns one upload that is open, without its bytes.
func (q queryServer) Upload(ctx context.Context, r *registrypb.UploadRequest) (*registrypb.UploadResponse, error) {
	id, err := hosted.Hash(r.Id)
	if err != nil {
		return nil, fault.Query(err)
	}
	u, err := q.Keeper.Upload(ctx, id, escrow.Free)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(u)
	return &registrypb.UploadResponse{Json: raw}, err
}

// Uploads lists open uploads by id.
func (q queryServer) Uploads(ctx context.Context, r *registrypb.UploadsRequest) (*registrypb.UploadsResponse, error) {
	after := new(collections.Range[[]byte])
	if len(r.After) > 0 {
		after = after.StartExclusive(r.After)
	}
	answer := &registrypb.UploadsResponse{}
	err := q.uploads.Walk(ctx, after, func(_, raw []byte) (bool, error) {
		answer.Json = append(answer.Json, raw)
		return len(answer.Json) == maxListed, nil
	})
	return answer, err
}

// Holding returns what one account holds of one model.
func (q queryServer) Holding(ctx context.Context, r *registrypb.HoldingRequest) (*registrypb.HoldingResponse, error) {
	model, err := hosted.Hash(r.Model)
	if err != nil {
		return nil, fault.Query(err)
	}
	if len(r.Holder) != len(protocol.Account{}) {
		return nil, fault.Query(fmt.Errorf("%w: holder of %d bytes", protocol.ErrInvalid, len(r.Holder)))
	}
	h, err := q.Keeper.Holding(ctx, model, protocol.Account(r.Holder))
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(h)
	return &registrypb.HoldingResponse{Json: raw}, err
}

// Holdings lists what everybody holds of one model, by holder.
func (q queryServer) Holdings(ctx context.Context, r *registrypb.HoldingsRequest) (*registrypb.HoldingsResponse, error) {
	model, err := hosted.Hash(r.Model)
	if err != nil {
		return nil, fault.Query(err)
	}
	last := protocol.Account(bytes.Repeat([]byte{0xff}, len(protocol.Account{})))
	within := new(collections.Range[[]byte]).StartExclusive(append(model[:], r.After...)).EndInclusive(holdingKey(model, last))
	answer := &registrypb.HoldingsResponse{}
	err = q.holdings.Walk(ctx, within, func(_, raw []byte) (bool, error) {
		answer.Json = append(answer.Json, raw)
		return len(answer.Json) == maxListed, nil
	})
	return answer, err
}

// Channel returns one open channel.
func (q queryServer) Channel(ctx context.Context, r *registrypb.ChannelRequest) (*registrypb.ChannelResponse, error) {
	id, err := hosted.Hash(r.Id)
	if err != nil {
		return nil, fault.Query(err)
	}
	c, err := q.Keeper.Channel(ctx, id, escrow.Free)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(c)
	return &registrypb.ChannelResponse{Json: raw}, err
}

// Channels lists open channels, of one payer or of all, by id.
func (q queryServer) Channels(ctx context.Context, r *registrypb.ChannelsRequest) (*registrypb.ChannelsResponse, error) {
	if n := len(r.Payer); n != 0 && n != len(protocol.Account{}) {
		return nil, fault.Query(fmt.Errorf("%w: payer of %d bytes", protocol.ErrInvalid, n))
	}
	answer := &registrypb.ChannelsResponse{}
	err := q.listChannels(ctx, r.Payer, r.After, func(raw []byte) bool {
		answer.Json = append(answer.Json, raw)
		return len(answer.Json) == maxListed
	})
	return answer, err
}

// Records lists what the uses of a model have recorded, in the order of keys.
func (q queryServer) Records(ctx context.Context, r *registrypb.RecordsRequest) (*registrypb.RecordsResponse, error) {
	model, err := hosted.Hash(r.Model)
	if err != nil {
		return nil, fault.Query(err)
	}
	answer := &registrypb.RecordsResponse{}
	err = q.records.List(ctx, model, r.Kind, r.After, func(key string, raw []byte) {
		answer.Records = append(answer.Records, &registrypb.Record{Key: key, Json: raw})
	})
	return answer, err
}
