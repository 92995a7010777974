package market

import "github.com/mutirao/mutirao/protocol/market/auction"

// ClassState is what a class offers and costs. Nobody walks over the classes when a batch ends: a host brings a state up to date
// with At before it reads or changes it. Rule: spec/market.md §10.
type ClassState struct {
	Class   Class         `json:"class"`
	Base    auction.Price `json:"base"`
	Offered uint64        `json:"offered"` // units of all asks, those that are leased included
	Leased  uint64        `json:"leased"`
	Batch   uint64        `json:"batch"`          // the first batch that has not been counted
	Used    uint64        `json:"used,omitempty"` // utilisation, in per mille, summed over the batches of the open period that have been
}

// maxCatchUp bounds the periods that At counts. In more of them at one utilisation a price has moved as far as it matters.
const maxCatchUp = 1024

// NewClass is a class in which a first ask is placed: its base price begins at that reserve.
func NewClass(first Ask, p Params, batch uint64) ClassState {
	return ClassState{Class: first.Class, Base: first.Reserve, Batch: batch, Used: targetPermille * (batch % p.period(first.Class))}
}

// At counts the batches that have ended before batch; in all of them the utilisation was the present one. With the last batch of a period the
// base price moves by the period's mean.
func (s ClassState) At(p Params, batch uint64) ClassState {
	period, used := p.period(s.Class), utilisation(s.Leased, s.Offered)
	for range maxCatchUp {
		if batch <= s.Batch {
			return s
		}
		end := (s.Batch/period + 1) * period
		n := min(batch, end) - s.Batch
		s.Batch, s.Used = s.Batch+n, s.Used+n*used
		if s.Batch == end {
			before := s.Base
			s.Base, s.Used = moved(s.Base, s.Used/period), 0
			if n == period && s.Base == before {
				break
			}
		}
	}
	if batch > s.Batch {
		s.Batch, s.Used = batch, used*(batch%period)
	}
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
