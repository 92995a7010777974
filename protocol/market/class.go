package market

import "github.com/mutirao/mutirao/protocol/market/auction"

// ClassState is what a class offers and costs. Nobody walks over the classes when a batch ends: a host brings a state up to date
// with At before it reads or changes it. Rule: spec/market.md §10.
type ClassState struct {
	Class   Class         `json:"class"`
	Base    auction.Price `json:"base"`
	Offered uint64        `json:"offered"` // units of all asks, those that are leased included
	Leased  uint64        `json:"leased"`
	Batch   uint64        `json:"batch"` // the first batch whose end has not moved Base
}

// maxCatchUp bounds the batches that At counts. In more of them at one utilisation a price has moved as far as it matters.
const maxCatchUp = 1024

// NewClass is a class in which a first ask is placed: its base price begins at that reserve.
func NewClass(first Ask, batch uint64) ClassState {
	return ClassState{Class: first.Class, Base: first.Reserve, Batch: batch}
}

// At moves the base price by the batches that have ended before batch. In all of them the utilisation was the present one.
func (s ClassState) At(batch uint64) ClassState {
	if batch <= s.Batch {
		return s
	}
	for range min(batch-s.Batch, maxCatchUp) {
		next := BasePrice(s.Base, s.Leased, s.Offered)
		if next == s.Base {
			break
		}
		s.Base = next
	}
	s.Batch = batch
	return s
}

// Changed replaces what an ask counts for. before is the zero Ask for a new one, after for one that is gone.
func (s ClassState) Changed(before, after Ask) ClassState {
	s.Offered = s.Offered + after.offered() - before.offered()
	s.Leased = s.Leased + uint64(after.Leased) - uint64(before.Leased)
	return s
}

// offered is how many units the ask counts for: a closing one offers only what is leased.
func (a Ask) offered() uint64 {
	if a.Closing {
		return uint64(a.Leased)
	}
	return uint64(a.Units)
}
