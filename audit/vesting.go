package audit

import (
	"bytes"
	"fmt"
	"maps"
	"math/big"
	"slices"
)

// keptPay is all that a member has earned and that is not paid yet. Rule: spec/work.md §10.
func (m *member) keptPay() *big.Int {
	sum := new(big.Int)
	for _, a := range m.kept {
		sum.Add(sum, a)
	}
	return sum
}

// vest pays what members earned so many counted rounds ago.
func (b *Books) vest(id Hash, r *run) {
	for _, who := range r.everybody() {
		m := r.members[who]
		m.kept = append(m.kept, m.earned)
		m.earned = new(big.Int)
		for len(m.kept) > r.vesting {
			b.payKept(id, who, m.kept[0], fmt.Sprintf("what it earned %d counted rounds ago", r.vesting))
			m.kept = m.kept[1:]
		}
	}
}

// payAllKept pays, at the end of a run, what is still kept back.
func (b *Books) payAllKept(id Hash, r *run) {
	for _, who := range r.everybody() {
		m := r.members[who]
		b.payKept(id, who, m.keptPay(), "the run has ended")
		m.kept = nil
	}
}

func (b *Books) payKept(id Hash, who Account, amount *big.Int, why string) {
	if amount.Sign() > 0 {
		b.because("pay of units of run %.8s that was kept back: %s", id, why)
		b.pay(id, "kept", who, amount)
	}
}

// everybody lists the members in a fixed order, so that findings come in one.
func (r *run) everybody() []Account {
	return slices.SortedFunc(maps.Keys(r.members), func(a, b Account) int { return bytes.Compare(a[:], b[:]) })
}
