package round

import (
	"slices"

	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/learn/optim"
	"github.com/mutirao/mutirao/learn/payload"
)

// Contribution is an admitted unit's part in an aggregate.
type Contribution struct {
	Payload []byte
	Tokens  uint64
}

// maxNorm is how many times the median norm a contribution's may be (profile S).
const maxNorm = 3

// Aggregate folds contributions, in ledger order, into the next public state:
//
//	d = Σ_i w_i·decode_i, w_i = tokens_i / Σ tokens, summed in the order given
//	momentum, y = optim.Nesterov with the residual
//	q = int8 codes of y; residual = y - decode(q); theta = theta - decode(q)
//
// each operation rounded once. A contribution is rejected, and counts for nothing, if its payload is
// not canonical, if its tokens are not those of a unit of 1 to the recipe's steps, or if the norm of
// its change is more than three times the median norm (the lower of two middle ones) of those left.
// If the step is not finite, or out of the range of the codes, all are rejected: whoever must name the
// next state always can. If all are rejected the state stays as it is. p is not changed. It returns
// ErrState if p is not the model's.
func (t *Trainer) Aggregate(p Public, contributions []Contribution) (next Public, rejected []bool, err error) {
	if err := t.checkPublic(p); err != nil {
		return Public{}, nil, err
	}
	rejected = make([]bool, len(contributions))
	changes := make([][][]float32, len(contributions))
	for i, c := range contributions {
		codes, err := payload.Decode(c.Payload, t.layout)
		if err != nil || t.CountTokens(c.Tokens) == 0 {
			rejected[i] = true
			continue
		}
		changes[i] = payload.Values(codes)
	}
	rejectLarge(changes, rejected)

	var total uint64
	for i, c := range contributions {
		if !rejected[i] {
			total += c.Tokens
		}
	}
	copied := func() Public {
		return Public{Theta: clone(p.Theta), Momentum: clone(p.Momentum), Residual: clone(p.Residual)}
	}
	if total == 0 {
		return copied(), rejected, nil
	}
	none := slices.Repeat([]bool{true}, len(contributions))
	next = copied()
	y := zeros(t.layout)
	outer := optim.Nesterov{LR: t.recipe.Train.OuterLR, Momentum: t.recipe.Train.OuterMomentum}
	var term []float32
	for j := range y {
		d := y[j].Tensor.Float32()
		term = slices.Grow(term[:0], len(d))[:len(d)]
		for i, c := range contributions {
			if !rejected[i] {
				kernel.MulScalar(term, changes[i][j], float32(c.Tokens)/float32(total))
				kernel.Add(d, d, term)
			}
		}
		copy(d, outer.Step(next.Momentum[j].Tensor.Float32(), d, next.Residual[j].Tensor.Float32()))
	}
	codes, err := payload.Quantise(y, payload.Int8)
	if err != nil {
		return copied(), none, nil
	}
	for j, step := range payload.Values(codes) {
		kernel.Sub(next.Residual[j].Tensor.Float32(), y[j].Tensor.Float32(), step)
		kernel.Sub(next.Theta[j].Tensor.Float32(), next.Theta[j].Tensor.Float32(), step)
	}
	if t.checkPublic(next) != nil {
		return copied(), none, nil
	}
	return next, rejected, nil
}

// rejectLarge compares the norms of the changes that are not rejected yet.
func rejectLarge(changes [][][]float32, rejected []bool) {
	norms := make([]float32, len(changes))
	var counted []float32
	for i, change := range changes {
		if rejected[i] {
			continue
		}
		for _, x := range change {
			norms[i] += kernel.SumSquares(x)
		}
		counted = append(counted, norms[i])
	}
	kernel.Sqrt(norms, norms)
	kernel.Sqrt(counted, counted)
	slices.Sort(counted)
	for i := range norms {
		if !rejected[i] {
			// An overflowed norm is +Inf and above any finite limit; the second test is for a median that overflowed too.
			limit := float32(maxNorm * counted[(len(counted)-1)/2])
			rejected[i] = norms[i] > limit || !kernel.Finite(norms[i:i+1])
		}
	}
}
