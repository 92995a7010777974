package exec

import (
	"slices"

	"github.com/mutirao/mutirao/engine/kernel"
)

var reduceOps = map[string]operation{
	"ReduceSum":       {emitReduce(reducer{row: kernel.Sum, all: kernel.SumRows, column: sumColumns}), nil},
	"ReduceMean":      {emitReduce(reducer{row: kernel.Sum, all: kernel.SumRows, column: sumColumns, mean: true}), nil},
	"ReduceMax":       {emitReduce(reducer{row: kernel.Max, column: foldColumns(kernel.Maximum)}), nil},
	"ReduceMin":       {emitReduce(reducer{row: kernel.Min, column: foldColumns(kernel.Minimum)}), nil},
	"ReduceSumSquare": {emitReduce(reducer{row: kernel.SumSquares}), nil},
}

const (
	lanes = 32 // of a sum, spec/numerics.md §4
	// chunk is the longest sum with one set of lanes (§4). Longer columns are transposed and left to kernel.Sum.
	chunk = 65536
)

// reducer reduces rows of contiguous elements, and if it can, columns of a matrix without moving them.
type reducer struct {
	row    func(x []float32) float32
	all    func(dst, x []float32)                          // of all rows; nil if there is no faster way than one by one
	column func(dst, x, scratch []float32, rows, cols int) // x is [rows, cols], scratch has lanesUsed(rows)*cols elements
	mean   bool                                            // divide by the number of elements
}

// emitReduce looks at the input as [outer, rows, inner] with the reduced axes in the middle if they are neighbours; else, or if
// there is no columnwise way, the reduced axes are moved to the end first. The reduced index counts in row-major order.
func emitReduce(r reducer) func(*compiler, *instruction) func(*Program) error {
	return func(c *compiler, in *instruction) func(*Program) error {
		shape, axes := in.call.In[0].Shape, in.call.ReducedAxes()
		n := 1
		for _, a := range axes {
			n *= shape[a]
		}
		x, y := in.in[0], in.out[0]
		scale := func([]float32) {}
		if r.mean {
			scale = func(out []float32) { kernel.DivScalar(out, out, float32(n)) }
		}
		outer, inner, neighbours := around(shape, axes)
		if in.to == kernel.ChannelsLast {
			outer, inner, neighbours = shape[0], shape[1], true
		}
		switch {
		case neighbours && inner == 1:
			return func(p *Program) error {
				r.rows(p.f32[y], p.f32[x], n)
				scale(p.f32[y])
				return nil
			}
		case neighbours && r.column != nil && n <= chunk:
			c.scratch(lanesUsed(n) * inner)
			return func(p *Program) error {
				out, data := p.f32[y], p.f32[x]
				for o := range outer {
					r.column(out[o*inner:(o+1)*inner], data[o*n*inner:(o+1)*n*inner], p.scratch, n, inner)
				}
				scale(out)
				return nil
			}
		}
		l := lastAxes(shape, axes)
		total := in.call.In[0].Len()
		c.scratch(total)
		return func(p *Program) error {
			moved := p.scratch[:total]
			copyData(moved, p.f32[x], l, 0, 0)
			r.rows(p.f32[y], moved, n)
			scale(p.f32[y])
			return nil
		}
	}
}

// rows reduces each row of n elements.
func (r reducer) rows(out, x []float32, n int) {
	if len(out) == 1 {
		out[0] = r.row(x)
		return
	}
	if grain := max(1, elementGrain/n); !serial(len(out), grain) {
		parallel(len(out), grain, func(lo, hi int) { r.some(out, x, n, lo, hi) })
		return
	}
	r.some(out, x, n, 0, len(out))
}

// some reduces the rows lo to hi.
func (r reducer) some(out, x []float32, n, lo, hi int) {
	if r.all != nil {
		r.all(out[lo:hi], x[lo*n:hi*n])
		return
	}
	for i := lo; i < hi; i++ {
		out[i] = r.row(x[i*n : (i+1)*n])
	}
}

// around is the number of elements before and after the reduced axes, if those are neighbours (axes of 1 do not separate).
func around(shape, axes []int) (outer, inner int, neighbours bool) {
	outer, inner = 1, 1
	state := 0 // 0 before the reduced axes, 1 among them, 2 after
	for i, d := range shape {
		if d == 1 {
			continue
		}
		switch reduced := slices.Contains(axes, i); {
		case reduced && state == 2:
			return 0, 0, false
		case reduced:
			state = 1
		case state == 0:
			outer *= d
		default:
			state = 2
			inner *= d
		}
	}
	if state == 0 { // only axes of 1 are reduced: rows of one element
		return outer, 1, true
	}
	return outer, inner, true
}

// lastAxes is a loop that copies an array with the given axes moved to the end.
func lastAxes(shape, axes []int) *loop {
	from := contiguous(shape)
	var dims, strides []int
	for _, want := range []bool{false, true} {
		for i, d := range shape {
			if slices.Contains(axes, i) == want {
				dims, strides = append(dims, d), append(strides, from[i])
			}
		}
	}
	return newLoop(dims, contiguous(dims), strides)
}

// sumColumns sets dst[j] to the sum of column j in the order of kernel.Sum, for at most 65536 rows: lane l of all columns is a
// row of scratch, so that whole blocks of rows are added at a time and the columns stay independent. Lanes that a short column
// leaves at +0 are not kept: a sum from +0 is never -0, so adding them changes nothing.
func sumColumns(dst, x, scratch []float32, rows, cols int) {
	used := lanesUsed(rows)
	width := used * cols
	lane := scratch[:width]
	clear(lane)
	for ; len(x) >= width; x = x[width:] {
		kernel.Add(lane, lane, x[:width])
	}
	kernel.Add(lane[:len(x)], lane[:len(x)], x)
	for h := used / 2; h > 0; h /= 2 {
		kernel.Add(lane[:h*cols], lane[:h*cols], lane[h*cols:2*h*cols])
	}
	copy(dst, lane)
}

// lanesUsed is the number of lanes that matter for a sum of n elements: the next power of two, at most 32.
func lanesUsed(n int) int {
	used := 1
	for used < min(n, lanes) {
		used *= 2
	}
	return used
}

// foldColumns reduces columns with a function that is associative and commutative, so that the order of rows is free.
func foldColumns(f func(dst, a, b []float32)) func(dst, x, scratch []float32, rows, cols int) {
	return func(dst, x, _ []float32, rows, cols int) {
		copy(dst, x[:cols])
		for i := 1; i < rows; i++ {
			f(dst, dst, x[i*cols:(i+1)*cols])
		}
	}
}
