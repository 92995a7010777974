package exec

import (
	"math"

	"github.com/mutirao/mutirao/engine/tensor"
)

// selectionOps compare, select and convert.
var selectionOps = map[string]operation{
	"Equal":          comparison(equalRow[float32], equalRow[int64], false),
	"Greater":        comparison(greaterRow[float32], greaterRow[int64], false),
	"Less":           comparison(greaterRow[float32], greaterRow[int64], true),
	"GreaterOrEqual": comparison(atLeastRow[float32], atLeastRow[int64], false),
	"LessOrEqual":    comparison(atLeastRow[float32], atLeastRow[int64], true),
	"Where":          {emitWhere, []int{1, 2}},
	"Cast":           {emitCast, nil},
}

type ordered interface{ float32 | int64 }

// compareRow sets out[i] to whether a and b compare, where a and b are read at every aStep-th and bStep-th element. Every
// comparison with NaN is false.
type compareRow[T ordered] func(out []bool, a []T, aStep int, b []T, bStep int)

func equalRow[T ordered](out []bool, a []T, aStep int, b []T, bStep int) {
	for i := range out {
		out[i] = a[i*aStep] == b[i*bStep]
	}
}

func greaterRow[T ordered](out []bool, a []T, aStep int, b []T, bStep int) {
	for i := range out {
		out[i] = a[i*aStep] > b[i*bStep]
	}
}

func atLeastRow[T ordered](out []bool, a []T, aStep int, b []T, bStep int) {
	for i := range out {
		out[i] = a[i*aStep] >= b[i*bStep]
	}
}

// comparison compares floats or integers. With exchanged, the second input is the left side: a < b is b > a.
func comparison(floats compareRow[float32], ints compareRow[int64], exchanged bool) operation {
	return operation{func(_ *compiler, in *instruction) func(*Program) error {
		a, b := 0, 1
		if exchanged {
			a, b = b, a
		}
		l := elementLoop(in.call.Out[0].Shape, in.call.In[a].Shape, in.call.In[b].Shape)
		if in.call.In[0].DType == tensor.Int64 {
			return compare(l, in.in[a], in.in[b], in.out[0], ints)
		}
		return compare(l, in.in[a], in.in[b], in.out[0], floats)
	}, nil}
}

func compare[T ordered](l *loop, a, b, y int, row compareRow[T]) func(*Program) error {
	return func(p *Program) error {
		as, bs, out := tensor.Data[T](p.values[a]), tensor.Data[T](p.values[b]), p.values[y].Bool()
		l.all(func(at offsets) {
			row(out[at[0]:at[0]+l.inner], as[at[1]:], l.step[1], bs[at[2]:], l.step[2])
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

// whereFloat is where for float32, the common case: one condition for a whole row copies a row.
func whereFloat(l *loop, in *instruction) func(*Program) error {
	cond, x, y, out := in.in[0], in.in[1], in.in[2], in.out[0]
	return func(p *Program) error {
		c, xs, ys, dst := p.values[cond].Bool(), p.f32[x], p.f32[y], p.f32[out]
		l.all(func(at offsets) {
			row := dst[at[0] : at[0]+l.inner]
			switch {
			case l.step[1] != 0:
				selectRow(row, c[at[1]:at[1]+l.inner], xs[at[2]:], l.step[2], ys[at[3]:], l.step[3])
			case c[at[1]]:
				spread(row, xs[at[2]:], l.step[2])
			default:
				spread(row, ys[at[3]:], l.step[3])
			}
		})
		return nil
	}
}

// selectRow sets out[i] to x or y as c[i] says, where x and y are read at every xStep-th and yStep-th element. It selects among
// bits with a mask, because a branch on data stalls where it is mispredicted.
func selectRow(out []float32, c []bool, x []float32, xStep int, y []float32, yStep int) {
	for i, first := range c {
		bit := uint32(0)
		if first {
			bit = 1
		}
		a, b := math.Float32bits(x[i*xStep]), math.Float32bits(y[i*yStep])
		out[i] = math.Float32frombits(b ^ (a^b)&-bit)
	}
}

// spread copies x, or its first element everywhere if step is 0.
func spread(out, x []float32, step int) {
	if step != 0 {
		copy(out, x)
		return
	}
	for i := range out {
		out[i] = x[0]
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
