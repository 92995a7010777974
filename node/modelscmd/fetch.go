package modelscmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/trace"
)

// fetchTimeout is how long the members of a run have to deliver a model that is not on the ledger.
const fetchTimeout = 10 * time.Minute

var errOther = errors.New("the bytes that came are not those of this model")

// fetched is a model with its graph, whose id was recomputed.
type fetched struct {
	model registry.Model
	run   *work.State // nil for a deposited model
	graph *graph.Graph
	raw   []byte // graph.Encode of it
}

// fetch gets the bytes of a model, from the ledger or, if only their hashes are there, from the members of its run, and recomputes its id from
// them, so that nobody who delivers need be trusted.
func (o *options) fetch(ctx context.Context, c *client.Client, id protocol.Hash) (*fetched, error) {
	m, err := c.Model(ctx, id)
	if err != nil {
		return nil, err
	}
	f := &fetched{model: m}
	if !m.Run.IsZero() {
		if f.run, err = c.Run(ctx, m.Run); err != nil {
			return nil, err
		}
	}
	switch {
	case m.Callable != nil:
		f.raw, err = c.Artifact(ctx, id)
	case f.run != nil:
		f.raw, err = o.fromMembers(ctx, f.run)
	default:
		err = fmt.Errorf("%w: its author has withdrawn the bytes", protocol.ErrNotFound)
	}
	if err != nil {
		return nil, running.Refused("the bytes of model "+short(id)+" cannot be fetched", err, "ask a member of the run to serve them, then try again")
	}
	if f.graph, err = graph.Decode(f.raw); err != nil {
		return nil, err
	}
	return f, f.check()
}

// check recomputes the id.
func (f *fetched) check() error {
	var id protocol.Hash
	if f.run == nil {
		var err error
		if id, err = registry.DepositID(f.raw, f.model.Author); err != nil {
			return err
		}
	} else {
		program, weights, err := registry.SplitArtifact(f.graph, f.run.Spec.Params)
		if err != nil {
			return err
		}
		id = registry.ModelID(trace.ProgramHash(program), trace.StateRoot(weights), f.run.ID)
	}
	if id != f.model.ID {
		return failure.New(failure.Unverified, "model "+short(f.model.ID)+" cannot be exported", fmt.Errorf("%w: their id is %s", errOther, id), "ask another validator with --network")
	}
	return nil
}

// fromMembers rebuilds a model from its run's recipe and data and the weights that the members keep.
func (o *options) fromMembers(ctx context.Context, run *work.State) ([]byte, error) {
	urls, err := running.Endpoints(o.Network)
	if err != nil {
		return nil, err
	}
	m, err := role.Open(ctx, role.Config{Dir: o.Dir, Ledger: urls})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	shop, err := workshop.Open(ctx, m.Client, everybody{m.Blobs(), run}, run)
	if err != nil {
		return nil, err
	}
	public, err := shop.Public(ctx, run.Current)
	if err != nil {
		return nil, err
	}
	g, err := shop.Trainer().Artifact(public.Theta)
	if err != nil {
		return nil, err
	}
	return graph.Encode(g), nil
}

// everybody asks all who ever were members of a run, not only those who work: a run that has ended has none of these, and some go on serving.
type everybody struct {
	agent.Blobs
	run *work.State
}

// SetPeers takes the run's members instead.
func (e everybody) SetPeers([]string) {
	var list []string
	for _, m := range e.run.Members {
		if m.Peer != "" {
			list = append(list, m.Peer)
		}
	}
	e.Blobs.SetPeers(list)
}
