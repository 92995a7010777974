package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// Scenario draws a network for a recipe from a seed: bad weather, two or more honest providers, up to three lying ones,
// up to two corrupt verifiers L and at least 2L+1 honest ones, some of all of them late. Its terms are what a careful
// author would choose who expects L: no round is decided by fewer than 2L+1 verifiers. Two honest providers and 2L+1 honest verifiers are steadfast;
// the rest, honest or not, may go for good. In half of the networks every unit is audited, in the others as by default.
func Scenario(seed uint64, r *recipe.Recipe, set *data.Set) Config {
	d := draw{rand.New(rand.NewPCG(seed, 0x7363656e))}
	c := Config{Seed: seed, Recipe: r, Data: set, Weather: d.weather()}
	corrupt := d.upTo(2)
	least := 2*corrupt + 1
	if d.upTo(1) == 1 {
		c.AuthorGone = protocol.Height(15 + d.upTo(60))
	}
	d.crowd(&c, work.Provider, 2+d.upTo(3), 2, d.upTo(3), ProviderLies)
	d.crowd(&c, work.Verifier, max(least, 2)+d.upTo(2), least, corrupt, VerifierLies)

	c.Terms = work.DefaultSpec()
	t := &c.Terms
	t.MinProviders, t.MinVerifiers, t.LeastVerifiers = 2, uint32(max(least, 2)), uint32(least)
	t.MaxUnits = uint32(2 + d.upTo(6))
	t.Seed = new(protocol.Preimage).Uint64(seed).Digest("mutirao/sim/run")
	t.Price.PerUnit = money.New(1_000_000_007) // a prime: every share is rounded
	t.ProviderBond, t.VerifierBond = money.MUT(50), money.MUT(50)
	t.Windows = work.Windows{Compute: 8, Reveal: 6, AuditCommit: 8, AuditReveal: 6, Dispute: 10, Aggregate: 8, Wait: 100}
	if d.upTo(1) == 1 {
		t.Audit.NewcomerUnits = 1000
	} else {
		t.Audit.NewcomerUnits, t.Audit.CleanDivisor = 1, 2 // rates fall fast enough to be seen in a few rounds
	}
	t.Windows.Challenge, t.Windows.Contest, t.Vesting.Rounds = uint32(d.upTo(9)), uint32(d.upTo(4)), uint32(d.upTo(3))
	return c
}

// draw is the source of a scenario.
type draw struct{ *rand.Rand }

// upTo draws 0 to n.
func (d draw) upTo(n int) int { return d.IntN(n + 1) }

func (d draw) weather() Weather {
	return Weather{
		Delay: uint32(d.upTo(3)), Loss: uint32(d.upTo(15)) * 10_000, Crash: uint32(d.upTo(5)) * 10_000,
		Down: uint32(1 + d.upTo(15)), Gone: uint32(d.upTo(3)) * 100_000,
	}
}

// crowd adds honest members of a role, of whom the first are steadfast, and lying ones.
func (d draw) crowd(c *Config, role work.Role, honest, steadfast, lying int, lies []Lie) {
	for i := range honest {
		m := Member{Name: fmt.Sprintf("%s-%d", role, i+1), Role: role, Steadfast: i < steadfast}
		if !m.Steadfast {
			m.Joins = d.late()
		}
		c.Members = append(c.Members, m)
	}
	lie := lies[d.IntN(len(lies))]
	for i := range lying {
		if d.upTo(2) > 0 { // in one case of three it tells the same lie as the one before
			lie = lies[d.IntN(len(lies))]
		}
		c.Members = append(c.Members, Member{Name: fmt.Sprintf("lying-%s-%d", role, i+1), Role: role, Joins: d.late(), Lie: lie})
	}
}

// late is 0 for half of the members.
func (d draw) late() protocol.Height {
	if d.upTo(1) == 0 {
		return 0
	}
	return protocol.Height(d.upTo(60))
}
