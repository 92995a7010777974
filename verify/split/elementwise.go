package split

import (
	"math"

	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// rules has the split of every operator of package graph. Each family fills its part.
var rules = func() map[string]func(*plan) stage {
	table := map[string]func(*plan) stage{}
	for _, family := range []map[string]func(*plan) stage{
		elementwiseRules, movementRules, indexingRules, productRules, reduceRules, normalizationRules, lossRules, attentionRules, windowRules,
		windowGradientRules, quantizeRules, treeRules, recurrentRules, rankingRules,
	} {
		for name, rule := range family {
			table[name] = rule
		}
	}
	return table
}()

var elementwiseRules = map[string]func(*plan) stage{
	"Neg": unary(of(kernel.Neg)), "Abs": unary(of(kernel.Abs)), "Sign": unary(sign), "Relu": unary(of(kernel.Relu)),
	"Sqrt": unary(of(kernel.Sqrt)), "Reciprocal": unary(of(kernel.Reciprocal)), "Exp": unary(of(kernel.Exp)), "Log": unary(of(kernel.Log)),
	"Tanh": unary(of(kernel.Tanh)), "Erf": unary(of(kernel.Erf)), "Sigmoid": unary(of(kernel.Sigmoid)),
	"Sin": unary(of(kernel.Sin)), "Cos": unary(of(kernel.Cos)), "Gelu": unary(gelu), "GeluGrad": geluGrad,

	"Add": folding(func(x, y float32) float32 { return x + y }, func(x, y int64) int64 { return x + y }),
	"Sub": folding(func(x, y float32) float32 { return x - y }, func(x, y int64) int64 { return x - y }),
	"Mul": folding(func(x, y float32) float32 { return float32(x * y) }, func(x, y int64) int64 { return x * y }),
	"Div": folding(func(x, y float32) float32 { return x / y }, divide),
	"Max": folding(maximum, func(x, y int64) int64 { return max(x, y) }),
	"Min": folding(minimum, func(x, y int64) int64 { return min(x, y) }),

	"Equal":          comparison(func(x, y float32) bool { return x == y }, func(x, y int64) bool { return x == y }),
	"Greater":        comparison(func(x, y float32) bool { return x > y }, func(x, y int64) bool { return x > y }),
	"Less":           comparison(func(x, y float32) bool { return x < y }, func(x, y int64) bool { return x < y }),
	"GreaterOrEqual": comparison(func(x, y float32) bool { return x >= y }, func(x, y int64) bool { return x >= y }),
	"LessOrEqual":    comparison(func(x, y float32) bool { return x <= y }, func(x, y int64) bool { return x <= y }),
	"Where":          where, "Cast": cast, "Identity": same,
}

// of turns a kernel's function of slices into one of a value.
func of(f func(dst, src []float32)) func(float32) float32 {
	return func(x float32) float32 {
		v := [1]float32{x}
		f(v[:], v[:])
		return v[0]
	}
}

var exp, log, tanh, erf = of(kernel.Exp), of(kernel.Log), of(kernel.Tanh), of(kernel.Erf)

func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func maximum(x, y float32) float32 { return kernel.Max([]float32{x, y}) }
func minimum(x, y float32) float32 { return kernel.Min([]float32{x, y}) }

func sign(x float32) float32 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // zeros and NaN
}

const (
	sqrtHalf   = 0x1.6a09e6p-1 // 1/√2 as a float32
	invSqrt2Pi = 0x1.988454p-2 // 1/√(2π) as a float32
)

func onePlusErf(x float32) float32 { return erf(float32(x*sqrtHalf)) + 1 }

func gelu(x float32) float32 { return float32(float32(x*0.5) * onePlusErf(x)) }

// same reads the element of the same number.
func same(p *plan) stage {
	return once(func(a Acc, in *inputs) { a.doneBits(in.bits(0, p.element)) })
}

func unary(f func(float32) float32) func(*plan) stage {
	return func(p *plan) stage {
		return once(func(a Acc, in *inputs) { a.done(f(in.float(0, p.element))) })
	}
}

