package onnx

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// elementRules are elementwise functions. Those that the engine lacks are compositions, rounded after each operation as written.
var elementRules = map[string]rule{
	"Add": one(pair("Add")), "Sub": one(pair("Sub")), "Mul": one(pair("Mul")), "Div": one(pair("Div")),
	"Max": one(fold("Max")), "Min": one(fold("Min")), "Sum": one(fold("Add")), "Mean": one(mean),
	"Neg": one(negate), "Abs": one(absolute), "Sign": one(sign), "Pow": one(power), "Mod": one(modulo),
	"Floor": one(floor), "Ceil": one(ceil), "Round": one(round),
	"LeakyRelu":       one(leakyRelu),
	"PRelu":           one(prelu),
	"Elu":             one(elu),
	"Selu":            one(selu),
	"Celu":            one(celu),
	"ThresholdedRelu": one(thresholdedRelu),
	"HardSigmoid": one(func(n *node) graph.Ref {
		return n.hardSigmoid(n.need(0), n.float("alpha", 0.2), n.float("beta", 0.5))
	}),
	"HardSwish": one(func(n *node) graph.Ref { return n.mul(n.need(0), n.hardSigmoid(n.need(0), float32(1)/6, 0.5)) }),
	"Softplus":  one(func(n *node) graph.Ref { return n.softplus(n.need(0)) }),
	"Softsign": one(func(n *node) graph.Ref {
		return n.div(n.need(0), n.add(n.op("Abs", nil, n.need(0)), n.f(1)))
	}),
	"Mish": one(func(n *node) graph.Ref { return n.mul(n.need(0), n.op("Tanh", nil, n.softplus(n.need(0)))) }),
	"Swish": one(func(n *node) graph.Ref {
		return n.mul(n.need(0), n.op("Sigmoid", nil, n.mul(n.need(0), n.f(n.float("alpha", 1)))))
	}),
	"Relu": one(func(n *node) graph.Ref {
		if x := n.need(0); n.dtype(x) != tensor.Float32 {
			return n.max(x, n.same(x, 0))
		}
		return n.op("Relu", nil, n.x(0))
	}),
	"SwiGLU": one(func(n *node) graph.Ref {
		x := n.need(0)
		return n.mul(n.mul(x, n.op("Sigmoid", nil, n.mul(x, n.f(n.float("alpha", 1))))), n.need(1))
	}),
	"Gelu":   one(gelu),
	"Shrink": one(shrink),
	"Clip":   one(clip),
	"Tan":    one(func(n *node) graph.Ref { return n.div(n.op("Sin", nil, n.need(0)), n.op("Cos", nil, n.need(0))) }),
	"Sinh":   one(sinh), "Cosh": one(cosh),
	"Asinh": one(asinh), "Acosh": one(acosh), "Atanh": one(atanh),
	"Atan": one(func(n *node) graph.Ref { return n.atan(n.need(0)) }),
	"Asin": one(func(n *node) graph.Ref {
		x := n.need(0)
		return n.atan(n.div(x, n.op("Sqrt", nil, n.mul(n.sub(n.f(1), x), n.add(n.f(1), x)))))
	}),
	"Acos": one(func(n *node) graph.Ref {
		x := n.need(0)
		return n.mul(n.f(2), n.atan(n.op("Sqrt", nil, n.div(n.sub(n.f(1), x), n.add(n.f(1), x)))))
	}),
	"Dropout": dropout,
}

func pair(name string) func(*node) graph.Ref {
	return func(n *node) graph.Ref { return n.arith(name, n.need(0), n.need(1)) }
}

func fold(name string) func(*node) graph.Ref {
	return func(n *node) graph.Ref {
		sum := n.need(0)
		for i := 1; i < len(n.in); i++ {
			sum = n.arith(name, sum, n.need(i))
		}
		return sum
	}
}

// mean adds from left to right, then divides.
func mean(n *node) graph.Ref { return n.div(fold("Add")(n), n.f(float32(len(n.in)))) }

func negate(n *node) graph.Ref {
	x := n.need(0)
	if n.dtype(x) == tensor.Float32 {
		return n.op("Neg", nil, x)
	}
	return n.sub(n.same(x, 0), x)
}

func absolute(n *node) graph.Ref {
	x := n.need(0)
	if n.dtype(x) == tensor.Float32 {
		return n.op("Abs", nil, x)
	}
	return n.max(x, n.sub(n.same(x, 0), x))
}

func sign(n *node) graph.Ref {
	x := n.need(0)
	if n.dtype(x) == tensor.Float32 {
		return n.op("Sign", nil, x)
	}
	return n.max(n.same(x, -1), n.min(n.same(x, 1), x))
}

