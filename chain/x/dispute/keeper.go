// Package dispute hosts the rules of protocol/dispute on the chain: it loads a dispute, applies a message or lets a block pass, stores
// the new state, carries out the effects and tells the run how a dispute has ended. It owns the keys under which disputes and
// their records are stored, and no rule. Source: spec/dispute.md.
package dispute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/hosted"
	"github.com/mutirao/mutirao/chain/record"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/bisect"
)

// ModuleName names the module, its store and the account that holds the escrow.
const ModuleName = "dispute"

type pair = collections.Pair[[]byte, []byte]

// Keeper stores disputes.
type Keeper struct {
	escrow   escrow.Escrow
	works    Works
	datasets Datasets
	programs Programs
	schema   collections.Schema

	params    collections.Item[[]byte]        // dispute.Params in JSON; the default if absent
	disputes  collections.Map[[]byte, []byte] // id -> dispute.State in JSON, while it is open
	known     collections.KeySet[[]byte]      // ids of all disputes, ended ones too: none is opened twice
	ofRun     collections.KeySet[pair]        // run, id of an open dispute
	ofClaim   collections.KeySet[pair]        // digest of a claim, id of an open dispute
	refuted   collections.KeySet[[]byte]      // digests of refuted claims with disputes that are still to be ended
	runs      collections.Map[[]byte, []byte] // run -> terms in JSON: what the referee needs of it
	histories collections.Map[[]byte, []byte] // account -> dispute.History in JSON
	agenda    hosted.Agenda                   // the next Tick of each dispute that has not ended
	records   record.Book                     // rulings of each run, moves of each dispute
}

// NewKeeper returns a keeper over the module's store. Without programs no dispute can be opened.
func NewKeeper(service store.KVStoreService, bank escrow.Bank, works Works, datasets Datasets, programs Programs) (*Keeper, error) {
	if programs == nil {
		programs = noPrograms{}
	}
	b := collections.NewSchemaBuilder(service)
	pairs := collections.PairKeyCodec(collections.BytesKey, collections.BytesKey)
	k := &Keeper{
		escrow: escrow.New(bank, ModuleName), works: works, datasets: datasets, programs: programs,
		params:    collections.NewItem(b, collections.NewPrefix(0), "params", collections.BytesValue),
		disputes:  collections.NewMap(b, collections.NewPrefix(1), "disputes", collections.BytesKey, collections.BytesValue),
		known:     collections.NewKeySet(b, collections.NewPrefix(2), "known", collections.BytesKey),
		ofRun:     collections.NewKeySet(b, collections.NewPrefix(3), "of_run", pairs),
		ofClaim:   collections.NewKeySet(b, collections.NewPrefix(4), "of_claim", pairs),
		refuted:   collections.NewKeySet(b, collections.NewPrefix(5), "refuted", collections.BytesKey),
		runs:      collections.NewMap(b, collections.NewPrefix(6), "runs", collections.BytesKey, collections.BytesValue),
		histories: collections.NewMap(b, collections.NewPrefix(7), "histories", collections.BytesKey, collections.BytesValue),
		agenda:    hosted.NewAgenda(b, collections.NewPrefix(8), collections.NewPrefix(9)),
		records:   record.NewBook(b, collections.NewPrefix(10)),
	}
	var err error
	k.schema, err = b.Build()
	return k, err
}

// Params are the terms of all disputes.
func (k *Keeper) Params(ctx context.Context) (dispute.Params, error) {
	raw, err := k.params.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return dispute.DefaultParams(), nil
	}
	var p dispute.Params
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	return p, err
}

// Dispute returns an open dispute after charging for the size of its stored form. It returns protocol.ErrNotFound, and
// protocol.ErrFinished for one that has ended.
func (k *Keeper) Dispute(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*dispute.State, error) {
	s := new(dispute.State)
	found, err := load(ctx, k.disputes, id[:], s, charge)
	if err != nil || found {
		return s, err
	}
	if ended, err := k.known.Has(ctx, id[:]); err != nil {
		return nil, err
	} else if ended {
		return nil, fmt.Errorf("%w: dispute %s", protocol.ErrFinished, id)
	}
	return nil, fmt.Errorf("%w: dispute %s", protocol.ErrNotFound, id)
}

// load reads a value, charging for the size of its stored form before it is decoded.
func load(ctx context.Context, from collections.Map[[]byte, []byte], key []byte, value any, charge escrow.Charge) (found bool, err error) {
	raw, err := from.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	charge(len(raw))
	if err := json.Unmarshal(raw, value); err != nil {
		return false, fmt.Errorf("stored value of %x: %w", key, err)
	}
	return true, nil
}

func put(ctx context.Context, to collections.Map[[]byte, []byte], key []byte, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return to.Set(ctx, key, raw)
}

// terms are what the referee needs of a run. They never change.
type terms struct {
	Recipe     []byte `json:"recipe"`
	RecordSize uint64 `json:"record_size"`
	Records    uint64 `json:"records"`
}

