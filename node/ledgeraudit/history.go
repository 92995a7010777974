package ledgeraudit

import (
	"context"
	"fmt"
	"math/big"

	"github.com/mutirao/mutirao/audit"
	"github.com/mutirao/mutirao/protocol/money"
)

// Movement is one movement of an account's coins, or a receipt for nothing.
type Movement struct {
	ID      string        `json:"id"` // block and place among the block's movements, such as "512.3"
	Height  uint64        `json:"height"`
	Tx      string        `json:"tx,omitempty"` // empty at the end of a block
	In      bool          `json:"in"`
	Amount  string        `json:"amount"` // amut
	With    audit.Account `json:"with"`   // the other side; zero if the coins were burned
	Escrow  string        `json:"with_escrow,omitempty"`
	Why     string        `json:"why"`
	Because []string      `json:"because"` // how the amount came about
	Balance string        `json:"balance"` // of the account after the block, amut
}

// Story is what a history is about.
type Story struct {
	Began  string // what the account had at genesis, amut
	Height int64  // the last block
}

// History tells each the movements of an account from the first block to the last, recomputed from the log of blocks alone. It reads
// every block; each may end it early by returning false.
func History(ctx context.Context, o Options, who audit.Account, each func(Movement) bool) (story Story, err error) {
	s, err := open(ctx, o)
	if err != nil {
		return story, err
	}
	defer func() {
		if closed := s.close(); err == nil {
			err = closed
		}
	}()
	doc, err := s.genesis(ctx)
	if err != nil {
		return story, err
	}
	if story.Height, err = s.height(ctx); err != nil {
		return story, err
	}
	genesis, err := genesisOf(doc)
	if err != nil {
		return story, err
	}
	story.Began = audit.New(genesis).Balance(who).String()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	enough := false
	_, err = replay(ctx, s, doc, story.Height, reader{o.Progress, func(b *audit.Books) {
		for i, m := range b.Moves() {
			if enough || m.From != who && m.To != who {
				continue
			}
			if enough = !each(movement(b, i, m, who)); enough {
				stop()
			}
		}
	}})
	if enough {
		err = nil
	}
	return story, err
}

func movement(b *audit.Books, i int, m audit.Move, who audit.Account) Movement {
	out := Movement{
		ID: fmt.Sprintf("%d.%d", b.Height(), i+1), Height: b.Height(), Tx: m.Tx, In: m.To == who, Amount: m.Amount.String(), With: m.To, Why: m.Why,
		Because: []string{}, Balance: b.Balance(who).String(),
	}
	if out.In {
		out.With = m.From
	}
	out.Escrow = b.Escrow(out.With)
	for _, n := range m.Notes {
		out.Because = append(out.Because, n.Say(Coins))
	}
	return out
}

// Coins writes amut for people.
func Coins(a *big.Int) string {
	amount, err := money.Parse(a.String())
	if err != nil {
		return a.String() + " amut" // negative, or above every supply: only in a log that contradicts itself
	}
	return amount.Coins()
}