// negative is x < 0, false for NaN.
func (n *node) negative(x graph.Ref) graph.Ref { return n.compare("Less", x, n.same(x, 0)) }

// toward is x rounded to an integer by way of int64; what is 2^23 or more is one already, and so are infinities; NaN stays NaN.
func (n *node) toward(x graph.Ref, adjust func(whole graph.Ref) graph.Ref) graph.Ref {
	whole := n.cast(n.cast(x, tensor.Int64), tensor.Float32)
	small := n.compare("Less", n.op("Abs", nil, x), n.f(1<<23))
	return n.where(small, adjust(whole), x)
}

func floor(n *node) graph.Ref { return n.floor(n.need(0)) }

func (n *node) floor(x graph.Ref) graph.Ref {
	return n.toward(x, func(w graph.Ref) graph.Ref {
		return n.where(n.compare("Greater", w, x), n.sub(w, n.f(1)), w)
	})
}

func ceil(n *node) graph.Ref {
	x := n.need(0)
	return n.op("Neg", nil, n.floor(n.op("Neg", nil, x)))
}

func round(n *node) graph.Ref { return n.round(n.need(0)) }

// round is to nearest, ties to even: adding 1.5·2^23 leaves no bits for a fraction.
func (n *node) round(x graph.Ref) graph.Ref {
	return n.toward(x, func(graph.Ref) graph.Ref {
		return n.sub(n.add(x, n.f(0x1.8p23)), n.f(0x1.8p23))
	})
}

func leakyRelu(n *node) graph.Ref {
	x := n.need(0)
	return n.where(n.negative(x), n.mul(n.f(n.float("alpha", 0.01)), x), x)
}

// expm1 is exp(x) - 1.
func (n *node) expm1(x graph.Ref) graph.Ref { return n.sub(n.op("Exp", nil, x), n.f(1)) }

func elu(n *node) graph.Ref {
	x := n.need(0)
	return n.where(n.negative(x), n.mul(n.f(n.float("alpha", 1)), n.expm1(x)), x)
}

func selu(n *node) graph.Ref {
	x := n.need(0)
	alpha, gamma := n.float("alpha", 1.6732632), n.float("gamma", 1.050701)
	return n.mul(n.f(gamma), n.where(n.negative(x), n.mul(n.f(alpha), n.expm1(x)), x))
}

// celu is max(0, x) + min(0, alpha·(exp(x/alpha) - 1)).
func celu(n *node) graph.Ref {
	x, alpha := n.need(0), n.f(n.float("alpha", 1))
	return n.add(n.max(x, n.f(0)), n.min(n.f(0), n.mul(alpha, n.expm1(n.div(x, alpha)))))
}

func thresholdedRelu(n *node) graph.Ref {
	x := n.need(0)
	return n.where(n.compare("Greater", x, n.f(n.float("alpha", 1))), x, n.f(0))
}

// hardSigmoid is max(0, min(1, alpha·x + beta)).
func (n *node) hardSigmoid(x graph.Ref, alpha, beta float32) graph.Ref {
	return n.max(n.f(0), n.min(n.f(1), n.add(n.mul(n.f(alpha), x), n.f(beta))))
}

// softplus is log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), which does not overflow, by log1p.
func (n *node) softplus(x graph.Ref) graph.Ref {
	e := n.op("Exp", nil, n.op("Neg", nil, n.op("Abs", nil, x)))
	return n.add(n.max(x, n.f(0)), n.log1p(e))
}

// gelu with "tanh" is 0.5x(1 + tanh(sqrt(2/π)(x + 0.044715x³))).
func gelu(n *node) graph.Ref {
	x := n.need(0)
	if n.text("approximate", "none") != "tanh" {
		return n.op("Gelu", nil, x)
	}
	return n.tanhGelu(x)
}

// tanhGelu is Gelu's approximation.
func (n *node) tanhGelu(x graph.Ref) graph.Ref {
	cube := n.mul(n.mul(x, x), x)
	t := n.op("Tanh", nil, n.mul(n.f(0.7978846), n.add(x, n.mul(n.f(0.044715), cube))))
	return n.mul(n.mul(n.f(0.5), x), n.add(n.f(1), t))
}

func shrink(n *node) graph.Ref {
	x := n.need(0)
	bias, lambd := n.float("bias", 0), n.float("lambd", 0.5)
	low := n.compare("Less", x, n.f(-lambd))
	high := n.compare("Greater", x, n.f(lambd))
	return n.where(low, n.add(x, n.f(bias)), n.where(high, n.sub(x, n.f(bias)), n.f(0)))
}

