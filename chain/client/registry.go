package client

import (
	"context"

	"github.com/mutirao/mutirao/chain/x/registry/registrypb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// Dataset returns one dataset, or protocol.ErrNotFound.
func (c *Client) Dataset(ctx context.Context, id protocol.Hash) (registry.Dataset, error) {
	var answer registrypb.DatasetResponse
	if err := c.query(ctx, "/mutirao.registry.v1.Query/Dataset", &registrypb.DatasetRequest{Id: id[:]}, &answer); err != nil {
		return registry.Dataset{}, err
	}
	var d registry.Dataset
	return d, decode(answer.Json, &d)
}

// Model returns one model, or protocol.ErrNotFound.
func (c *Client) Model(ctx context.Context, id protocol.Hash) (registry.Model, error) {
	var answer registrypb.ModelResponse
	if err := c.query(ctx, "/mutirao.registry.v1.Query/Model", &registrypb.ModelRequest{Id: id[:]}, &answer); err != nil {
		return registry.Model{}, err
	}
	var m registry.Model
	return m, decode(answer.Json, &m)
}

// Artifact returns the bytes of a callable model: graph.Encode of its graph with the weights.
func (c *Client) Artifact(ctx context.Context, id protocol.Hash) ([]byte, error) {
	var answer registrypb.ArtifactResponse
	err := c.query(ctx, "/mutirao.registry.v1.Query/Artifact", &registrypb.ArtifactRequest{Id: id[:]}, &answer)
	return answer.Graph, err
}

// Models lists the ids of all models in ascending order.
func (c *Client) Models(ctx context.Context) ([]protocol.Hash, error) {
	var ids []protocol.Hash
	var after []byte
	for {
		var page registrypb.ModelsResponse
		if err := c.query(ctx, "/mutirao.registry.v1.Query/Models", &registrypb.ModelsRequest{After: after}, &page); err != nil {
			return nil, err
		}
		if len(page.Ids) == 0 {
			return ids, nil
		}
		for _, raw := range page.Ids {
			id, err := hash(raw)
			if err != nil {
				return nil, err
			}
			ids, after = append(ids, id), raw
		}
	}
}

// Holding returns what an account holds of a model, or protocol.ErrNotFound.
func (c *Client) Holding(ctx context.Context, model protocol.Hash, holder protocol.Account) (registry.Holding, error) {
	var answer registrypb.HoldingResponse
	request := &registrypb.HoldingRequest{Model: model[:], Holder: holder[:]}
	if err := c.query(ctx, "/mutirao.registry.v1.Query/Holding", request, &answer); err != nil {
		return registry.Holding{}, err
	}
	var h registry.Holding
	return h, decode(answer.Json, &h)
}

// Holdings lists what everybody holds of a model, by holder ascending.
func (c *Client) Holdings(ctx context.Context, model protocol.Hash) ([]registry.Holding, error) {
	var list []registry.Holding
	var after []byte
	for {
		var page registrypb.HoldingsResponse
		if err := c.query(ctx, "/mutirao.registry.v1.Query/Holdings", &registrypb.HoldingsRequest{Model: model[:], After: after}, &page); err != nil {
			return nil, err
		}
		if len(page.Json) == 0 {
			return list, nil
		}
		for _, raw := range page.Json {
			var h registry.Holding
			if err := decode(raw, &h); err != nil {
				return nil, err
			}
			list, after = append(list, h), h.Holder[:]
		}
	}
}

// Uses lists the receipts of all uses of a model in their order.
func (c *Client) Uses(ctx context.Context, model protocol.Hash) ([]registry.UseReceipt, error) {
	return pages[registry.UseReceipt](func(kind, after string) ([]recorded, error) {
		var page registrypb.RecordsResponse
		err := c.query(ctx, "/mutirao.registry.v1.Query/Records", &registrypb.RecordsRequest{Model: model[:], Kind: kind, After: after}, &page)
		return recordedOf(page.Records), err
	})
}
