package split

import "github.com/mutirao/mutirao/engine/kernel"

const (
	lanes = 32    // of a sum, spec/numerics.md §4
	chunk = 65536 // the longest sum with one set of lanes
)

// sum is a reduction of n elements in the order of spec/numerics.md §4: lanes, and for more than one chunk the sums of chunks,
// added pairwise as a binary counter adds: level l holds the sum of 2^l chunks exactly if bit l of their number is set.
type sum struct {
	n, lane, level, result int // words
	dot                    bool
}

// newSum reserves words for a sum of n elements.
func (p *plan) newSum(n int) *sum {
	s := &sum{n: n, lane: p.word(lanes), result: p.word(1)}
	levels := 0
	for c := (n + chunk - 1) / chunk; c > 0; c /= 2 {
		levels++
	}
	s.level = p.word(levels)
	return s
}

// newDot reserves words for a sum of n products.
func (p *plan) newDot(n int) *sum {
	s := p.newSum(n)
	s.dot = true
	return s
}

// add takes element i, the product of x and y for a dot; i ascends from 0.
func (s *sum) add(a Acc, i int, x, y float32) {
	if i%chunk == 0 {
		clear(a[s.lane : s.lane+lanes])
	}
	l := s.lane + i%chunk%lanes
	if s.dot {
		a.setFloat(l, kernel.FMA(x, y, a.float(l)))
	} else {
		a.setFloat(l, a.float(l)+x)
	}
	s.pass(a, i)
}

// pass goes past element i, which add has taken or which does not count.
func (s *sum) pass(a Acc, i int) {
	if i == s.n-1 || i%chunk == chunk-1 {
		s.fold(a, i/chunk)
	}
}

// skip takes element i as one that does not count.
func (s *sum) skip(a Acc, i int) {
	if i%chunk == 0 {
		clear(a[s.lane : s.lane+lanes])
	}
	s.pass(a, i)
}

// fold ends chunk number c.
func (s *sum) fold(a Acc, c int) {
	for h := lanes / 2; h > 0; h /= 2 {
		for i := range h {
			a.setFloat(s.lane+i, a.float(s.lane+i)+a.float(s.lane+i+h))
		}
	}
	carry := a.float(s.lane)
	l := 0
	for ; c>>l&1 == 1; l++ {
		carry = a.float(s.level+l) + carry
	}
	a.setFloat(s.level+l, carry)
	count := c + 1
	if count < (s.n+chunk-1)/chunk {
		return
	}
	// A last odd sum is carried up unchanged until it meets its neighbour.
	for l = 0; count>>l&1 == 0; l++ {
	}
	carry = a.float(s.level + l)
	for l++; count>>l > 0; l++ {
		if count>>l&1 == 1 {
			carry = a.float(s.level+l) + carry
		}
	}
	a.setFloat(s.result, carry)
}

// of is the sum after its last element.
func (s *sum) of(a Acc) float32 { return a.float(s.result) }

// fold is an element of a matrix product in the order of spec/numerics.md §3: a chain of fma within a block of 256, the blocks
// added.
type fold struct{ total, chain int } // words

func (p *plan) newFold() *fold { return &fold{p.word(1), p.word(1)} }

const foldBlock = 256

// reset begins a new product.
func (f *fold) reset(a Acc) { a[f.total], a[f.chain] = 0, 0 }

// add takes the product of x and y for index k of n.
func (f *fold) add(a Acc, k, n int, x, y float32) {
	f.chained(a, x, y)
	if k == n-1 || k%foldBlock == foldBlock-1 {
		f.close(a)
	}
}

// chained takes a product without looking at its index.
func (f *fold) chained(a Acc, x, y float32) {
	a.setFloat(f.chain, kernel.FMA(x, y, a.float(f.chain)))
}

// close ends a block.
func (f *fold) close(a Acc) {
	a.setFloat(f.total, a.float(f.total)+a.float(f.chain))
	a[f.chain] = 0
}

func (f *fold) of(a Acc) float32 { return a.float(f.total) }

// along is the number of products that a micro-operation takes of a chain: as many as a tile of a matrix has rows.
const along = 16

// product is the stage of a fold over n products.
func (f *fold) product(n int, factors func(k int, in *inputs) (x, y float32)) stage {
	return stage{(n + along - 1) / along, func(op int, a Acc, in *inputs) {
		if op == 0 {
			f.reset(a)
		}
		for k := op * along; k < min((op+1)*along, n); k++ {
			x, y := factors(k, in)
			f.add(a, k, n, x, y)
		}
	}}
}
