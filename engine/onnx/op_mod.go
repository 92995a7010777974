package onnx

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
)

// maxQuotient is the exponent below which every quotient of two float32 is, the greatest by the least subnormal.
const maxQuotient = 128 + 149

// remainder is x - trunc(x/y)·y of floats, exactly, as C's fmod has it, and plus y if the signs differ and fmod is not set. It takes
// |y|·2^k from |x| where that is not greater, for k descending to 0; each difference is exact.
func (n *node) remainder(x, y graph.Ref) graph.Ref {
	shape, ok := graph.Broadcast(n.shape(x), n.shape(y))
	if !ok {
		unsupported("shapes %v and %v", n.shape(x), n.shape(y))
	}
	inf, zero := n.f(float32(math.Inf(1))), n.f(0)
	r, d := n.expand(n.op("Abs", nil, x), shape...), n.op("Abs", nil, y)
	valid := n.and(n.compare("Less", r, inf), n.compare("Greater", d, zero)) // not NaN, no infinity divided, no division by 0
	for k := maxQuotient - 1; k >= 0; k-- {
		scaled := d // by 2^k, in steps that are numbers
		for left := k; left > 0; left -= 100 {
			scaled = n.mul(scaled, n.f(float32(math.Ldexp(1, min(left, 100)))))
		}
		r = n.where(n.compare("GreaterOrEqual", r, scaled), n.sub(r, scaled), r)
	}
	r = n.where(valid, r, n.f(float32(math.NaN())))
	r = n.where(n.negative(x), n.op("Neg", nil, r), r)
	if n.flag("fmod") {
		return r
	}
	same := n.compare("Equal", n.negative(r), n.negative(y))
	return n.where(n.or(same, n.compare("Equal", r, zero)), r, n.add(r, y))
}
