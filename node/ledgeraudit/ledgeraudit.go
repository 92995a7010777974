package ledgeraudit

import (
	"context"
	"errors"
	"fmt"
	"sort"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/mutirao/mutirao/audit"
	"github.com/mutirao/mutirao/chain/network"
)

// Options say what to audit: a folder or a running validator.
type Options struct {
	Dir      string
	RPC      string
	Cache    string                   // folder that keeps the blocks of a running validator; empty for none
	Before   []string                 // folders of the networks from whose exports this one goes on, the oldest first
	Progress func(height, last int64) // may be nil
}

// Report is what an audit found.
type Report struct {
	Schema   string          `json:"schema"` // "mutirao.ledger-audit/v1"
	Chain    string          `json:"chain"`
	Height   int64           `json:"height"`
	Messages int             `json:"messages"` // carried out
	Accounts int             `json:"accounts"`
	Runs     int             `json:"runs"`
	Models   int             `json:"models"`
	Receipts int             `json:"receipts"`
	Supply   string          `json:"supply"`
	Agrees   bool            `json:"agrees"`
	First    int64           `json:"first_difference,omitempty"` // the first block after which the books differ; 0 if none, or unknown
	Findings []audit.Finding `json:"findings"`
}

// Audit recomputes the books of a network up to its last block and compares them with its state.
func Audit(ctx context.Context, o Options) (r *Report, err error) {
	s, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := s.close(); err == nil {
			err = closed
		}
	}()
	return audited(ctx, s, o.Progress)
}

// audited is Audit of a source.
func audited(ctx context.Context, s source, progress func(height, last int64)) (r *Report, err error) {
	doc, err := s.genesis(ctx)
	if err != nil {
		return nil, err
	}
	last, err := s.height(ctx)
	if err != nil {
		return nil, err
	}
	books, err := replay(ctx, s, doc, last, reader{progress: progress})
	if err != nil {
		return nil, err
	}
	state, err := stateAt(ctx, s, last)
	if err != nil {
		return nil, err
	}
	r = &Report{
		Schema: "mutirao.ledger-audit/v1", Chain: doc.ChainID, Height: last, Messages: books.Messages(), Accounts: len(state.Balances),
		Runs: len(state.Runs), Models: len(state.Models), Supply: state.Supply.String(), Findings: []audit.Finding{},
	}
	for _, n := range state.Receipts {
		r.Receipts += n
	}
	r.Findings = append(r.Findings, books.Findings()...)
	differences := books.Compare(state)
	if len(differences) > 0 {
		differences, r.First = first(ctx, s, doc, last, differences)
	}
	r.Findings = append(r.Findings, differences...)
	r.Agrees = len(r.Findings) == 0
	return r, nil
}

// open finds the log, and those before it.
func open(ctx context.Context, o Options) (s source, err error) {
	network.Configure()
	var list []source
	defer func() {
		for i := len(list) - 1; err != nil && i >= 0; i-- {
			err = errors.Join(err, list[i].close())
		}
	}()
	for _, dir := range o.Before {
		d, err := openDisk(dir)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	switch {
	case o.RPC == "":
		s, err = openDisk(o.Dir)
	case o.Cache == "":
		s, err = dial(o.RPC)
	default:
		if s, err = dial(o.RPC); err == nil {
			s, err = keep(ctx, s, o.Cache)
		}
	}
	if err != nil {
		return nil, err
	}
	list = append(list, s)
	return join(ctx, list[:len(o.Before)], s)
}

// reader is told how a replay goes on. Both may be nil.
type reader struct {
	progress func(height, last int64)
	block    func(*audit.Books) // has just been read; keep notes of movements for it
}

// replay reads the log up to a block.
func replay(ctx context.Context, s source, doc *cmttypes.GenesisDoc, until int64, told reader) (*audit.Books, error) {
	genesis, err := genesisOf(doc)
	if err != nil {
		return nil, err
	}
	if err := disputeTerms(ctx, s, until, &genesis); err != nil {
		return nil, err
	}
	books, d := audit.New(genesis), newDecoder()
	if told.block != nil {
		books.Explain()
	}
	for h := max(doc.InitialHeight, 1); h <= until; h++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		block, results, err := s.block(ctx, h)
		if err != nil {
			return nil, err
		}
		translated, err := d.block(block, results)
		if err != nil {
			return nil, err
		}
		books.Read(translated)
		if told.block != nil {
			told.block(books)
		}
		if told.progress != nil {
			told.progress(h, until)
		}
	}
	return books, nil
}

// first looks by halving for the block after which the books differ for the first time, taking it that a difference stays
// until the end. It returns the differences of that block, or those of the last if the validator keeps no history.
func first(ctx context.Context, s source, doc *cmttypes.GenesisDoc, last int64, found []audit.Finding) ([]audit.Finding, int64) {
	at := func(h int64) ([]audit.Finding, error) {
		books, err := replay(ctx, s, doc, h, reader{})
		if err != nil {
			return nil, err
		}
		state, err := stateAt(ctx, s, h)
		if err != nil {
			return nil, err
		}
		return books.Compare(state), nil
	}
	known := true
	from := int(max(doc.InitialHeight, 1))
	i := sort.Search(int(last)-from, func(i int) bool {
		list, err := at(int64(from + i))
		known = known && err == nil
		return err == nil && len(list) > 0
	})
	if !known {
		return found, 0
	}
	if list, err := at(int64(from + i)); err == nil && len(list) > 0 {
		return list, int64(from + i)
	}
	return found, last
}

// String says it in one line.
func (r *Report) String() string {
	return fmt.Sprintf("%d blocks, %d messages, %d accounts, %d runs, %d models, %d receipts", r.Height, r.Messages, r.Accounts, r.Runs, r.Models, r.Receipts)
}
