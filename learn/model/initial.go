package model

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Init says how a tensor of weights starts: uniform within ±Spread around Center.
type Init struct {
	Center, Spread float32
}

// Initial draws the first weights from a seed. Each tensor has its own key, so adding one changes
// no other. The list is sorted by name and new.
func (m *Model) Initial(seed int64) []tensor.Named {
	theta := make([]tensor.Named, len(m.params))
	for i, p := range m.params {
		t := tensor.New(tensor.Float32, p.Shape...)
		x := t.Float32()
		h := sha256.Sum256(append(binary.LittleEndian.AppendUint64([]byte("mutirao/initial"), uint64(seed)), p.Name...))
		key := [2]uint32{binary.LittleEndian.Uint32(h[0:]), binary.LittleEndian.Uint32(h[4:])}
		// Spread·2·(u - 1/2) + Center, rounded after each step.
		kernel.Uniform(x, key, 0)
		kernel.AddScalar(x, x, -0.5)
		kernel.MulScalar(x, x, float32(2*p.Init.Spread))
		kernel.AddScalar(x, x, p.Init.Center)
		theta[i] = tensor.Named{Name: p.Name, Tensor: t}
	}
	return theta
}

// fanIn keeps the variance of a sum of n independent terms at gain² times theirs: a uniform variable
// within ±s has variance s²/3. Source: LeCun et al., "Efficient BackProp", 1998, section 4.6.
func fanIn(n int, gain float32) Init {
	return Init{Spread: float32(gain * float32(math.Sqrt(3/float64(n))))}
}
