package sim

import (
	"math/rand/v2"

	"github.com/mutirao/mutirao/protocol"
)

// Weather is how unreliable machines and links are. Rates are parts per million; the zero value is a calm day.
type Weather struct {
	Delay uint32 // a message arrives up to that many blocks after it was sent
	Loss  uint32 // rate of messages that never arrive; the sender tries again in the next block
	Crash uint32 // rate, in each block, of machines that go down and lose all that they had in memory
	Down  uint32 // a machine that is down comes back after 1 to that many blocks
	Gone  uint32 // rate of crashes after which a machine never comes back, unless it is Steadfast
}

// post draws when a message arrives and whether it is lost on the way.
func (w Weather) post(r *rand.Rand, now protocol.Height) (due protocol.Height, lost bool) {
	if w.Delay > 0 {
		now += protocol.Height(r.Uint32N(w.Delay + 1))
	}
	return now, happens(r, w.Loss)
}

// happens draws an event of a rate. A rate of zero draws nothing.
func happens(r *rand.Rand, ppm uint32) bool { return ppm > 0 && r.Uint32N(1_000_000) < ppm }

// never is a height that no simulation reaches.
const never = ^protocol.Height(0)

// weather starts, stops and restarts a machine. What it put into its store is there again after a crash; what its role
// kept in memory is not.
func (n *Network) weather(m *machine, height protocol.Height) {
	w := n.config.Weather
	switch {
	case !m.up && height >= m.back:
		m.up, m.busy, m.role = true, height, m.start(n.run)
	case m.up && happens(n.random, w.Crash):
		m.up, m.role = false, nil
		m.back = height + 1 + protocol.Height(n.random.Uint32N(max(w.Down, 1)))
		if !m.Steadfast && happens(n.random, w.Gone) {
			m.back = never
		}
	}
}
