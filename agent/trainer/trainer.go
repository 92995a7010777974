// Package trainer owns the role that starts a run and ends it: it registers data and run with the budget locked, serves
// the first model, recomputes closed rounds, and publishes the finished model.
package trainer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/agent/workshop"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/merkle"
)

// Config is what a trainer is made of.
type Config struct {
	Identity agent.Identity
	Ledger   agent.Ledger
	Blobs    agent.Blobs
	Observe  agent.Observer
	Recipe   *recipe.Recipe
	Data     *data.Set
}

// Trainer is the role. One goroutine owns it.
type Trainer struct {
	Config
	shop      *workshop.Workshop
	collected map[protocol.Hash]bool // payloads that are here
}

// New makes a trainer. Errors are those of recipe and data.
func New(c Config) (*Trainer, error) {
	shop, err := workshop.New(c.Blobs, c.Recipe, c.Data)
	if err != nil {
		return nil, err
	}
	return &Trainer{Config: c, shop: shop, collected: map[protocol.Hash]bool{}}, nil
}

// Round gives access to evaluation and to the centralised baseline of the same recipe.
func (t *Trainer) Round() *round.Trainer { return t.shop.Trainer() }

// Start registers the data and the run and serves the bytes that both name. Terms are the parts of the Spec that follow
// neither from the recipe nor from the data. What exists already is left as it is, so Start may be repeated after a crash.
func (t *Trainer) Start(ctx context.Context, terms work.Spec, nonce uint64) (run protocol.Hash, err error) {
	dataset, id, err := t.dataset(ctx)
	if err != nil {
		return run, err
	}
	create, err := t.create(ctx, terms, id, nonce)
	if err != nil {
		return run, err
	}
	for _, m := range []protocol.Msg{dataset, create} {
		if err := t.Ledger.Submit(ctx, m); err != nil && !errors.Is(err, protocol.ErrExists) {
			return run, fmt.Errorf("%s: %w", m.Kind(), err)
		}
	}
	return work.RunID(t.Identity.Account, create), nil
}

// dataset serves the data and returns what registers it.
func (t *Trainer) dataset(ctx context.Context) (m registry.RegisterDataset, id protocol.Hash, err error) {
	blob, err := t.Blobs.Put(ctx, t.Data.Encode())
	if err != nil {
		return m, id, err
	}
	m = registry.RegisterDataset{
		Name: t.Recipe.Name, Licence: t.Recipe.Data.Licence, Root: workshop.RecordsRoot(t.Data), Blob: blob,
		Records: uint64(t.Data.Count), RecordSize: uint64(t.Data.RecordSize), Schema: merkle.Leaf(t.Data.Schema),
	}
	return m, registry.DatasetID(t.Identity.Account, m), nil
}

func (t *Trainer) create(ctx context.Context, terms work.Spec, dataset protocol.Hash, nonce uint64) (work.CreateRun, error) {
	public, err := t.shop.Trainer().Initial()
	if err != nil {
		return work.CreateRun{}, err
	}
	initial, err := t.shop.Keep(ctx, public)
	if err != nil {
		return work.CreateRun{}, err
	}
	spec := terms
	spec.Name, spec.Dataset, spec.Recipe, spec.Initial = t.Recipe.Name, dataset, t.Recipe.Encode(), initial
	spec.Program, spec.InferenceProgram = t.shop.Program(), t.shop.InferenceProgram()
	spec.Rounds, spec.Steps = uint32(t.Recipe.Train.Rounds), uint32(t.Recipe.Train.Steps)
	spec.UnitTokens = t.shop.Trainer().UnitTokens(t.Recipe.Train.Steps)
	spec.Params = nil
	for _, p := range t.shop.Trainer().Layout() {
		spec.Params = append(spec.Params, p.Name)
	}
	return work.CreateRun{Spec: spec, Nonce: nonce}, nil
}

// State returns the public state that a run's ref names, checked.
func (t *Trainer) State(ctx context.Context, ref work.StateRef) (round.Public, error) {
	return t.shop.Public(ctx, ref)
}

// Replay computes a closed round's result from its records: see workshop.Workshop.Replay.
func (t *Trainer) Replay(ctx context.Context, from work.StateRef, summary work.RoundSummary) (work.StateRef, error) {
	return t.shop.Replay(ctx, from, summary)
}

// Publish registers the finished model and, where contracts can call it, puts its bytes on the ledger. A model that is there already is left as it is.
func (t *Trainer) Publish(ctx context.Context, s *work.State) (model protocol.Hash, err error) {
	public, err := t.State(ctx, s.Current)
	if err != nil {
		return model, err
	}
	artifact, err := t.shop.Trainer().Artifact(public.Theta)
	if err != nil {
		return model, err
	}
	bytes := graph.Encode(artifact)
	if t.Recipe.Data.Kind != recipe.Table || len(bytes) > registry.MaxArtifact {
		bytes = nil // registered, but not callable by contracts: it does not map one row of numbers to another
	}
	err = t.Ledger.Submit(ctx, registry.PublishModel{Run: s.ID, Artifact: bytes})
	if err != nil && !errors.Is(err, protocol.ErrExists) {
		return model, err
	}
	return registry.ModelID(s.Spec.InferenceProgram, s.Current.Model, s.ID), nil
}

// collectTimeout is how long Collect waits for one payload before it tries again with the next state.
const collectTimeout = 3 * time.Second

// Collect fetches what the units of the open round have revealed, so that the trainer can recompute the round also when its members are
// gone, and its members can fetch from the trainer. What cannot be had now is left for the next call.
func (t *Trainer) Collect(ctx context.Context, s *work.State) {
	if s.Round == nil {
		return
	}
	for _, u := range s.Round.Units {
		if ref := u.Result.Payload; u.Opened() && !t.collected[ref.Blob] {
			wait, cancel := context.WithTimeout(ctx, collectTimeout)
			if _, err := t.shop.Fetch(wait, ref); err == nil {
				t.collected[ref.Blob] = true
			}
			cancel()
		}
	}
}
