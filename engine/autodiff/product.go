package autodiff

import "github.com/mutirao/mutirao/engine/graph"

var productRules = map[string]rule{"MatMul": matmul, "Gemm": gemm}

// matmul: for y = A·B, dA = dy·Bᵀ and dB = Aᵀ·dy, summed over leading axes that were broadcast. If B is one matrix for all
// leading axes of A, the rows of A are one tall matrix, so that dB is one product over all of them (spec/numerics.md §3).
// The transposes cost nothing: execution folds them into the product.
func matmul(n *node) ([]graph.Ref, error) {
	a, b, dy := n.x(0), n.x(1), n.dy[0]
	rankA, rankB := len(n.call.In[0].Shape), len(n.call.In[1].Shape)
	switch { // make vectors matrices
	case rankA == 1 && rankB == 1:
		dy = n.op("Unsqueeze", dy, n.Ints(0, 1))
	case rankA == 1:
		dy = n.op("Unsqueeze", dy, n.Ints(-2))
	case rankB == 1:
		dy = n.op("Unsqueeze", dy, n.Ints(-1))
	}
	if rankA == 1 {
		a = n.op("Unsqueeze", a, n.Ints(0))
	}
	if rankB == 1 {
		b = n.op("Unsqueeze", b, n.Ints(1))
	}
	shapeA, shapeB := n.Shape(a), n.Shape(b)
	return n.each(func(i int) graph.Ref {
		var d graph.Ref
		switch {
		case i == 0:
			d = reduceTo(n.Builder, n.op("MatMul", dy, swapped(n.Builder, b)), shapeA)
		case len(shapeB) == 2:
			tall, gradient := rows(n.Builder, a), rows(n.Builder, dy)
			d = n.op("MatMul", swapped(n.Builder, tall), gradient)
		default:
			d = reduceTo(n.Builder, n.op("MatMul", swapped(n.Builder, a), dy), shapeB)
		}
		return reshape(n.Builder, d, n.call.In[i].Shape)
	}), nil
}

// swapped is x with its last two axes exchanged.
func swapped(b *graph.Builder, x graph.Ref) graph.Ref {
	perm := make([]int, len(b.Shape(x)))
	for i := range perm {
		perm[i] = i
	}
	last := len(perm) - 1
	perm[last-1], perm[last] = last, last-1
	return b.Op("Transpose", graph.Attrs{"perm": perm}, x)
}

// rows is x as one matrix with the same last axis.
func rows(b *graph.Builder, x graph.Ref) graph.Ref {
	shape := b.Shape(x)
	if len(shape) == 2 {
		return x
	}
	return b.Op("Reshape", nil, x, b.Ints(-1, shape[len(shape)-1]))
}

// gemm: y = alpha·A'·B' + beta·C, where a prime transposes if the attribute says so.
func gemm(n *node) ([]graph.Ref, error) {
	dy := n.dy[0]
	alpha, transA, transB := n.call.Float("alpha"), n.call.Int("transA") != 0, n.call.Int("transB") != 0
	product := func(left, right graph.Ref, transLeft, transRight bool) graph.Ref {
		flag := map[bool]int{true: 1}
		return n.Op("Gemm", graph.Attrs{"alpha": alpha, "transA": flag[transLeft], "transB": flag[transRight]}, left, right)
	}
	return n.each(func(i int) graph.Ref {
		switch {
		case i == 0 && transA:
			return product(n.x(1), dy, transB, true)
		case i == 0:
			return product(dy, n.x(1), false, !transB)
		case i == 1 && transB:
			return product(dy, n.x(0), true, transA)
		case i == 1:
			return product(n.x(0), dy, !transA, false)
		}
		d := n.toInput(2, dy)
		if beta := n.call.Float("beta"); beta != 1 {
			d = n.op("Mul", d, n.Float(beta))
		}
		return d
	}), nil
}
