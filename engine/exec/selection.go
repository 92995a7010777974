package exec

import (
	"math"

	"github.com/mutirao/mutirao/engine/tensor"
)

// selectionOps compare, select and convert.
var selectionOps = map[string]operation{
	"Equal":          comparison(equal[float32], equal[int64]),
	"Greater":        comparison(greater[float32], greater[int64]),
	"Less":           comparison(less[float32], less[int64]),
	"GreaterOrEqual": comparison(greaterOrEqual[float32], greaterOrEqual[int64]),
	"LessOrEqual":    comparison(lessOrEqual[float32], lessOrEqual[int64]),
	"Where":          {emitWhere, []int{1, 2}},
	"Cast":           {emitCast, nil},
}

type ordered interface{ float32 | int64 }

// The rules for one pair. Every comparison with NaN is false.
func equal[T ordered](a, b T) bool          { return a == b }
func greater[T ordered](a, b T) bool        { return a > b }
func less[T ordered](a, b T) bool           { return a < b }
func greaterOrEqual[T ordered](a, b T) bool { return a >= b }
func lessOrEqual[T ordered](a, b T) bool    { return a <= b }

func comparison(floats func(a, b float32) bool, ints func(a, b int64) bool) operation {
	return operation{func(_ *compiler, in *instruction) func(*Program) error {
		l := elementLoop(in.call.Out[0].Shape, in.call.In[0].Shape, in.call.In[1].Shape)
		if in.call.In[0].DType == tensor.Int64 {
			return compare(l, in, ints)
		}
		return compare(l, in, floats)
	}, nil}
}

func compare[T tensor.Element](l *loop, in *instruction, f func(a, b T) bool) func(*Program) error {
	a, b, y := in.in[0], in.in[1], in.out[0]
	return func(p *Program) error {
		as, bs, out := tensor.Data[T](p.values[a]), tensor.Data[T](p.values[b]), p.values[y].Bool()
		l.all(func(at offsets) {
			i, j := at[1], at[2]
			for k := range l.inner {
				out[at[0]+k] = f(as[i], bs[j])
				i += l.step[1]
				j += l.step[2]
			}
		})
		return nil
	}
}

func emitWhere(_ *compiler, in *instruction) func(*Program) error {
	l := elementLoop(in.call.Out[0].Shape, in.call.In[0].Shape, in.call.In[1].Shape, in.call.In[2].Shape)
	switch in.call.Out[0].DType {
	case tensor.Float32:
		return whereFloat(l, in)
	case tensor.Uint8:
		return where[uint8](l, in)
	case tensor.Int8:
		return where[int8](l, in)
	case tensor.Int32:
		return where[int32](l, in)
	case tensor.Int64:
		return where[int64](l, in)
	}
	return where[bool](l, in)
}

func where[T tensor.Element](l *loop, in *instruction) func(*Program) error {
	cond, x, y, out := in.in[0], in.in[1], in.in[2], in.out[0]
	return func(p *Program) error {
		c, xs, ys, dst := p.values[cond].Bool(), tensor.Data[T](p.values[x]), tensor.Data[T](p.values[y]), tensor.Data[T](p.values[out])
		l.all(func(at offsets) {
			i, j, k := at[1], at[2], at[3]
			for n := range l.inner {
				v := ys[k]
				if c[i] {
					v = xs[j]
				}
				dst[at[0]+n] = v
				i, j, k = i+l.step[1], j+l.step[2], k+l.step[3]
			}
		})
		return nil
	}
}

// whereFloat selects among bits, which compiles to a conditional move: masks are unpredictable, so a branch would stall.
func whereFloat(l *loop, in *instruction) func(*Program) error {
	cond, x, y, out := in.in[0], in.in[1], in.in[2], in.out[0]
	return func(p *Program) error {
		c, xs, ys, dst := p.values[cond].Bool(), p.f32[x], p.f32[y], p.f32[out]
		l.all(func(at offsets) {
			i, j, k := at[1], at[2], at[3]
			for n := range l.inner {
				v, other := math.Float32bits(ys[k]), math.Float32bits(xs[j])
				if c[i] {
					v = other
				}
				dst[at[0]+n] = math.Float32frombits(v)
				i, j, k = i+l.step[1], j+l.step[2], k+l.step[3]
			}
		})
		return nil
	}
}

// emitCast converts. Float to integer truncates, saturates and makes NaN 0; integer to float rounds once; integer to integer
// keeps the low bits; to bool is != 0.
func emitCast(_ *compiler, in *instruction) func(*Program) error {
	switch in.call.In[0].DType {
	case tensor.Float32:
		return castFloat(in)
	case tensor.Uint8:
		return castInt(in, func(v uint8) int64 { return int64(v) })
	case tensor.Int8:
		return castInt(in, func(v int8) int64 { return int64(v) })
	case tensor.Int32:
		return castInt(in, func(v int32) int64 { return int64(v) })
	case tensor.Int64:
		return castInt(in, func(v int64) int64 { return v })
	}
	return castInt(in, func(v bool) int64 {
		if v {
			return 1
		}
		return 0
	})
}

func castFloat(in *instruction) func(*Program) error {
	switch in.call.Out[0].DType {
	case tensor.Uint8:
		return convert(in, func(v float32) uint8 { return uint8(truncate(v, 0, math.MaxUint8)) })
	case tensor.Int8:
		return convert(in, func(v float32) int8 { return int8(truncate(v, math.MinInt8, math.MaxInt8)) })
	case tensor.Int32:
		return convert(in, func(v float32) int32 { return int32(truncate(v, math.MinInt32, math.MaxInt32)) })
	case tensor.Int64:
		return convert(in, func(v float32) int64 { return truncate(v, math.MinInt64, math.MaxInt64) })
	}
	return convert(in, func(v float32) bool { return v != 0 })
}

// truncate rounds towards zero and saturates to [lo, hi]; NaN becomes 0. The comparison comes before the conversion because
// Go leaves the conversion of a value out of range to the processor.
func truncate(v float32, lo, hi int64) int64 {
	switch {
	case v != v:
		return 0
	case v <= float32(lo):
		return lo
	case v >= float32(hi):
		return hi
	}
	return int64(v)
}

func castInt[T tensor.Element](in *instruction, widen func(T) int64) func(*Program) error {
	switch in.call.Out[0].DType {
	case tensor.Float32:
		return convert(in, func(v T) float32 { return float32(widen(v)) })
	case tensor.Uint8:
		return convert(in, func(v T) uint8 { return uint8(widen(v)) })
	case tensor.Int8:
		return convert(in, func(v T) int8 { return int8(widen(v)) })
	case tensor.Int32:
		return convert(in, func(v T) int32 { return int32(widen(v)) })
	case tensor.Int64:
		return convert(in, widen)
	}
	return convert(in, func(v T) bool { return widen(v) != 0 })
}

func convert[From, To tensor.Element](in *instruction, f func(From) To) func(*Program) error {
	x, y := in.in[0], in.out[0]
	return func(p *Program) error {
		src, dst := tensor.Data[From](p.values[x]), tensor.Data[To](p.values[y])
		for i, v := range src {
			dst[i] = f(v)
		}
		return nil
	}
}
