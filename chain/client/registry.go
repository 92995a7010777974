package client

import (
	"context"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/registry/registrypb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
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

// Upload returns one upload that is open, or protocol.ErrNotFound.
func (c *Client) Upload(ctx context.Context, id protocol.Hash) (registry.Upload, error) {
	var answer registrypb.UploadResponse
	if err := c.query(ctx, "/mutirao.registry.v1.Query/Upload", &registrypb.UploadRequest{Id: id[:]}, &answer); err != nil {
		return registry.Upload{}, err
	}
	var u registry.Upload
	return u, decode(answer.Json, &u)
}

// Uploads lists the open uploads of everybody by id.
func (c *Client) Uploads(ctx context.Context) ([]registry.Upload, error) {
	var list []registry.Upload
	var after []byte
	for {
		var page registrypb.UploadsResponse
		if err := c.query(ctx, "/mutirao.registry.v1.Query/Uploads", &registrypb.UploadsRequest{After: after}, &page); err != nil {
			return nil, err
		}
		if len(page.Json) == 0 {
			return list, nil
		}
		for _, raw := range page.Json {
			var u registry.Upload
			if err := decode(raw, &u); err != nil {
				return nil, err
			}
			list, after = append(list, u), u.ID[:]
		}
	}
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

// LastDividend is the last payment of a model to one of its holders, or protocol.ErrNotFound.
func (c *Client) LastDividend(ctx context.Context, model protocol.Hash, holder protocol.Account) (money.Amount, error) {
	list, err := pages[registry.Dividend](func(kind, after string) ([]recorded, error) {
		var page registrypb.RecordsResponse
		err := c.query(ctx, "/mutirao.registry.v1.Query/Records", &registrypb.RecordsRequest{Model: model[:], Kind: kind, After: after}, &page)
		return recordedOf(page.Records), err
	})
	if err != nil {
		return money.Amount{}, err
	}
	for _, d := range slices.Backward(list) {
		if d.Holder == holder {
			return d.Amount, nil
		}
	}
	return money.Amount{}, fmt.Errorf("%w: no dividend of %s", protocol.ErrNotFound, holder)
}

// Channel returns an open channel, or protocol.ErrNotFound.
func (c *Client) Channel(ctx context.Context, id protocol.Hash) (voucher.Channel, error) {
	var answer registrypb.ChannelResponse
	if err := c.query(ctx, "/mutirao.registry.v1.Query/Channel", &registrypb.ChannelRequest{Id: id[:]}, &answer); err != nil {
		return voucher.Channel{}, err
	}
	var ch voucher.Channel
	return ch, decode(answer.Json, &ch)
}

// Channels lists the open channels of a payer by id.
func (c *Client) Channels(ctx context.Context, payer protocol.Account) ([]voucher.Channel, error) {
	var list []voucher.Channel
	var after []byte
	for {
		var page registrypb.ChannelsResponse
		if err := c.query(ctx, "/mutirao.registry.v1.Query/Channels", &registrypb.ChannelsRequest{Payer: payer[:], After: after}, &page); err != nil {
			return nil, err
		}
		if len(page.Json) == 0 {
			return list, nil
		}
		for _, raw := range page.Json {
			var ch voucher.Channel
			if err := decode(raw, &ch); err != nil {
				return nil, err
			}
			list, after = append(list, ch), ch.ID[:]
		}
	}
}

// SignVoucher signs what a channel has cost in all after so many uses. Nothing is sent.
func (k Key) SignVoucher(channel protocol.Hash, uses uint64, amount money.Amount) (voucher.Voucher, error) {
	v := voucher.Voucher{Channel: channel, Uses: uses, Amount: amount}
	if err := v.Check(); err != nil {
		return v, err
	}
	signature, err := k.Sign(v.Digest(voucher.Separator(network.EVMChainID)))
	if err != nil {
		return v, err
	}
	copy(v.Signature[:], signature)
	return v, nil
}
