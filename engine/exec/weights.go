package exec

import (
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Weights are tensors that are initializers of several programs: of one model for inputs of several shapes. What is packed for products of
// matrices is packed once for all of them. The bits of a result do not depend on it. It is not safe for concurrent use.
type Weights struct {
	shared map[*tensor.Tensor]bool
	packed map[packing]*kernel.Packed
	convs  map[convolving]*convolved
}

// NewWeights shares these tensors, which must not change while a program with them is in use.
func NewWeights(list ...*tensor.Tensor) *Weights {
	w := &Weights{map[*tensor.Tensor]bool{}, map[packing]*kernel.Packed{}, map[convolving]*convolved{}}
	w.Share(list...)
	return w
}

// Share adds tensors.
func (w *Weights) Share(list ...*tensor.Tensor) {
	for _, t := range list {
		w.shared[t] = true
	}
}

// Compile is the function Compile for a graph some of whose initializers are w's. Others are packed for this program only.
func (w *Weights) Compile(g *graph.Graph) (*Program, error) { return compile(g, &Update{}, w) }

// packing is a way to read a tensor as a matrix.
type packing struct {
	t     *tensor.Tensor
	k, n  int
	trans bool
}

// pack returns t as a packed matrix.
func (w *Weights) pack(t *tensor.Tensor, k, n int, trans bool) *kernel.Packed {
	key := packing{t, k, n, trans}
	if w.packed[key] == nil {
		w.packed[key] = kernel.Pack(t.Float32(), k, n, trans)
	}
	return w.packed[key]
}

// convolving is a way to convolve with a tensor.
type convolving struct {
	t      *tensor.Tensor
	shape  kernel.ConvShape
	from   kernel.Layout
	to     kernel.Layout
	serial bool
}

// convolved is a plan with its weights.
type convolved struct {
	plan    *kernel.Conv
	weights *kernel.ConvWeights
}

// convolve returns the plan of a convolution with t, and t packed for it.
func (w *Weights) convolve(t *tensor.Tensor, s kernel.ConvShape, from, to kernel.Layout, serial bool) *convolved {
	key := convolving{t, s, from, to, serial}
	if w.convs[key] == nil {
		plan := kernel.NewConvLayout(s, from, to, serial)
		w.convs[key] = &convolved{plan, plan.Pack(t.Float32())}
	}
	return w.convs[key]
}
