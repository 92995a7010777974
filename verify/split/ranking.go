package split

import "math"

var rankingRules = map[string]func(*plan) stage{"TopK": topK}

// topK finds the greatest elements one after the other, each the greatest of those below the one before: by value, NaN above all and
// the zeros one, then by place, the lower first.
func topK(p *plan) stage {
	place, axis := p.index(), p.Axis()
	shape := p.In[0].Shape
	largest := p.Int("largest") != 0
	found, best := p.word(2), p.word(2) // keys: rank and 2³² - 1 - place, of the last found and of the greatest so far
	rank := func(i int, in *inputs) (high, low uint32) {
		high = order(in.float(0, ravel(shape, moved(place, axis, i))))
		if !largest {
			high = ^high
		}
		return high, math.MaxUint32 - uint32(i)
	}
	before := func(high, low, h, l uint32) bool { return high < h || high == h && low < l }
	n := shape[axis]
	return seq(times(place[axis]+1, func(round int) stage {
		return overall(n, func(i int, a Acc, in *inputs) {
			if i == 0 {
				a[best], a[best+1] = 0, 0
			}
			high, low := rank(i, in)
			if (round == 0 || before(high, low, a[found], a[found+1])) && !before(high, low, a[best], a[best+1]) {
				a[best], a[best+1] = high, low
			}
			if i == n-1 {
				a[found], a[found+1] = a[best], a[best+1]
			}
		})
	}), once(func(a Acc, in *inputs) {
		i := int(math.MaxUint32 - a[found+1])
		if p.output == 1 {
			a.doneBits(uint64(i))
			return
		}
		a.doneBits(in.bits(0, ravel(shape, moved(place, axis, i))))
	}))
}

// order is a number's place among all by value.
func order(x float32) uint32 {
	bits := math.Float32bits(x)
	switch {
	case x != x:
		return math.MaxUint32
	case x == 0:
		return 1 << 31
	case bits>>31 != 0:
		return ^bits
	}
	return bits | 1<<31
}
