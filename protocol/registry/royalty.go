package registry

import (
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// upPPM is the part of a model's income that goes up to its parents. Rule: spec/registry.md §5.
const upPPM = 300_000

// DivideIncome lets a model's income flow on by one step: to its parents and its holders. Anybody may send it, for any model;
// income that has already flowed stays where it is. Rule: spec/registry.md §5.
type DivideIncome struct {
	Model protocol.Hash `json:"model"`
}

// Kind is "registry/divide-income".
func (DivideIncome) Kind() string { return "registry/divide-income" }

// Check has nothing to validate: the model is looked up.
func (DivideIncome) Check() error { return nil }

// Flow divides what a model has earned since it last did between its parents, which are given in the order of m.Parents, and
// its holders. No coin moves: all of it stays in the registry's escrow. Sums are cumulative, so the number of steps changes no
// amount, and what a model's holders and its parents have together is exactly what it earned. Rule: spec/registry.md §5.
func Flow(m Model, parents []Model) (Model, []Model, error) {
	if len(parents) != len(m.Parents) {
		return m, nil, fmt.Errorf("%w: %d of %d parents of model %s", protocol.ErrNotFound, len(parents), len(m.Parents), m.ID)
	}
	kept := m.Earned.Minus(m.Flowed)
	changed := make([]Model, len(parents))
	for i, p := range parents {
		edge := m.Parents[i]
		if p.ID != edge.Model {
			return m, nil, fmt.Errorf("%w: parent %s", protocol.ErrNotFound, edge.Model)
		}
		up := edge.share(m.Earned).Minus(edge.share(m.Flowed))
		kept = kept.Minus(up)
		p.Earned = p.Earned.Plus(up)
		changed[i] = p
	}
	m.Flowed, m.Holders = m.Earned, m.Holders.Plus(kept)
	return m, changed, nil
}

// share is what a parent has of a model's income.
func (p Parent) share(income money.Amount) money.Amount {
	return income.Part(upPPM*uint64(p.PPM), whole*whole)
}

// Claims is what a model holds in escrow: income that has not flowed yet, and what its holders have not been paid.
func (m Model) Claims() money.Amount {
	return m.Earned.Minus(m.Flowed).Plus(m.Holders.Minus(m.Paid))
}
