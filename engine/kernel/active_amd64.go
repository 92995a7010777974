//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// supported reports whether the processor and the operating system offer what an implementation uses: AVX2 with FMA,
// and for avx512 the foundation (F) alone on top of them.
func supported(i implementation) bool {
	vectors := cpu.X86.HasAVX2 && cpu.X86.HasFMA
	return i == avx2 && vectors || i == avx512 && vectors && cpu.X86.HasAVX512F
}

// Assembly by implementation and operation. Sin and cos have none: they feed tables, not hot loops.
var (
	unaryAssembly = [implementations][unaryOps]func(dst, src *float32, n int){
		avx2: {opExp: expAVX2, opLog: logAVX2, opTanh: tanhAVX2, opErf: erfAVX2, opSigmoid: sigmoidAVX2, opSqrt: sqrtAVX2,
			opReciprocal: reciprocalAVX2, opNeg: negAVX2, opAbs: absAVX2, opRelu: reluAVX2, opSilu: siluAVX2},
		avx512: {opExp: expAVX512, opLog: logAVX512, opTanh: tanhAVX512, opErf: erfAVX512, opSigmoid: sigmoidAVX512, opSqrt: sqrtAVX512,
			opReciprocal: reciprocalAVX512, opNeg: negAVX512, opAbs: absAVX512, opRelu: reluAVX512, opSilu: siluAVX512},
	}
	binaryAssembly = [implementations][binaryOps]func(dst, a, b *float32, n int){
		avx2:   {addAVX2, subAVX2, mulAVX2, divAVX2, maximumAVX2, minimumAVX2, gateAVX2},
		avx512: {addAVX512, subAVX512, mulAVX512, divAVX512, maximumAVX512, minimumAVX512, gateAVX512},
	}
	scalarAssembly = [implementations][binaryOps]func(dst, a *float32, s float32, n int){
		avx2:   {addScalarAVX2, subScalarAVX2, mulScalarAVX2, divScalarAVX2, maximumScalarAVX2, minimumScalarAVX2},
		avx512: {addScalarAVX512, subScalarAVX512, mulScalarAVX512, divScalarAVX512, maximumScalarAVX512, minimumScalarAVX512},
	}
)

// lanesActive has direct calls instead of a table, so that the lanes stay on the stack of the caller.
func lanesActive(kind reduction, lane *[lanes]float32, x, y []float32) {
	if len(x) == 0 {
		return
	}
	switch implementation := current(); {
	case implementation == avx512 && kind == sumLanes:
		sumLanesAVX512(lane, &x[0], len(x))
	case implementation == avx512 && kind == dotLanes:
		dotLanesAVX512(lane, &x[0], &y[0], len(x))
	case implementation == avx2 && kind == sumLanes:
		sumLanesAVX2(lane, &x[0], len(x))
	case implementation == avx2 && kind == dotLanes:
		dotLanesAVX2(lane, &x[0], &y[0], len(x))
	default:
		lanesGeneric(kind, lane, x, y)
	}
}

func extremeLanesActive(op binaryOp, lane *[lanes]float32, x []float32) {
	for len(x) > 0 {
		n := min(len(x), elementCall)
		switch implementation := current(); {
		case implementation == avx512 && op == opMaximum:
			maximumLanesAVX512(lane, &x[0], n)
		case implementation == avx512 && op == opMinimum:
			minimumLanesAVX512(lane, &x[0], n)
		case implementation == avx2 && op == opMaximum:
			maximumLanesAVX2(lane, &x[0], n)
		case implementation == avx2 && op == opMinimum:
			minimumLanesAVX2(lane, &x[0], n)
		default:
			extremeLanesGeneric(op, lane, x[:n])
		}
		x = x[n:]
	}
}

var tilings = [implementations]tiling{
	avx2:   {rows: 6, vectors: 2, lanes: 8, masks: true, tiles: tilesAVX2[:], vector: vectorAVX2},
	avx512: {rows: 14, vectors: 2, lanes: 16, masks: true, tiles: tilesAVX512[:], vector: vectorAVX512},
}

// then does the steps of Then for w columns, at most two vectors, and returns how many it did.
func (t *tiling) then(f *thenTile, w int) (done int) {
	if t.lanes == 16 {
		f.mask[0], f.mask[1] = 1<<min(w, 16)-1, 1<<max(w-16, 0)-1
		thenAVX512(f)
		return w
	}
	if w == 2*t.lanes {
		thenAVX2(f)
		return w
	}
	for l := range f.mask {
		f.mask[l] = 0
		if l < w {
			f.mask[l] = 1<<32 - 1
		}
	}
	thenMaskedAVX2(f)
	return w
}

var convTilings = [implementations]convTiling{
	avx2:   {rows: 6, vectors: 2, lanes: 8, tiles: convTilesAVX2[:], pack: packPatchesAVX2, panels: packPanelsAVX2, depthwise: depthwiseAVX2, pixels: pixelTilesAVX2[:], maxPixels: maxPixelsAVX2},
	avx512: {rows: 14, vectors: 2, lanes: 16, tiles: convTilesAVX512[:], pack: packPatchesAVX512, panels: packPanelsAVX512, depthwise: depthwiseAVX512, pixels: pixelTilesAVX512[:], copy: copyPixelsAVX512, maxPixels: maxPixelsAVX512},
}
