package optim

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Muon are the hyper-parameters of Muon, and of AdamW for what is no hidden matrix.
type Muon struct {
	Hyper
	Momentum float32 // 0.95
}

// The polynomial a·x + b·x³ + c·x⁵ of Jordan et al. drives singular values from (0, 1] to about 1 in five steps.
const (
	newtonA     = 3.4445
	newtonB     = -4.7750
	newtonC     = 2.0315
	newtonSteps = 5
	newtonEps   = 1e-7
	// muonScale makes a step as long as AdamW's usual one, so that rates carry over: RMS 0.2 (Liu et al.).
	muonScale = 0.2
)

// AppendMuon extends a graph by one step on params: of Muon for those that hidden names, which must be matrices, of AdamW for the
// others. For a matrix of r rows and c columns with clipped gradient g as in AppendAdamW:
//
//	m = momentum·m + g
//	u = g + momentum·m
//	X = u/(√Σu² + 1e-7), transposed if r > c
//	five times: A = X·Xᵀ, B = b·A + c·(A·A), X = a·X + B·X
//	x = (x - (lr·decay)·x) - (lr·0.2·√max(r, c))·X
//
// each operation rounded once, products and sums by spec/numerics.md §3 and §4.
// Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; scale and weight decay by Liu et al., "Muon is
// Scalable for LLM Training", arXiv:2502.16982.
func AppendMuon(b *graph.Builder, params []graph.Value, gradients map[string]string, hidden func(graph.Value) bool, h Muon) {
	a := newAdamW(b, h.Hyper)
	factor := clip(b, params, gradients, h.Clip)
	a.correct()
	for _, p := range params {
		g := b.Op("Mul", nil, graph.Ref(gradients[p.Name]), factor)
		if !hidden(p) {
			a.update(p, g)
			continue
		}
		x := graph.Ref(p.Name)
		m := momentum(b, p, g, h.Momentum)
		u := orthogonal(b, b.Op("Add", nil, g, b.Op("Mul", nil, m, b.Float(h.Momentum))), p.Shape)
		rate := b.Op("Mul", nil, a.lr, b.Float(float32(muonScale*float32(math.Sqrt(float64(max(p.Shape[0], p.Shape[1])))))))
		next := b.Op("Sub", nil, b.Op("Sub", nil, x, b.Op("Mul", nil, a.decay, x)), b.Op("Mul", nil, rate, u))
		b.Output(Next+p.Name, next)
		b.Output(Next+FirstMoment+p.Name, m)
	}
}

// orthogonal is near the matrix with the singular vectors of u and singular values 1, by Newton-Schulz iteration.
func orthogonal(b *graph.Builder, u graph.Ref, shape []int) graph.Ref {
	swap := func(x graph.Ref) graph.Ref { return b.Op("Transpose", graph.Attrs{"perm": []int{1, 0}}, x) }
	norm := b.Op("Sqrt", nil, b.Op("ReduceSumSquare", graph.Attrs{"keepdims": 0}, u))
	x := b.Op("Div", nil, u, b.Op("Add", nil, norm, b.Float(newtonEps)))
	tall := shape[0] > shape[1]
	if tall { // the smaller square
		x = swap(x)
	}
	for range newtonSteps {
		a := b.Op("MatMul", nil, x, swap(x))
		p := b.Op("Add", nil, b.Op("Mul", nil, a, b.Float(newtonB)), b.Op("Mul", nil, b.Op("MatMul", nil, a, a), b.Float(newtonC)))
		x = b.Op("Add", nil, b.Op("Mul", nil, x, b.Float(newtonA)), b.Op("MatMul", nil, p, x))
	}
	if tall {
		x = swap(x)
	}
	return x
}

// IsMatrix reports whether a weight has two axes of more than one element, as hidden layers have.
func IsMatrix(p graph.Value) bool {
	return p.DType == tensor.Float32 && len(p.Shape) == 2 && p.Shape[0] > 1 && p.Shape[1] > 1
}
