package registry

import "github.com/mutirao/mutirao/protocol/money"

// Owed is what a claim would pay to a holding of the model now: what has accrued, and its part of income that has not been divided yet.
// What models made from this one have not passed up is not in it. Rule: spec/registry.md §5, §6.
func (m Model) Owed(h Holding) money.Amount {
	kept := m.Earned.Minus(m.Flowed)
	for _, p := range m.Parents {
		kept = kept.Minus(p.share(m.Earned).Minus(p.share(m.Flowed)))
	}
	m.Holders = m.Holders.Plus(kept)
	h.accrue(&m)
	return h.Due
}
