package optim

import (
	"github.com/mutirao/mutirao/engine/kernel"
)

// Nesterov is the outer optimizer, profile S.
type Nesterov struct {
	LR, Momentum float32
}

// Step updates the momentum and returns the step to take before compression:
//
//	momentum = mu·momentum + d
//	y        = lr·(d + mu·momentum) + residual
//
// each operation rounded once. d is the weighted sum of the units' changes (old minus new weights),
// residual is what earlier compressions left out. momentum is overwritten; y is new.
func (n Nesterov) Step(momentum, d, residual []float32) (y []float32) {
	y = make([]float32, len(d))
	kernel.MulScalar(momentum, momentum, n.Momentum)
	kernel.Add(momentum, momentum, d)
	kernel.MulScalar(y, momentum, n.Momentum)
	kernel.Add(y, d, y)
	kernel.MulScalar(y, y, n.LR)
	kernel.Add(y, y, residual)
	return y
}
