package graph

import (
	"fmt"
	"math/bits"
)

// MACs is the work of one run of g in multiply-accumulates. MatMul, Gemm, Conv and Attention (over the pairs that a causal mask
// leaves) count them exactly. An elementwise operator counts 1 for each output element, 4 if it divides or takes a root, 16
// if it evaluates a polynomial (exp, log, tanh, erf, sigmoid, sin, cos, gelu, softmax); a reduction 1 for each input element;
// moving data 1 for each output element; reshaping nothing;
// a recurrent layer its products, and 18 for each gate of a hidden value. It returns Infer's error, or one if the sum overflows.
func MACs(g *Graph) (uint64, error) {
	calls, err := Calls(g)
	if err != nil {
		return 0, err
	}
	var sum uint64
	for i := range calls {
		next, carry := bits.Add64(sum, calls[i].op.cost(&calls[i]), 0)
		if carry != 0 {
			return 0, fmt.Errorf("%w: more than 2^64 multiply-accumulates", ErrInvalid)
		}
		sum = next
	}
	return sum, nil
}

// Elements is the number of elements of all inputs, initializers and node outputs together: an upper bound of what a run
// holds in memory. It returns Infer's error.
func Elements(g *Graph) (uint64, error) {
	values, err := Infer(g)
	if err != nil {
		return 0, err
	}
	var sum uint64 // at most MaxValues * MaxElements = 2^46
	for _, v := range values {
		sum += uint64(v.Len())
	}
	return sum, nil
}
