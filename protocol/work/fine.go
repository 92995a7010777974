package work

import "github.com/mutirao/mutirao/protocol/money"

// Fine is what an audit costs its auditor that is taken back: some times the price of a unit. Without it an auditor that executes nothing and
// calls whatever it must audit wrong saves the execution and loses a seat for a round or two, which is less.
// Rule: spec/work.md §13.
type Fine struct {
	Prices uint32 `json:"prices"` // 0: none
}

// Take divides a bond into the fine for one audit, which is burned, and what is left. A bond that is smaller is lost.
func (f Fine) Take(bond, price money.Amount) (fine, left money.Amount) {
	if fine = price.Times(uint64(f.Prices)); fine.Compare(bond) > 0 {
		fine = bond
	}
	return fine, bond.Minus(fine)
}
