package economics

// Terms of the condition for honesty, all in millionths of a unit's price except the probabilities, which are in millionths: a worker is
// honest if p·q·(B + r) > c + G, p the audit rate, q the share of audits whose auditor is honest, B the bond, r the pay of a unit, c what an honest
// execution costs and G what the lie is worth to the liar outside of the run.

// LeastBond is the smallest bond that makes a lie a loss: the next whole number above (c + G)/(p·q) − r. It panics if nobody is ever caught.
func LeastBond(p, q, r, c, g uint64) uint64 {
	caught := p * q // of 10^12
	needed := ((c+g)*PPM*PPM + caught) / caught
	return needed - min(needed, r)
}

// Lure is what a lie gains on average over an honest execution: c + G − p·q·(B + r), in millionths of a price.
func Lure(p, q, r, c, g, b int64) int64 { return c + g - p*q/PPM*(b+r)/PPM }

// LeastPool is the part of the price that pays for audits at a rate p by auditors whose execution costs them c, each with a margin:
// p·c·(1 + margin).
func LeastPool(p, c, margin uint64) uint64 { return p * c / PPM * (PPM + margin) / PPM }

// Escapes is the chance, in millionths, that a worker who may draw n times escapes an audit of rate p: 1 − pⁿ. n is the number of salts that
// it tries while it is alone, or 2ᵏ for a league that can withhold any of k openings.
func Escapes(p, n uint64) uint64 {
	caught := uint64(PPM)
	for range n {
		if caught = caught * p / PPM; caught == 0 {
			break
		}
	}
	return PPM - caught
}

// Griefing is what a stranger loses who disputes true claims, n one after the other, by rising bonds that start at base: (2ⁿ − 1)·base while
// they rise. Half of it is the workers'.
func Griefing(n int, base, rises uint64) (lost uint64) {
	bond := base
	for i := range n {
		lost += bond
		if uint64(i) < rises {
			bond *= 2
		}
	}
	return lost
}
