package audit

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// State is what the ledger says about itself after a block. Missing entries count as nothing.
type State struct {
	Balances map[Account]*big.Int
	Supply   *big.Int
	Runs     map[Hash]RunState
	Models   map[Hash]ModelState
	Channels map[Hash]ChannelState
	Uploads  map[Hash]*big.Int    // deposits of the open ones
	Minted   *big.Int             // for jobs of the commons; nil: not compared, as Promised
	Promised *big.Int             // to them, not spent yet
	Receipts map[Receipt]int      // nil: not compared
	Stakes   map[Account]*big.Int // of validators, by operator; nil: not compared
	Earned   map[Account]*big.Int // by the stake behind validators, by operator; nil: not compared
}

// RunState is the money of a run.
type RunState struct {
	Budget *big.Int
	Bonds  map[Account]*big.Int
	Kept   map[Account]*big.Int // pay that is kept back; members without any may be missing
}

// ModelState is the money and the holders of a model.
type ModelState struct {
	Uses                         uint64
	Earned, Flowed, Holder, Paid *big.Int
	Holdings                     map[Account]HoldingState
}

// HoldingState is what an account holds of a model.
type HoldingState struct {
	PPM       int64
	Seen, Due *big.Int
}

// Compare lists where the ledger's state differs from these books, in a fixed order. It is empty if they agree to the last
// unit.
func (b *Books) Compare(s State) []Finding {
	c := comparison{books: b}
	c.amount("supply", b.supply, s.Supply)
	if s.Minted != nil {
		c.amount("coins minted for the commons", b.fund.minted, s.Minted)
		c.amount("coins promised to jobs of the commons", b.fund.promised, s.Promised)
	}
	for _, who := range both(b.balances, s.Balances) {
		c.amount("balance "+who.String(), b.balances[who], s.Balances[who])
	}
	for _, id := range both(b.runs, s.Runs) {
		c.run(id, b.runs[id], s.Runs[id])
	}
	for _, id := range both(b.models, s.Models) {
		c.model(id, b.models[id], s.Models[id])
	}
	for _, id := range both(b.channels, s.Channels) {
		c.channel(id, b.channels[id], s.Channels[id])
	}
	mine := map[Hash]*big.Int{}
	for id, u := range b.uploads {
		mine[id] = u.deposit
	}
	for _, id := range both(mine, s.Uploads) {
		c.amount("deposit of upload "+id.String(), mine[id], s.Uploads[id])
	}
	if s.Stakes != nil {
		mine := b.stakes()
		for _, who := range both(mine, s.Stakes) {
			c.amount("stake of validator "+who.String(), mine[who], s.Stakes[who])
		}
	}
	if s.Earned != nil {
		mine := b.earned()
		for _, who := range both(mine, s.Earned) {
			c.amount("earned by the stake of validator "+who.String(), mine[who], s.Earned[who])
		}
	}
	if s.Receipts != nil {
		c.receipts(b.receipts, s.Receipts)
	}
	for i := range c.list {
		c.list[i].Cause = b.cause(c.list[i].Subject)
	}
	return c.list
}

// cause names the transactions of the last block that moved coins of a subject.
func (b *Books) cause(subject string) string {
	who, ok := strings.CutPrefix(subject, "balance ")
	var list []string
	for _, m := range b.moves {
		if ok && m.From.String() != who && m.To.String() != who || !ok && subject != "supply" {
			continue
		}
		if subject == "supply" && m.To != (Account{}) {
			continue
		}
		what := m.Why + " of " + m.Amount.String()
		if m.Tx != "" {
			what += " in transaction " + m.Tx
		}
		if list = append(list, what); len(list) == 5 {
			list = append(list, "…")
			break
		}
	}
	return strings.Join(list, "; ")
}

type comparison struct {
	books *Books
	list  []Finding
}

func (c *comparison) text(subject, expected, found string) {
	if expected != found {
		c.list = append(c.list, Finding{Height: c.books.height, Subject: subject, Expected: expected, Found: found})
	}
}

func (c *comparison) amount(subject string, expected, found *big.Int) {
	c.text(subject, digits(expected), digits(found))
}

func digits(a *big.Int) string {
	if a == nil {
		return "0"
	}
	return a.String()
}

func (c *comparison) run(id Hash, r *run, s RunState) {
	if r == nil {
		r = &run{}
	}
	c.amount("budget of run "+id.String(), r.budget, s.Budget)
	bonds, kept := map[Account]*big.Int{}, map[Account]*big.Int{}
	for who, m := range r.members {
		bonds[who], kept[who] = m.bond, m.keptPay()
	}
	for _, who := range both(bonds, s.Bonds) {
		c.amount(fmt.Sprintf("bond of %s in run %s", who, id), bonds[who], s.Bonds[who])
	}
	for _, who := range both(kept, s.Kept) {
		c.amount(fmt.Sprintf("kept pay of %s in run %s", who, id), kept[who], s.Kept[who])
	}
}

func (c *comparison) model(id Hash, m *model, s ModelState) {
	if m == nil {
		m = &model{}
	}
	name := " of model " + id.String()
	c.text("number of uses"+name, fmt.Sprint(m.uses), fmt.Sprint(s.Uses))
	c.amount("income"+name, m.earned, s.Earned)
	c.amount("divided income"+name, m.flowed, s.Flowed)
	c.amount("holders' income"+name, m.own, s.Holder)
	c.amount("paid dividends"+name, m.paid, s.Paid)
	parts := int64(0)
	for _, who := range both(m.holdings, s.Holdings) {
		mine, theirs := m.holdings[who], s.Holdings[who]
		if mine == nil {
			mine = &holding{}
		}
		parts += theirs.PPM
		subject := who.String() + name
		c.text("parts of "+subject, fmt.Sprint(mine.ppm), fmt.Sprint(theirs.PPM))
		c.amount("accrued dividends of "+subject, mine.due, theirs.Due)
		if mine.ppm > 0 {
			c.amount("income counted for "+subject, mine.seen, theirs.Seen)
		}
	}
	c.text("sum of parts"+name, fmt.Sprint(whole), fmt.Sprint(parts))
}

func (c *comparison) receipts(mine, theirs map[Receipt]int) {
	all := map[Receipt]int{}
	for r, n := range mine {
		all[r] += n
	}
	for r, n := range theirs {
		all[r] -= n
	}
	var list []Receipt
	for r, n := range all {
		if n != 0 {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Receipt) int { return strings.Compare(a.String(), b.String()) })
	for _, r := range list {
		c.text(r.String(), fmt.Sprintf("kept %d times", mine[r]), fmt.Sprintf("kept %d times", theirs[r]))
	}
}

// both lists the keys of two maps in ascending order.
func both[K interface {
	comparable
	String() string
}, A, B any](a map[K]A, b map[K]B) []K {
	var list []K
	for k := range a {
		list = append(list, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(x, y K) int { return strings.Compare(x.String(), y.String()) })
	return list
}
