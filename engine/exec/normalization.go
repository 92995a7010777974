package exec

import (
	"math"
	"sync"

	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var normalizationOps = map[string]operation{
	"Softmax":                {emitSoftmax(kernel.Softmax), nil},
	"LogSoftmax":             {emitSoftmax(logSoftmax), nil},
	"LayerNormalization":     {emitNorm(layerNorm), []int{0}},
	"RMSNormalization":       {emitNorm(rmsNorm), []int{0}},
	"LayerNormalizationGrad": {emitNormGrad(layerNormalize), nil},
	"RMSNormalizationGrad":   {emitNormGrad(rmsNormalize), nil},
}

// emitSoftmax runs f over the last axis. Another axis is moved there and back.
func emitSoftmax(f func(dst, src []float32, rows, cols int)) func(*compiler, *instruction) func(*Program) error {
	return func(c *compiler, in *instruction) func(*Program) error {
		shape, axis := in.call.In[0].Shape, in.call.Axis()
		total, cols := in.call.In[0].Len(), shape[axis]
		x, y := in.in[0], in.out[0]
		if _, inner, _ := around(shape, []int{axis}); inner == 1 {
			return func(p *Program) error {
				f(p.f32[y], p.f32[x], total/cols, cols)
				return nil
			}
		}
		c.scratch(total)
		there := lastAxes(shape, []int{axis})
		back := *there
		back.strides[0], back.strides[1] = there.strides[1], there.strides[0]
		back.step[0], back.step[1] = there.step[1], there.step[0]
		return func(p *Program) error {
			moved := tensor.FromFloat32(p.scratch[:total], total)
			copyElements[float32](moved, p.values[x], there, 0, 0)
			f(moved.Float32(), moved.Float32(), total/cols, cols)
			copyElements[float32](p.values[y], moved, &back, 0, 0)
			return nil
		}
	}
}

// logSoftmax sets each row to d - log(Σ e^d), d = x - max. dst may be src. Source: ONNX LogSoftmax-13.
func logSoftmax(dst, src []float32, rows, cols int) {
	if grain := max(1, elementGrain/(8*cols)); !serial(rows, grain) {
		parallel(rows, grain, func(lo, hi int) { logSoftmaxRows(dst, src, lo, hi, cols) })
		return
	}
	logSoftmaxRows(dst, src, 0, rows, cols)
}

func logSoftmaxRows(dst, src []float32, lo, hi, cols int) {
	buffer := rowBuffers.Get().(*rowBuffer)
	defer rowBuffers.Put(buffer)
	e := buffer.of(cols)
	for r := lo; r < hi; r++ {
		y := dst[r*cols : (r+1)*cols]
		x := src[r*cols : (r+1)*cols]
		kernel.SubScalar(y, x, kernel.Max(x))
		kernel.Exp(e, y)
		e[0] = kernel.Sum(e)
		kernel.Log(e[:1], e[:1])
		kernel.SubScalar(y, y, e[0])
	}
}

// rowBuffer holds a row of intermediate results of one goroutine; kept between calls.
type rowBuffer struct{ x []float32 }

var rowBuffers = sync.Pool{New: func() any { return new(rowBuffer) }}

// of returns n elements of any contents.
func (b *rowBuffer) of(n int) []float32 {
	if n > cap(b.x) {
		b.x = make([]float32, n)
	}
	return b.x[:n]
}

// layerNormalize sets y = (x - mean)/std for one row and returns std = √(variance + epsilon) (spec/numerics.md §8).
func layerNormalize(y, x []float32, epsilon float32) float32 {
	n := float32(len(x))
	kernel.SubScalar(y, x, kernel.Sum(x)/n)
	return rmsNormalize(y, y, epsilon)
}

// rmsNormalize sets y = x/rms for one row and returns rms = √(Σx²/n + epsilon). y may be x.
func rmsNormalize(y, x []float32, epsilon float32) float32 {
	mean := kernel.SumSquares(x) / float32(len(x))
	root := float32(math.Sqrt(float64(mean + epsilon)))
	kernel.DivScalar(y, x, root)
	return root
}

func layerNorm(y, x []float32, epsilon float32) { layerNormalize(y, x, epsilon) }
func rmsNorm(y, x []float32, epsilon float32)   { rmsNormalize(y, x, epsilon) }

// emitNorm normalises rows, then multiplies by the scale and adds the bias if there is one.
func emitNorm(normalize func(y, x []float32, epsilon float32)) func(*compiler, *instruction) func(*Program) error {
	return func(_ *compiler, in *instruction) func(*Program) error {
		n, epsilon := in.call.In[1].Len(), in.call.Float("epsilon")
		x, scale, y := in.in[0], in.in[1], in.out[0]
		bias := -1
		if in.call.Has(2) {
			bias = in.in[2]
		}
		rows := in.call.In[0].Len() / n
		some := func(p *Program, lo, hi int) {
			xs, ys, s := p.f32[x], p.f32[y], p.f32[scale]
			for r := lo; r < hi; r++ {
				row := ys[r*n : (r+1)*n]
				normalize(row, xs[r*n:(r+1)*n], epsilon)
				kernel.Mul(row, row, s)
				if bias >= 0 {
					kernel.Add(row, row, p.f32[bias])
				}
			}
		}
		return overRows(rows, max(1, elementGrain/n), some)
	}
}

// emitNormGrad differentiates a normalisation y = h·scale (+ bias) with h = (x - mean)/std or x/rms. With g = dy·scale:
//
//	dx = ((g - Σg/n) - h·(Σg·h/n)) / std        (RMS: without the mean of g)
//	dscale = Σ over rows of dy·h, dbias = Σ over rows of dy
func emitNormGrad(normalize func(y, x []float32, epsilon float32) float32) func(*compiler, *instruction) func(*Program) error {
	return func(c *compiler, in *instruction) func(*Program) error {
		n, epsilon := in.call.In[2].Len(), in.call.Float("epsilon")
		total := in.call.In[1].Len()
		rows := total / n
		dy, x, scale, dx, dscale := in.in[0], in.in[1], in.in[2], in.out[0], in.out[1]
		dbias := -1
		if len(in.out) == 3 {
			dbias = in.out[2]
		}
		sum := columnSum(c, rows, n, total)
		some := func(p *Program, lo, hi int) {
			dys, xs, dxs, s, products := p.f32[dy], p.f32[x], p.f32[dx], p.f32[scale], p.scratch[:total]
			buffer := rowBuffers.Get().(*rowBuffer)
			defer rowBuffers.Put(buffer)
			g := buffer.of(n)
			for r := lo; r < hi; r++ {
				h, d, out := products[r*n:(r+1)*n], dys[r*n:(r+1)*n], dxs[r*n:(r+1)*n]
				root := normalize(h, xs[r*n:(r+1)*n], epsilon)
				kernel.Mul(g, d, s)
				along := kernel.Dot(g, h) / float32(n)
				if dbias >= 0 {
					kernel.SubScalar(g, g, kernel.Sum(g)/float32(n))
				}
				kernel.MulScalar(out, h, along)
				kernel.Sub(out, g, out)
				kernel.DivScalar(out, out, root)
				kernel.Mul(h, d, h)
			}
		}
		gradients := overRows(rows, max(1, elementGrain/(4*n)), some)
		return func(p *Program) error {
			if err := gradients(p); err != nil {
				return err
			}
			sum(p.f32[dscale], p.scratch[:total], p.scratch[total:])
			if dbias >= 0 {
				sum(p.f32[dbias], p.f32[dy], p.scratch[total:])
			}
			return nil
		}
	}
}

// overRows runs f for ranges that cover all rows, at least grain of them at a time.
func overRows(rows, grain int, f func(p *Program, lo, hi int)) func(*Program) error {
	return func(p *Program) error {
		if serial(rows, grain) {
			f(p, 0, rows)
			return nil
		}
		parallel(rows, grain, func(lo, hi int) { f(p, lo, hi) })
		return nil
	}
}

// columnSum sums the columns of a [rows, cols] matrix as spec/numerics.md §4 says, with scratch from the given offset on.
func columnSum(c *compiler, rows, cols, offset int) func(dst, x, scratch []float32) {
	if rows <= chunk {
		c.scratch(offset + lanesUsed(rows)*cols)
		return func(dst, x, scratch []float32) { sumColumns(dst, x, scratch, rows, cols) }
	}
	c.scratch(offset + rows)
	return func(dst, x, scratch []float32) {
		column := scratch[:rows]
		for j := range dst {
			for i := range column {
				column[i] = x[i*cols+j]
			}
			dst[j] = kernel.Sum(column)
		}
	}
}
