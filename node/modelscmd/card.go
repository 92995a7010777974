package modelscmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	precompile "github.com/mutirao/mutirao/chain/precompile/registry"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
)

// Ledger is what is read of a network.
type Ledger interface {
	Models(ctx context.Context) ([]protocol.Hash, error)
	Model(ctx context.Context, id protocol.Hash) (registry.Model, error)
	Dataset(ctx context.Context, id protocol.Hash) (registry.Dataset, error)
	Run(ctx context.Context, id protocol.Hash) (*work.State, error)
	Holdings(ctx context.Context, model protocol.Hash) ([]registry.Holding, error)
	Artifact(ctx context.Context, id protocol.Hash) ([]byte, error)
}

// Card is what the ledger says of one model: where it comes from, whose it is and what it earned.
type Card struct {
	Schema   string           `json:"schema"` // "mutirao.model-card/v1"
	ID       protocol.Hash    `json:"id"`
	Name     string           `json:"name"`
	Token    string           `json:"token"` // address of the ERC-20 token of its shares
	Author   protocol.Account `json:"author"`
	Height   protocol.Height  `json:"height"`            // of the block that registered it
	Program  protocol.Hash    `json:"program"`           // the model without its weights
	Weights  protocol.Hash    `json:"weights"`           // state root of the weights
	Blob     protocol.Hash    `json:"blob,omitzero"`     // content address of the run's last public state
	Bytes    int              `json:"bytes,omitzero"`    // of the model on the ledger; absent if only its hashes are there
	Callable *Callable        `json:"callable,omitzero"` // how a contract calls it; absent if none can
	Lineage  Origin           `json:"lineage"`
	Holders  []Holder         `json:"holders"` // by parts, most first
	Income   Income           `json:"income"`
}

// Callable is the shape of a model that contracts call.
type Callable struct {
	Inputs  int    `json:"inputs"`
	Outputs int    `json:"outputs"`
	MACs    uint64 `json:"macs"`
}

// Origin is a node of a lineage: a model, and below it what it was made from, down to the data.
type Origin struct {
	Kind    string           `json:"kind"` // model, run, dataset, or author of a model that was deposited on a word
	ID      string           `json:"id"`
	Name    string           `json:"name,omitzero"`
	Lineage registry.Lineage `json:"lineage,omitzero"` // how we know that what is above comes from it; empty for the model itself
	PPM     uint32           `json:"ppm,omitzero"`     // of a parent: its part of the royalty
	Facts   string           `json:"facts,omitzero"`
	Seen    bool             `json:"seen,omitzero"` // its own origins are elsewhere in the tree
	From    []Origin         `json:"from,omitzero"`
}

// Holder is somebody who owns parts of a model, or did and was not paid yet.
type Holder struct {
	Holder protocol.Account              `json:"holder"`
	PPM    uint32                        `json:"ppm"`
	Given  map[registry.ShareRole]uint32 `json:"given,omitzero"` // for what parts were first given; since then they may have moved
	Due    money.Amount                  `json:"due"`
}

// Income is what a model earned and where it went.
type Income struct {
	Uses      uint64       `json:"uses"`
	Earned    money.Amount `json:"earned"`     // by its own uses, and royalties of models made from it
	ToHolders money.Amount `json:"to_holders"` // paid ones too
	ToParents money.Amount `json:"to_parents"`
	Undivided money.Amount `json:"undivided"` // flows on when somebody asks
	Paid      money.Amount `json:"paid"`
}

// Read makes the card of a model.
func Read(ctx context.Context, l Ledger, id protocol.Hash) (*Card, error) {
	m, err := l.Model(ctx, id)
	if err != nil {
		return nil, err
	}
	c := &Card{
		Schema: "mutirao.model-card/v1", ID: m.ID, Name: m.Name, Token: precompile.TokenAddress(m.ID).Hex(), Author: m.Author, Height: m.Height,
		Program: m.Program, Weights: m.Weights, Blob: m.Blob,
		Income: Income{
			Uses: m.Uses, Earned: m.Earned, ToHolders: m.Holders, ToParents: m.Flowed.Minus(m.Holders), Undivided: m.Earned.Minus(m.Flowed), Paid: m.Paid,
		},
	}
	if m.Callable != nil {
		c.Callable = &Callable{m.Callable.Inputs, m.Callable.Outputs, m.Callable.MACs}
		artifact, err := l.Artifact(ctx, id)
		if err != nil {
			return nil, err
		}
		c.Bytes = len(artifact)
	}
	if c.Lineage, err = (&walk{ledger: l}).model(ctx, m); err != nil {
		return nil, err
	}
	c.Holders, err = holders(ctx, l, m)
	return c, err
}