// clip is min(max(x, low), high), so high wins over low.
func clip(n *node) graph.Ref {
	x := n.need(0)
	if a := n.attr("min"); a != nil {
		x = n.max(x, n.f(a.float))
	}
	if n.has(1) {
		x = n.max(x, n.x(1))
	}
	if a := n.attr("max"); a != nil {
		x = n.min(x, n.f(a.float))
	}
	if n.has(2) {
		x = n.min(x, n.x(2))
	}
	return x
}

// sinh is 2t/(1 - t²) with t = tanh(x/2) below 1, which is exact near 0, and half of exp(x) - exp(-x) above.
func sinh(n *node) graph.Ref {
	x := n.need(0)
	t := n.op("Tanh", nil, n.mul(x, n.f(0.5)))
	near := n.div(n.add(t, t), n.mul(n.sub(n.f(1), t), n.add(n.f(1), t)))
	half := n.mul(n.op("Neg", nil, n.op("Abs", nil, x)), n.f(0.5)) // exp(|x|)/2 = (exp(|x|/2)/2)·exp(|x|/2), which overflows no earlier
	root := n.div(n.f(1), n.op("Exp", nil, half))
	e := n.mul(n.mul(root, n.f(0.5)), root)
	far := n.mul(n.op("Sign", nil, x), n.sub(e, n.div(n.f(0.25), e)))
	return n.where(n.compare("Less", n.op("Abs", nil, x), n.f(1)), near, far)
}

// cosh is (exp|x| + exp-|x|)/2.
func cosh(n *node) graph.Ref {
	root := n.op("Exp", nil, n.mul(n.op("Abs", nil, n.need(0)), n.f(0.5)))
	e := n.mul(n.mul(root, n.f(0.5)), root)
	return n.add(e, n.div(n.f(0.25), e))
}

// log1p is log(1 + x), corrected for what the sum 1 + x lost: log(u)·x/(u - 1).
func (n *node) log1p(x graph.Ref) graph.Ref {
	u := n.add(n.f(1), x)
	d := n.sub(u, n.f(1))
	finite := n.compare("Less", u, n.f(float32(math.Inf(1))))
	exact := n.mul(n.op("Log", nil, u), n.div(x, d))
	lost := n.compare("Equal", d, n.f(0))
	return n.where(lost, x, n.where(finite, exact, n.op("Log", nil, u)))
}

// asinh is sign(x)·log1p(a + a²/(1 + sqrt(a² + 1))) with a = |x|, and log(2a) where a² overflows.
func asinh(n *node) graph.Ref {
	x := n.need(0)
	a := n.op("Abs", nil, x)
	square := n.mul(a, a)
	near := n.log1p(n.add(a, n.div(square, n.add(n.f(1), n.op("Sqrt", nil, n.add(square, n.f(1)))))))
	far := n.add(n.op("Log", nil, a), n.f(math.Ln2))
	return n.mul(n.op("Sign", nil, x), n.where(n.compare("Less", a, n.f(1<<40)), near, far))
}

// acosh is log1p(t + sqrt(2t + t²)) with t = x - 1, and log(2x) where t² overflows.
func acosh(n *node) graph.Ref {
	x := n.need(0)
	t := n.sub(x, n.f(1))
	near := n.log1p(n.add(t, n.op("Sqrt", nil, n.add(n.add(t, t), n.mul(t, t)))))
	return n.where(n.compare("Less", x, n.f(1<<40)), near, n.add(n.op("Log", nil, x), n.f(math.Ln2)))
}

// atanh is log1p(2x/(1 - x))/2 for |x|, with the sign of x.
func atanh(n *node) graph.Ref {
	x := n.need(0)
	a := n.op("Abs", nil, x)
	y := n.mul(n.f(0.5), n.log1p(n.div(n.add(a, a), n.sub(n.f(1), a))))
	return n.mul(n.op("Sign", nil, x), y)
}

