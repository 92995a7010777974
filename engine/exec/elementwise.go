package exec

import (
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var elementwiseOps = map[string]operation{
	"Neg": unary(kernel.Neg), "Abs": unary(kernel.Abs), "Sign": unary(sign), "Relu": unary(kernel.Relu),
	"Sqrt": unary(kernel.Sqrt), "Reciprocal": unary(kernel.Reciprocal), "Exp": unary(kernel.Exp), "Log": unary(kernel.Log),
	"Tanh": unary(kernel.Tanh), "Erf": unary(kernel.Erf), "Sigmoid": unary(kernel.Sigmoid), "Silu": unary(kernel.Silu),
	"Sin": unary(kernel.Sin), "Cos": unary(kernel.Cos), "Gelu": unary(gelu),
	"GeluGrad": {emitGeluGrad, []int{0, 1}},

	"Add": arithmetic(addition, addInt, 0, 1), "Sub": arithmetic(subtraction, subInt, 0, 1),
	"Mul": arithmetic(multiplication, mulInt, 0, 1), "Div": arithmetic(division, divInt, 0),
	"Max": {emitFold(maximum, maxInt), []int{0}}, "Min": {emitFold(minimum, minInt), []int{0}},
}

func unary(f func(dst, src []float32)) operation {
	return operation{func(_ *compiler, in *instruction) func(*Program) error {
		x, y := in.in[0], in.out[0]
		return func(p *Program) error {
			f(p.f32[y], p.f32[x])
			return nil
		}
	}, []int{0}}
}

// sign sets dst to 1, -1, or for zeros and NaN to the element itself.
func sign(dst, src []float32) {
	for i, x := range src {
		switch {
		case x > 0:
			x = 1
		case x < 0:
			x = -1
		}
		dst[i] = x
	}
}

// rowwise is an operation on two rows of which either may be a single value for the whole row.
type rowwise struct {
	rows        func(dst, a, b []float32)
	rowScalar   func(dst, a []float32, b float32)
	scalarRow   func(dst []float32, a float32, b []float32)
	commutative bool
}

var (
	addition       = rowwise{kernel.Add, kernel.AddScalar, nil, true}
	subtraction    = rowwise{kernel.Sub, kernel.SubScalar, scalarMinus, false}
	multiplication = rowwise{kernel.Mul, kernel.MulScalar, nil, true}
	division       = rowwise{kernel.Div, kernel.DivScalar, scalarOver, false}
	maximum        = rowwise{kernel.Maximum, kernel.MaximumScalar, nil, true}
	minimum        = rowwise{kernel.Minimum, kernel.MinimumScalar, nil, true}
)

// scalarMinus sets dst = a - b as (-b) + a: negation is exact, so the one rounding is the same.
func scalarMinus(dst []float32, a float32, b []float32) {
	kernel.Neg(dst, b)
	kernel.AddScalar(dst, dst, a)
}

// scalarOver sets dst = a / b. dst must not be b.
func scalarOver(dst []float32, a float32, b []float32) {
	for i := range dst {
		dst[i] = a
	}
	kernel.Div(dst, dst, b)
}

// run applies the operation over a loop of output, a and b.
func (r *rowwise) run(l *loop, dst, a, b []float32) {
	if l.rows == 1 {
		r.row(l, dst, a, b, offsets{})
		return
	}
	if grain := l.grain(); !serial(l.rows, grain) {
		parallel(l.rows, grain, func(lo, hi int) { r.some(l, dst, a, b, lo, hi) })
		return
	}
	r.some(l, dst, a, b, 0, l.rows)
}

// some applies the operation to the rows lo to hi.
func (r *rowwise) some(l *loop, dst, a, b []float32, lo, hi int) {
	l.each(lo, hi, func(at offsets) { r.row(l, dst, a, b, at) })
}

func (r *rowwise) row(l *loop, dst, a, b []float32, at offsets) {
	n := l.inner
	out := dst[at[0] : at[0]+n]
	switch {
	case l.step[1] == 1 && l.step[2] == 1:
		r.rows(out, a[at[1]:at[1]+n], b[at[2]:at[2]+n])
	case l.step[1] == 0 && l.step[2] == 0: // Max and Min, when only a later input has the whole shape
		r.rows(out[:1], a[at[1]:at[1]+1], b[at[2]:at[2]+1])
		for i := range out {
			out[i] = out[0]
		}
	case l.step[2] == 0:
		r.rowScalar(out, a[at[1]:at[1]+n], b[at[2]])
	case r.commutative:
		r.rowScalar(out, b[at[2]:at[2]+n], a[at[1]])
	default:
		r.scalarRow(out, a[at[1]], b[at[2]:at[2]+n])
	}
}

func arithmetic(r rowwise, ints func(a, b int64) int64, overwrites ...int) operation {
	return operation{func(_ *compiler, in *instruction) func(*Program) error {
		if in.call.Out[0].DType == tensor.Int64 {
			return foldInts(in, ints)
		}
		a, b, y := in.in[0], in.in[1], in.out[0]
		l := elementLoop(in.call.Out[0].Shape, in.call.In[0].Shape, in.call.In[1].Shape)
		return func(p *Program) error {
			r.run(l, p.f32[y], p.f32[a], p.f32[b])
			return nil
		}
	}, overwrites}
}

// emitFold applies the operation from left to right over all inputs. Intermediate results are of the output's shape.
func emitFold(r rowwise, ints func(a, b int64) int64) func(*compiler, *instruction) func(*Program) error {
	return func(_ *compiler, in *instruction) func(*Program) error {
		if in.call.Out[0].DType == tensor.Int64 {
			return foldInts(in, ints)
		}
		shape := in.call.Out[0].Shape
		ids, y := in.in, in.out[0]
		loops := []*loop{elementLoop(shape, in.call.In[0].Shape, in.call.In[1].Shape)}
		for _, v := range in.call.In[2:] {
			loops = append(loops, elementLoop(shape, shape, v.Shape))
		}
		return func(p *Program) error {
			r.run(loops[0], p.f32[y], p.f32[ids[0]], p.f32[ids[1]])
			for i, id := range ids[2:] {
				r.run(loops[i+1], p.f32[y], p.f32[y], p.f32[id])
			}
			return nil
		}
	}
}
