package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	lighthttp "github.com/cometbft/cometbft/light/provider/http"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/lightproof"
	"github.com/mutirao/mutirao/chain/network"
)

// ErrPruned reports that a node keeps an old state no more, or never had it.
var ErrPruned = errors.New("the node has pruned the state, or began after it")

// Proof fetches the proof of a subject in the state after block height, or after the last block that another commits to if height is 0. The
// headers begin at block from, or consist of the one that commits to the state if from is 0. Nothing is verified here but that the headers
// vouch for each other, which tells which ones are needed.
func (c *Client) Proof(ctx context.Context, s lightproof.Subject, height, from int64) (*lightproof.Proof, error) {
	store, key, err := s.StoreKey()
	if err != nil {
		return nil, err
	}
	if height == 0 {
		last, err := c.Height(ctx)
		if err != nil {
			return nil, err
		}
		if height = int64(last) - 1; height < 1 {
			return nil, fmt.Errorf("%w: no block commits to a state yet", errEmptyAnswer)
		}
	}
	p := &lightproof.Proof{Schema: lightproof.Schema, Chain: network.ChainID, Subject: s, Height: height}
	var blocks []*cmttypes.LightBlock
	pruned := false // an answer: asking again does not help
	err = c.endpoints.do(ctx, func(rpc *rpchttp.HTTP) error {
		r, err := rpc.ABCIQueryWithOptions(ctx, "/store/"+store+"/key", key, rpcclient.ABCIQueryOptions{Height: height, Prove: true})
		if err != nil {
			return err
		}
		if pruned = r.Response.Code != 0 && strings.Contains(r.Response.Log, "pruned"); pruned {
			return nil
		}
		if err := fault.FromABCI(r.Response.Codespace, r.Response.Code, r.Response.Log); err != nil {
			return err
		}
		if r.Response.ProofOps == nil {
			return fmt.Errorf("%w: no proof", errEmptyAnswer)
		}
		p.Value = r.Response.Value
		if p.Ops, err = r.Response.ProofOps.Marshal(); err != nil {
			return err
		}
		if p.Output, err = output(ctx, rpc, p); err != nil {
			return err
		}
		blocks, err = path(ctx, rpc, from, height+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	if pruned {
		return nil, fmt.Errorf("%w: that after block %d", ErrPruned, height)
	}
	for _, b := range blocks {
		pb, err := b.ToProto()
		if err != nil {
			return nil, err
		}
		raw, err := pb.Marshal()
		if err != nil {
			return nil, err
		}
		p.Headers = append(p.Headers, raw)
	}
	return p, nil
}

// output fetches the numbers of an answer. They need no proof: the value has their digest.
func output(ctx context.Context, rpc *rpchttp.HTTP, p *lightproof.Proof) ([]byte, error) {
	if p.Subject.Kind != lightproof.Answer || len(p.Value) == 0 {
		return nil, nil
	}
	key, err := p.Subject.OutputKey(p.Value)
	if err != nil || key == nil {
		return nil, err
	}
	r, err := rpc.ABCIQueryWithOptions(ctx, "/store/request/key", key, rpcclient.ABCIQueryOptions{Height: p.Height})
	if err != nil {
		return nil, err
	}
	return r.Response.Value, fault.FromABCI(r.Response.Codespace, r.Response.Code, r.Response.Log)
}

// forever makes no header too old: whether it is, the reader decides.
const forever = 100 * 365 * 24 * time.Hour

// path fetches the headers that lead from one height to another: as few as vouch for each other.
func path(ctx context.Context, rpc *rpchttp.HTTP, from, to int64) ([]*cmttypes.LightBlock, error) {
	provider := lighthttp.NewWithClient(network.ChainID, rpc)
	last, err := provider.LightBlock(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("header of block %d: %w", to, err)
	}
	if from == 0 || from == to {
		return []*cmttypes.LightBlock{last}, nil
	}
	if from > to {
		return nil, fmt.Errorf("%w: headers lead forward only, from block %d there is no way to block %d", lightproof.ErrTrust, from, to)
	}
	first, err := provider.LightBlock(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("header of block %d: %w", from, err)
	}
	list, ahead := []*cmttypes.LightBlock{first}, []*cmttypes.LightBlock{last}
	for len(ahead) > 0 {
		known, next := list[len(list)-1], ahead[len(ahead)-1]
		if err := lightproof.Step(known, next, forever, time.Now()); err == nil {
			list, ahead = append(list, next), ahead[:len(ahead)-1]
			continue
		} else if next.Height == known.Height+1 {
			return nil, fmt.Errorf("header of block %d: %w", next.Height, err)
		}
		between, err := provider.LightBlock(ctx, (known.Height+next.Height)/2)
		if err != nil {
			return nil, err
		}
		ahead = append(ahead, between)
	}
	return list, nil
}