// geluGrad is dy·(0.5·(1 + erf(x/√2)) + (x/√2π)·exp(-x²/2)), each operation rounded once.
func geluGrad(p *plan) stage {
	return once(func(a Acc, in *inputs) {
		dy, x := in.float(0, p.element), in.float(1, p.element)
		cdf := float32(onePlusErf(x) * 0.5)
		density := float32(float32(x*invSqrt2Pi) * exp(float32(float32(x*-0.5)*x)))
		a.done(float32(dy * float32(cdf+density)))
	})
}

// folding applies an operation from left to right over all inputs, one in a micro-operation.
func folding(floats func(x, y float32) float32, ints func(x, y int64) int64) func(*plan) stage {
	return func(p *plan) stage {
		at := p.index()
		element := func(i int, in *inputs) uint64 { return in.bits(i, broadcast(p.In[i].Shape, at)) }
		apply := func(a Acc, v uint64) {
			if p.Out[0].DType == tensor.Int64 {
				a.doneBits(uint64(ints(int64(a.Result()), int64(v))))
				return
			}
			a.done(floats(a.float(0), math.Float32frombits(uint32(v))))
		}
		return stage{max(1, len(p.In)-1), func(op int, a Acc, in *inputs) {
			if op == 0 {
				a.doneBits(element(0, in))
			}
			if op+1 < len(p.In) {
				apply(a, element(op+1, in))
			}
		}}
	}
}

// divide rounds towards zero; division by zero gives zero.
func divide(x, y int64) int64 {
	if y == 0 {
		return 0
	}
	return x / y
}

func comparison(floats func(x, y float32) bool, ints func(x, y int64) bool) func(*plan) stage {
	return func(p *plan) stage {
		at := p.index()
		return once(func(a Acc, in *inputs) {
			i, j := broadcast(p.In[0].Shape, at), broadcast(p.In[1].Shape, at)
			holds := false
			if p.In[0].DType == tensor.Int64 {
				holds = ints(in.int(0, i), in.int(1, j))
			} else {
				holds = floats(in.float(0, i), in.float(1, j))
			}
			a.doneBits(bit(holds))
		})
	}
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func where(p *plan) stage {
	at := p.index()
	return once(func(a Acc, in *inputs) {
		from := 2
		if in.bits(0, broadcast(p.In[0].Shape, at)) != 0 {
			from = 1
		}
		a.doneBits(in.bits(from, broadcast(p.In[from].Shape, at)))
	})
}

// cast truncates a float and saturates, NaN giving 0; an integer becomes a float by one rounding and keeps its low bits in a
// narrower integer; to bool is != 0.
func cast(p *plan) stage {
	return once(func(a Acc, in *inputs) {
		v := in.bits(0, p.element)
		from, to := p.In[0].DType, p.Out[0].DType
		switch {
		case from == to:
			a.doneBits(v)
		case from == tensor.Float32:
			a.doneBits(uint64(truncate(math.Float32frombits(uint32(v)), to)))
		case to == tensor.Float32:
			a.done(float32(int64(v)))
		default:
			a.doneBits(uint64(narrow(int64(v), to)))
		}
	})
}

func truncate(x float32, to tensor.DType) int64 {
	limits := map[tensor.DType][2]int64{
		tensor.Uint8: {0, math.MaxUint8}, tensor.Int8: {math.MinInt8, math.MaxInt8},
		tensor.Int32: {math.MinInt32, math.MaxInt32}, tensor.Int64: {math.MinInt64, math.MaxInt64},
	}
	l := limits[to]
	switch {
	case to == tensor.Bool:
		return int64(bit(x != 0))
	case x != x:
		return 0
	case x <= float32(l[0]):
		return l[0]
	case x >= float32(l[1]):
		return l[1]
	}
	return int64(x)
}

func narrow(v int64, to tensor.DType) int64 {
	switch to {
	case tensor.Uint8:
		return int64(uint8(v))
	case tensor.Int8:
		return int64(int8(v))
	case tensor.Int32:
		return int64(int32(v))
	case tensor.Bool:
		return int64(bit(v != 0))
	}
	return v
}
