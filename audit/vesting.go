package audit

import (
	"bytes"
	"fmt"
	"maps"
	"math/big"
	"slices"
)

// wages are what a member has earned in a round, with notes on how.
type wages struct {
	amount *big.Int
	notes  []Note
}

func newWages() wages { return wages{amount: new(big.Int)} }

// keptPay is all that a member has earned and that is not paid yet. Rule: spec/work.md §10.
func (m *member) keptPay() *big.Int {
	sum := new(big.Int)
	for _, w := range m.kept {
		sum.Add(sum, w.amount)
	}
	return sum
}

// vest pays what members earned so many counted rounds ago.
func (b *Books) vest(id Hash, r *run) {
	for _, who := range r.everybody() {
		m := r.members[who]
		m.kept = append(m.kept, m.earned)
		m.earned = newWages()
		for len(m.kept) > r.vesting {
			b.payKept(id, who, m.kept[:1], fmt.Sprintf("what it earned %d counted rounds ago", r.vesting))
			m.kept = m.kept[1:]
		}
	}
}

// payAllKept pays, at the end of a run, what is still kept back.
func (b *Books) payAllKept(id Hash, r *run) {
	for _, who := range r.everybody() {
		m := r.members[who]
		b.payKept(id, who, m.kept, "the run has ended")
		m.kept = nil
	}
}

func (b *Books) payKept(id Hash, who Account, list []wages, why string) {
	amount := (&member{kept: list}).keptPay()
	if amount.Sign() == 0 {
		return
	}
	b.because("pay of units of run %.8s that was kept back: %s", id, why)
	for _, w := range list {
		b.notes = append(b.notes, w.notes...)
	}
	r := b.runs[id]
	b.pay(id, "kept", who, b.earnIn(r, r.members[who], amount))
}

// everybody lists the members in a fixed order, so that findings come in one.
func (r *run) everybody() []Account {
	return slices.SortedFunc(maps.Keys(r.members), func(a, b Account) int { return bytes.Compare(a[:], b[:]) })
}
