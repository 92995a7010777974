//go:build !purego

package kernel

import (
	"runtime"
	"sync"
)

// poolKernels are the maxima that are written in assembly, for AVX-512.
var poolKernels = []struct {
	side, stride int
	run          func(*planeTile)
	loads        []int
}{
	{2, 2, maximum2Stride2AVX512, []int{0, 16}},
	{3, 1, maximum3Stride1AVX512, []int{0, 1, 2}},
	{3, 2, maximum3Stride2AVX512, []int{0, 16, 32}},
	{5, 1, maximum5Stride1AVX512, []int{0, 1, 2, 3, 4}},
}

// nearMaximum is nil if there is no assembly for the maxima of a window.
func nearMaximum(w *Window) *nearWindow {
	if current() != avx512 || w[0] != (Axis{1, 1, 1, 1, 0, 1}) || w[1].Dilation != 1 || w[2].Dilation != 1 {
		return nil
	}
	for _, k := range poolKernels {
		if w[1].Kernel == k.side && w[2].Kernel == k.side && w[1].Stride == k.stride && w[2].Stride == k.stride {
			return w.near(avx512, k.run, k.loads)
		}
	}
	return nil
}

var planeTiles = sync.Pool{New: func() any { return new(planeTile) }}

// nearby computes the planes of y.
func (p *Pool) nearby(y, x []float32) {
	t := planeTiles.Get().(*planeTile)
	*t = p.near.tile
	t.planes = len(y) / p.out()
	t.start(p.near, &p.Window, y, x)
	p.near.run(t)
	runtime.KeepAlive(y)
	runtime.KeepAlive(x)
	*t = planeTile{}
	planeTiles.Put(t)
}
