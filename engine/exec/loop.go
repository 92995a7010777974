package exec

// maxOperands is the number of operands that one loop can walk: an output and the inputs of Where.
const maxOperands = 4

// loop walks several arrays over one index space whose last dimension is the inner one. Dimensions that all operands can
// walk as one are one, so equal shapes, a scalar or a row against a matrix become one or two dimensions.
type loop struct {
	outer   []int              // dimensions but the last
	inner   int                // the last dimension
	rows    int                // product of outer
	strides [maxOperands][]int // of the outer dimensions
	step    [maxOperands]int   // of the inner dimension
}

// offsets are where in each operand a row begins.
type offsets [maxOperands]int

// newLoop makes a loop over dims, in which operand i has the given strides.
func newLoop(dims []int, strides ...[]int) *loop {
	var d []int // collapsed dimensions, from the last to the first
	var s [maxOperands][]int
	for axis := len(dims) - 1; axis >= 0; axis-- {
		if dims[axis] == 1 {
			continue
		}
		merge := len(d) > 0
		for i := range strides {
			if merge && strides[i][axis] != s[i][len(d)-1]*d[len(d)-1] {
				merge = false
			}
		}
		if merge {
			d[len(d)-1] *= dims[axis]
			continue
		}
		d = append(d, dims[axis])
		for i := range strides {
			s[i] = append(s[i], strides[i][axis])
		}
	}
	l := &loop{inner: 1, rows: 1}
	for i := range strides {
		l.step[i] = 1
	}
	if len(d) == 0 {
		return l
	}
	l.inner = d[0]
	for i := range strides {
		l.step[i] = s[i][0]
	}
	for j := len(d) - 1; j > 0; j-- {
		l.outer = append(l.outer, d[j])
		l.rows *= d[j]
		for i := range strides {
			l.strides[i] = append(l.strides[i], s[i][j])
		}
	}
	return l
}

// elementLoop is a loop over an output shape and inputs that broadcast to it.
func elementLoop(out []int, in ...[]int) *loop {
	strides := [][]int{contiguous(out)}
	for _, shape := range in {
		strides = append(strides, broadcastStrides(shape, out))
	}
	return newLoop(out, strides...)
}

// each calls f for the rows from lo to hi.
func (l *loop) each(lo, hi int, f func(at offsets)) {
	if lo >= hi {
		return
	}
	var at offsets
	var index [16]int // position in outer; graph.MaxRank is 8
	rest := lo
	for j := len(l.outer) - 1; j >= 0; j-- {
		index[j] = rest % l.outer[j]
		rest /= l.outer[j]
		for i := range at {
			if l.strides[i] != nil {
				at[i] += index[j] * l.strides[i][j]
			}
		}
	}
	for {
		f(at)
		if lo++; lo == hi {
			return
		}
		for j := len(l.outer) - 1; ; j-- {
			index[j]++
			wrap := index[j] == l.outer[j]
			for i := range at {
				if l.strides[i] == nil {
					break
				}
				at[i] += l.strides[i][j]
				if wrap {
					at[i] -= l.outer[j] * l.strides[i][j]
				}
			}
			if !wrap {
				break
			}
			index[j] = 0
		}
	}
}

// all calls f for all rows, on several goroutines if there is enough to do: f must not depend on the order of rows.
func (l *loop) all(f func(at offsets)) {
	parallel(l.rows, l.grain(), func(lo, hi int) { l.each(lo, hi, f) })
}

// grain is how many rows are worth a goroutine.
func (l *loop) grain() int { return max(1, elementGrain/l.inner) }

// contiguous are the strides of a row-major array.
func contiguous(shape []int) []int {
	strides := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = n
		n *= shape[i]
	}
	return strides
}

// broadcastStrides are the strides, over out, of a row-major array of a shape that broadcasts to it.
func broadcastStrides(shape, out []int) []int {
	strides := make([]int, len(out))
	skip := len(out) - len(shape)
	for i, s := range contiguous(shape) {
		if shape[i] != 1 {
			strides[skip+i] = s
		}
	}
	return strides
}