// source is that of the unit or aggregate that a claim is about.
func (k *Keeper) source(t terms, c dispute.Claim, inputs []protocol.Hash) (s bisect.Source, err error) {
	if _, vote := work.VoteSeat(c.Unit); vote {
		s, err = k.programs.Fold(t.Recipe, t.RecordSize, t.Records, c.Terms.Model, inputs)
	} else {
		s, err = k.programs.Source(t.Recipe, t.RecordSize, t.Records, c.Shard, c.Terms.Steps)
	}
	if err != nil {
		return nil, undisputable(c.Run, err)
	}
	return s, nil
}

func undisputable(run protocol.Hash, err error) error {
	return fmt.Errorf("%w: units of run %s cannot be disputed: %w", protocol.ErrInvalid, run, err)
}

// add stores a dispute that has just been opened.
func (k *Keeper) add(ctx sdk.Context, s *dispute.State, effects []protocol.Effect) error {
	claim := s.Claim.Digest()
	for _, set := range []struct {
		set collections.KeySet[pair]
		of  protocol.Hash
	}{{k.ofRun, s.Claim.Run}, {k.ofClaim, claim}} {
		if err := set.set.Set(ctx, collections.Join(set.of[:], s.ID[:])); err != nil {
			return err
		}
	}
	if err := k.known.Set(ctx, s.ID[:]); err != nil {
		return err
	}
	if err := k.count(ctx, s.Challenger, dispute.History.Opened); err != nil {
		return err
	}
	return k.put(ctx, s, effects)
}

// count changes what is known about an opener.
func (k *Keeper) count(ctx context.Context, who protocol.Account, change func(dispute.History) dispute.History) error {
	h, err := k.history(ctx, who)
	if err != nil {
		return err
	}
	if h = change(h); h == (dispute.History{}) {
		return k.histories.Remove(ctx, who[:])
	}
	return put(ctx, k.histories, who[:], h)
}

func (k *Keeper) history(ctx context.Context, who protocol.Account) (h dispute.History, err error) {
	_, err = load(ctx, k.histories, who[:], &h, escrow.Free)
	return h, err
}

// put stores s, plans its next Tick and carries out the effects.
func (k *Keeper) put(ctx sdk.Context, s *dispute.State, effects []protocol.Effect) error {
	if err := put(ctx, k.disputes, s.ID[:], s); err != nil {
		return err
	}
	if err := k.agenda.Plan(ctx, s.ID, s.Deadline()); err != nil {
		return err
	}
	return k.execute(ctx, s, effects)
}

func (k *Keeper) execute(ctx sdk.Context, s *dispute.State, effects []protocol.Effect) error {
	ofRun, ofDispute := k.records.Keep(ctx, s.Claim.Run), k.records.Keep(ctx, s.ID)
	return k.escrow.Execute(ctx, effects, func(r protocol.Recorded) error {
		if _, ok := r.(dispute.Moved); ok {
			return ofDispute(r)
		}
		return ofRun(r)
	})
}

// keep stores a dispute after a transition. One that has ended leaves the store, and its run hears of it, unless that was told before: a
// dispute that ends without a verdict does so because of another one.
func (k *Keeper) keep(ctx sdk.Context, s *dispute.State, effects []protocol.Effect, charge escrow.Charge) error {
	if !s.Ended {
		return k.put(ctx, s, effects)
	}
	if err := k.execute(ctx, s, effects); err != nil {
		return err
	}
	if err := k.remove(ctx, s); err != nil {
		return err
	}
	r, _ := dispute.RulingIn(effects)
	if err := k.count(ctx, s.Challenger, func(h dispute.History) dispute.History { return h.Closed(r.Verdict) }); err != nil {
		return err
	}
	if r.Verdict == bisect.Undecided {
		return nil
	}
	c := r.Conviction()
	if c != nil {
		claim := s.Claim.Digest()
		if err := k.refuted.Set(ctx, claim[:]); err != nil {
			return err
		}
	}
	return k.works.CloseGame(ctx, s.Claim.Run, s.Claim.Round, s.Claim.Unit, s.Challenger, c, charge)
}

func (k *Keeper) remove(ctx context.Context, s *dispute.State) error {
	claim := s.Claim.Digest()
	if err := k.disputes.Remove(ctx, s.ID[:]); err != nil {
		return err
	}
	if err := k.ofRun.Remove(ctx, collections.Join(s.Claim.Run[:], s.ID[:])); err != nil {
		return err
	}
	if err := k.ofClaim.Remove(ctx, collections.Join(claim[:], s.ID[:])); err != nil {
		return err
	}
	return k.agenda.Cancel(ctx, s.ID)
}

// keepTerms keeps what the referee needs of a run at the first dispute about it.
func (k *Keeper) keepTerms(ctx sdk.Context, run protocol.Hash, t terms) error {
	known, err := k.runs.Has(ctx, run[:])
	if err != nil || known {
		return err
	}
	return put(ctx, k.runs, run[:], t)
}