// atan reduces |x| > 1 to 1/|x|, then twice by atan(a) = 2·atan(a/(1 + sqrt(1 + a²))), to at most tan(π/16), where the Taylor series
// to a⁹ has an error below 2⁻²⁶ of the result.
func (n *node) atan(x graph.Ref) graph.Ref {
	a := n.op("Abs", nil, x)
	big := n.compare("Greater", a, n.f(1))
	r := n.where(big, n.div(n.f(1), a), a)
	for range 2 {
		r = n.div(r, n.add(n.f(1), n.op("Sqrt", nil, n.add(n.f(1), n.mul(r, r)))))
	}
	s := n.mul(r, r)
	p := n.f(float32(1) / 9)
	for _, c := range []float32{float32(-1) / 7, float32(1) / 5, float32(-1) / 3} {
		p = n.add(n.mul(p, s), n.f(c))
	}
	y := n.mul(n.f(4), n.add(r, n.mul(n.mul(r, s), p)))
	y = n.where(big, n.sub(n.f(math.Pi/2), y), y)
	return n.where(n.negative(x), n.op("Neg", nil, y), y)
}

// power is x^y: for a known y of small size by multiplying and roots, otherwise exp(y·log|x|) with the sign and the special
// cases of a whole exponent. Integers are powers of float32 rounded to the integer type.
func power(n *node) graph.Ref {
	x, y := n.need(0), n.need(1)
	dt := n.dtype(x)
	if t := n.in[1].known; t != nil && t.Len() == 1 && dt == tensor.Float32 && n.dtype(y) == tensor.Float32 {
		shape, ok := graph.Broadcast(n.shape(x), n.shape(y))
		if ok && len(shape) == len(n.shape(x)) {
			switch t.Float32()[0] {
			case 0.5:
				return n.op("Sqrt", nil, x)
			case 1:
				return x
			case 2:
				return n.mul(x, x)
			case 3:
				return n.mul(n.mul(x, x), x)
			case -1:
				return n.op("Reciprocal", nil, x)
			}
		}
	}
	if dt != tensor.Float32 && n.dtype(y) != tensor.Float32 {
		if t := n.in[1].known; t != nil {
			return n.integerPower(x, n.list(1), n.in[1].known.Shape())
		}
	}
	a, e := n.cast(x, tensor.Float32), n.cast(y, tensor.Float32)
	whole := n.compare("Equal", n.floor(e), e)
	half := n.mul(e, n.f(0.5))
	odd := n.and(whole, n.not(n.compare("Equal", n.floor(half), half)))
	r := n.op("Exp", nil, n.mul(e, n.op("Log", nil, n.op("Abs", nil, a))))
	signed := n.where(odd, n.op("Neg", nil, r), r)
	r = n.where(n.negative(a), n.where(whole, signed, n.f(float32(math.NaN()))), r)
	unit := n.or(n.compare("Equal", e, n.f(0)), n.compare("Equal", a, n.f(1)))
	r = n.where(unit, n.f(1), r)
	if dt != tensor.Float32 {
		r = n.round(r)
	}
	return n.cast(r, dt)
}

// integerPower multiplies x by itself as often as the known exponents say, at most 64 times.
func (n *node) integerPower(x graph.Ref, exponents []int, shape []int) graph.Ref {
	most := 0
	for _, e := range exponents {
		if e < 0 || e > 64 {
			unsupported("integer exponent %d", e)
		}
		most = max(most, e)
	}
	full, ok := graph.Broadcast(n.shape(x), shape)
	if !ok {
		unsupported("shapes %v and %v", n.shape(x), shape)
	}
	data := make([]int64, len(exponents))
	for i, e := range exponents {
		data[i] = int64(e)
	}
	list := n.constant(tensor.FromInt64(data, shape...))
	y := n.filled(x, 1, full...)
	for i := range most {
		y = n.where(n.compare("Greater", list, n.i(int64(i))), n.mul(y, x), y)
	}
	return y
}

// modulo is x - trunc(x/y)·y for integers, plus y if the signs differ and fmod is not set.
func modulo(n *node) graph.Ref {
	x, y := n.need(0), n.need(1)
	if n.dtype(x) == tensor.Float32 {
		return n.remainder(x, y)
	}
	r := n.sub(x, n.mul(n.div(x, y), y))
	if n.flag("fmod") {
		return r
	}
	zero := n.same(x, 0)
	differ := n.not(n.compare("Equal", n.negative(r), n.negative(y)))
	fix := n.where(n.compare("Equal", r, zero), n.bool(false), differ)
	return n.where(fix, n.add(r, y), r)
}

// prelu multiplies what is below 0 by a slope. Before operator set 7 a list of slopes has one for each channel.
func prelu(n *node) graph.Ref {
	x, slope := n.need(0), n.need(1)
	if s := n.shape(slope); n.l.opset < 7 && len(s) == 1 && s[0] > 1 && len(n.shape(x)) > 2 {
		slope = n.perChannel(slope, len(n.shape(x)), s[0])
	}
	return n.where(n.negative(x), n.mul(slope, x), x)
}
