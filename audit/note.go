package audit

import (
	"fmt"
	"math/big"
	"strings"
)

// Note is a sentence about how an amount came about. Text has {} for each of Amounts (amut), so that whoever shows it chooses
// how coins are written.
type Note struct {
	Text    string
	Amounts []*big.Int
}

// Say writes the sentence.
func (n Note) Say(coins func(*big.Int) string) string {
	var s strings.Builder
	rest := n.Text
	for _, a := range n.Amounts {
		before, after, ok := strings.Cut(rest, "{}")
		if !ok {
			break
		}
		s.WriteString(before + coins(a))
		rest = after
	}
	return s.String() + rest
}

// Explain makes the books keep notes with movements, from now on. It costs time and changes no number.
func (b *Books) Explain() { b.explain = true }

// because notes how the amount of the next movement comes about. Amounts among the arguments are written by whoever shows the note.
func (b *Books) because(format string, args ...any) {
	if !b.explain {
		return
	}
	n := Note{}
	for i, a := range args {
		if amount, ok := a.(*big.Int); ok {
			n.Amounts = append(n.Amounts, new(big.Int).Set(amount))
			args[i] = "{}"
		}
	}
	n.Text = fmt.Sprintf(format, args...)
	b.notes = append(b.notes, n)
}

// nothing tells of a payment of zero, which moves no coins and has a receipt.
func (b *Books) nothing(to Account, why string) {
	if b.explain {
		b.moves = append(b.moves, Move{Tx: b.tx, To: to, Amount: new(big.Int), Why: why, Notes: b.notes})
		b.notes = nil
	}
}

// Escrow names an account that holds coins of others, or is empty.
func (b *Books) Escrow(a Account) string {
	switch a {
	case Account{}:
		return "nobody (burned)"
	case b.genesis.Work:
		return "escrow of runs"
	case b.genesis.Disputes:
		return "escrow of disputes"
	case b.genesis.Registry:
		return "escrow of models"
	case b.genesis.Requests:
		return "escrow of requests"
	case b.genesis.Market.Escrow:
		return "escrow of the market"
	case b.genesis.Market.Pool:
		return "pool of validators and verifiers"
	case b.genesis.Stake.Bonded:
		return "stake of validators in the set"
	case b.genesis.Stake.NotBonded:
		return "other stake"
	case b.genesis.Govern.Escrow:
		return "deposits of proposals"
	case b.genesis.Market.Treasury:
		return "treasury"
	case b.genesis.Rewards.Escrow:
		return "earned by stake, not paid yet"
	case b.genesis.Fees:
		return "collected fees"
	}
	return ""
}

// Balance is what an account owns after the last block.
func (b *Books) Balance(who Account) *big.Int {
	if a := b.balances[who]; a != nil {
		return new(big.Int).Set(a)
	}
	return new(big.Int)
}
