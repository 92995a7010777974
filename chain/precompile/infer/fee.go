package infer

import (
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
)

// FixedFee prices the use of a model by its work alone. It stands in for the market, whose clearing will price the
// compute and let holders set the royalty.
type FixedFee struct {
	PerUse money.Amount
	PerMAC money.Amount // per multiply-accumulate
}

// fee costs a thousandth of a MUT per use and as much again for a million multiply-accumulates.
var fee = FixedFee{PerUse: money.New(1_000_000_000_000_000), PerMAC: money.New(1_000_000_000)}

// FeeOf is what one use of a model costs: nothing but the fixed part for one whose bytes are not on the ledger.
func FeeOf(m registry.Model) money.Amount {
	if m.Callable == nil {
		return fee.PerUse
	}
	return fee.Of(*m.Callable)
}

// Of is the fee of one use of a callable model. It cannot overflow: registry.MaxMACs bounds the work.
func (f FixedFee) Of(c registry.Callable) money.Amount { return f.PerUse.Plus(f.PerMAC.Times(c.MACs)) }
