package market

import (
	"github.com/mutirao/mutirao/protocol"
)

// MaxGrade is the best grade of a reputation; a new key has 0.
const MaxGrade = 7

// Reputation counts a provider's results that the protocol itself checked, older ones less: a result's weight halves in
// halfLife blocks. Nobody's opinion enters it. The zero value is that of a new key. Rule: spec/market.md §11.
type Reputation struct {
	Good  uint64          `json:"good"` // weight of results found right, in 2^-16
	Bad   uint64          `json:"bad"`  // of results found wrong or missing
	Since protocol.Height `json:"since"`
}

const (
	weightOne  = 1 << 16 // the weight of a result of now
	mostWeight = 1 << 36 // of all results together; more changes the grade no more
	halfLife   = 14 * 24 * 3600
	decaySteps = 16 // in a half-life
)

// decay[k] is 2^(32 - k/16), rounded.
var decay = [decaySteps]uint64{
	4294967296, 4112874773, 3938502376, 3771522796, 3611622603, 3458501653, 3311872529, 3171459999, 3037000500, 2908241642, 2784941738, 2666869345, 2553802834, 2445529972, 2341847524, 2242560872,
}

// Checked adds a result.
func (r Reputation) Checked(good bool, h protocol.Height) Reputation {
	r = r.at(h)
	if good {
		r.Good = min(mostWeight, r.Good+weightOne)
	} else {
		r.Bad = min(mostWeight, r.Bad+weightOne)
	}
	return r
}

// at lets the weights decay until a block, in whole steps; the rest of a step is counted the next time.
func (r Reputation) at(h protocol.Height) Reputation {
	const step = halfLife / decaySteps
	if r.Good == 0 && r.Bad == 0 || h < r.Since {
		r.Since = max(h, r.Since)
		return r
	}
	steps := uint64(h-r.Since) / step
	r.Since += protocol.Height(steps * step)
	halves := min(63, steps/decaySteps)
	factor := decay[steps%decaySteps]
	fade := func(w uint64) uint64 { return (w >> 16 * factor >> 16) + (w & 0xffff * factor >> 32) }
	r.Good, r.Bad = fade(r.Good)>>halves, fade(r.Bad)>>halves
	return r
}

// Score is the lower end of what the provider's rate of right results may be, in parts per million: the mean of the Beta
// distribution with one result of either kind added, less two standard deviations. Source: Ismail and Jøsang, The beta
// reputation system (2002).
func (r Reputation) Score(h protocol.Height) uint64 {
	r = r.at(h)
	a, b := r.Good+weightOne, r.Bad+weightOne
	n := a + b
	mean := a * 1_000_000 / n
	deviation := squareRoot(mean * (1_000_000 - mean) / ((n + weightOne) / weightOne))
	return mean - min(mean, 2*deviation)
}

// Grade is the score in eighths: what bids ask for.
func (r Reputation) Grade(h protocol.Height) uint32 {
	return uint32(r.Score(h) * (MaxGrade + 1) / 1_000_001)
}

// squareRoot is floor(sqrt(n)), by Newton's iteration from above.
func squareRoot(n uint64) uint64 {
	if n < 2 {
		return n
	}
	x := n
	for y := n/2 + 1; y < x; y = (x + n/x) / 2 {
		x = y
	}
	return x
}