// holders lists who holds a model, with what each would be paid now.
func holders(ctx context.Context, l Ledger, m registry.Model) ([]Holder, error) {
	given := map[protocol.Account]map[registry.ShareRole]uint32{}
	for _, s := range m.Shares {
		if given[s.Holder] == nil {
			given[s.Holder] = map[registry.ShareRole]uint32{}
		}
		given[s.Holder][s.Role] += s.PPM
	}
	var parents []registry.Model
	for _, p := range m.Parents {
		parent, err := l.Model(ctx, p.Model)
		if err != nil {
			return nil, err
		}
		parents = append(parents, parent)
	}
	flowed, _, err := registry.Flow(m, parents)
	if err != nil {
		return nil, err
	}
	held, err := l.Holdings(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	list := []Holder{}
	for _, h := range held {
		list = append(list, Holder{h.Holder, h.PPM, given[h.Holder], h.Owed(flowed)})
	}
	slices.SortStableFunc(list, func(a, b Holder) int { return int(b.PPM) - int(a.PPM) })
	return list, nil
}

// maxOrigins bounds a lineage that is read: a ledger of a stranger may name any parents.
const maxOrigins = 1000

// walk reads a lineage; a model that several were made from is read once.
type walk struct {
	ledger Ledger
	seen   map[protocol.Hash]bool
}

var errTooLong = fmt.Errorf("its lineage has more than %d models", maxOrigins)

func (w *walk) model(ctx context.Context, m registry.Model) (Origin, error) {
	o := Origin{Kind: "model", ID: m.ID.String(), Name: m.Name}
	if w.seen[m.ID] {
		o.Seen = true
		return o, nil
	}
	if w.seen == nil {
		w.seen = map[protocol.Hash]bool{}
	}
	if w.seen[m.ID] = true; len(w.seen) > maxOrigins {
		return o, errTooLong
	}
	if m.Run.IsZero() {
		o.From = append(o.From, Origin{Kind: "author", ID: m.Author.String(), Lineage: m.Lineage, Facts: fmt.Sprintf("deposited in block %d", m.Height)})
	} else {
		run, err := w.run(ctx, m)
		if err != nil {
			return o, err
		}
		o.From = append(o.From, run)
	}
	for _, p := range m.Parents {
		parent, err := w.ledger.Model(ctx, p.Model)
		if err != nil {
			return o, fmt.Errorf("parent %s: %w", p.Model, err)
		}
		above, err := w.model(ctx, parent)
		if err != nil {
			return o, err
		}
		above.Lineage, above.PPM = p.Lineage, p.PPM
		o.From = append(o.From, above)
	}
	return o, nil
}

func (w *walk) run(ctx context.Context, m registry.Model) (Origin, error) {
	o := Origin{Kind: "run", ID: m.Run.String(), Name: m.Name, Lineage: m.Lineage,
		Facts: fmt.Sprintf("%d rounds, %d records or tokens, author %s", m.Rounds, m.Tokens, m.Author)}
	d, err := w.ledger.Dataset(ctx, m.Dataset)
	if err != nil {
		return o, fmt.Errorf("dataset %s: %w", m.Dataset, err)
	}
	o.From = []Origin{{Kind: "dataset", ID: d.ID.String(), Name: d.Name, Lineage: m.Lineage,
		Facts: fmt.Sprintf("%d records, %s, steward %s", d.Records, d.Licence, d.Steward)}}
	return o, nil
}

// Line is one model of a list.
type Line struct {
	ID       protocol.Hash    `json:"id"`
	Name     string           `json:"name"`
	Lineage  registry.Lineage `json:"lineage"`
	Parents  int              `json:"parents"`
	Callable bool             `json:"callable"`
	Uses     uint64           `json:"uses"`
	Earned   money.Amount     `json:"earned"`
	Author   protocol.Account `json:"author"`
}

// List reads all models, by id.
func List(ctx context.Context, l Ledger) ([]Line, error) {
	ids, err := l.Models(ctx)
	if err != nil {
		return nil, err
	}
	list := []Line{}
	for _, id := range ids {
		m, err := l.Model(ctx, id)
		if err != nil {
			return nil, err
		}
		list = append(list, Line{m.ID, m.Name, m.Lineage, len(m.Parents), m.Callable != nil, m.Uses, m.Earned, m.Author})
	}
	return list, nil
}

var (
	errNoModel = errors.New("no model of this network begins so")
	errSeveral = errors.New("several models begin so")
	errNoID    = errors.New("an id has 64 hexadecimal digits; the first four or more are enough")
)

// Find is the model that a person names by its id or by how that begins.
func Find(ctx context.Context, l Ledger, text string) (protocol.Hash, error) {
	const next = "mutirao models list"
	word := strings.ToLower(strings.TrimPrefix(text, "0x"))
	if len(word) < 4 || len(word) > 64 || strings.Trim(word, "0123456789abcdef") != "" {
		return protocol.Hash{}, failure.New(failure.Usage, fmt.Sprintf("%q names no model", text), errNoID, next)
	}
	ids, err := l.Models(ctx)
	if err != nil {
		return protocol.Hash{}, err
	}
	var found []protocol.Hash
	for _, id := range ids {
		if strings.HasPrefix(id.String(), word) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return protocol.Hash{}, failure.New(failure.NotFound, fmt.Sprintf("there is no model %q", text), errNoModel, next)
	}
	return protocol.Hash{}, failure.New(failure.Usage, fmt.Sprintf("%q names more than one model", text), errSeveral, next)
}
