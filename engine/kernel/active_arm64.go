//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// supported reports whether the processor and the operating system offer what an implementation uses: Advanced SIMD, which every
// processor that Go runs on has.
func supported(i implementation) bool { return i == neon && cpu.ARM64.HasASIMD }

// Assembly by implementation and operation. Sin and cos have none: they feed tables, not hot loops.
var (
	unaryAssembly = [implementations][unaryOps]func(dst, src *float32, n int){
		neon: {opExp: expNEON, opLog: logNEON, opTanh: tanhNEON, opErf: erfNEON, opSigmoid: sigmoidNEON, opSqrt: sqrtNEON,
			opReciprocal: reciprocalNEON, opNeg: negNEON, opAbs: absNEON, opRelu: reluNEON, opSilu: siluNEON},
	}
	binaryAssembly = [implementations][binaryOps]func(dst, a, b *float32, n int){
		neon: {addNEON, subNEON, mulNEON, divNEON, maximumNEON, minimumNEON, gateNEON},
	}
	scalarAssembly = [implementations][binaryOps]func(dst, a *float32, s float32, n int){
		neon: {addScalarNEON, subScalarNEON, mulScalarNEON, divScalarNEON, maximumScalarNEON, minimumScalarNEON},
	}
)

// lanesActive has direct calls instead of a table, so that the lanes stay on the stack of the caller.
func lanesActive(kind reduction, lane *[lanes]float32, x, y []float32) {
	switch {
	case len(x) == 0:
	case current() == portable:
		lanesGeneric(kind, lane, x, y)
	case kind == sumLanes:
		sumLanesNEON(lane, &x[0], len(x))
	default:
		dotLanesNEON(lane, &x[0], &y[0], len(x))
	}
}

func extremeLanesActive(op binaryOp, lane *[lanes]float32, x []float32) {
	if current() == portable {
		extremeLanesGeneric(op, lane, x)
		return
	}
	for len(x) > 0 {
		n := min(len(x), elementCall)
		if op == opMaximum {
			maximumLanesNEON(lane, &x[0], n)
		} else {
			minimumLanesNEON(lane, &x[0], n)
		}
		x = x[n:]
	}
}

var tilings = [implementations]tiling{
	neon: {rows: 6, vectors: 4, lanes: 4, tiles: tilesNEON[:], vector: vectorNEON},
}

// then does the steps of Then for the whole vectors of w columns, and returns how many columns those are.
func (t *tiling) then(f *thenTile, w int) (done int) {
	if f.vectors = w / t.lanes; f.vectors > 0 {
		thenNEON(f)
	}
	return f.vectors * t.lanes
}

var convTilings = [implementations]convTiling{
	neon: {rows: 6, vectors: 4, lanes: 4, tiles: convTilesNEON[:], pack: packPatchesNEON, panels: packPanelsNEON, depthwise: depthwiseNEON},
}
