package onnx

import (
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// linalgRules are functions of matrices.
var linalgRules = map[string]rule{"Det": one(determinant)}

// maxDeterminant bounds the rows of Det: each is some nodes.
const maxDeterminant = 256

// determinant is that of the last two axes, by Gaussian elimination: the pivot is the greatest element of a column by its absolute value,
// of equal ones the first; the determinant is the product of the pivots from the first on, with the sign of the permutation.
func determinant(n *node) graph.Ref {
	x := n.need(0)
	n.isFloat(x)
	shape := n.shape(x)
	rank := len(shape)
	if rank < 2 || shape[rank-1] != shape[rank-2] || shape[rank-1] > maxDeterminant {
		unsupported("matrices of shape %v", shape)
	}
	rows := shape[rank-1]
	outer := append([]int{}, shape[:rank-2]...)
	x = n.reshape(x, product(outer), rows, rows)
	det := n.expand(n.f(1), product(outer), 1, 1)
	for size := rows; size > 1; size-- {
		iota := n.iota(size, 1, 3, tensor.Float32)
		column := n.op("Abs", nil, n.slice(x, 2, 0, 1, 1))
		less := n.compare("Less", column, n.reduce("ReduceMax", column, true, 1))
		index := n.reduce("ReduceMin", n.where(less, n.f(float32(size)), iota), true, 1)
		hit := n.compare("Equal", iota, index)
		first := n.slice(x, 1, 0, 1, 1)
		pivot := n.reduce("ReduceSum", n.where(hit, x, n.f(0)), true, 1) // [batch, 1, size]: one row and zeros
		rest := n.slice(n.where(hit, first, x), 1, 1, size, 1)           // the first row takes the pivot's place
		lead := n.slice(pivot, 2, 0, 1, 1)
		moved := n.compare("Greater", index, n.f(0))
		det = n.mul(det, n.where(moved, n.op("Neg", nil, lead), lead))
		singular := n.compare("Equal", lead, n.f(0))
		factor := n.where(singular, n.f(0), n.div(n.slice(rest, 2, 0, 1, 1), lead))
		x = n.sub(n.slice(rest, 2, 1, size, 1), n.mul(factor, n.slice(pivot, 2, 1, size, 1)))
	}
	return n.reshape(n.mul(det, x), outer...)
}
