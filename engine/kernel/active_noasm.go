//go:build !(amd64 || arm64) || purego

package kernel

// Without assembly the definitions are the only implementation.

func supported(implementation) bool { return false }

func unaryActive(op unaryOp, dst, src []float32)                    { unaryPortable(op, dst, src) }
func binaryActive(op binaryOp, dst, a, b []float32)                 { binaryPortable(op, dst, a, b) }
func scalarActive(op binaryOp, dst, a []float32, s float32)         { scalarPortable(op, dst, a, s) }
func lanesActive(r reduction, lane *[lanes]float32, x, y []float32) { lanesGeneric(r, lane, x, y) }
func extremeLanesActive(op binaryOp, lane *[lanes]float32, x []float32) {
	extremeLanesGeneric(op, lane, x)
}

func (p *product) run()     { p.runPortable() }
func (p *productInt8) run() { p.runPortable() }

func packTransposed(panel, b []float32, k, width int) bool { return false }

func relax() {}

func quantizeActive(dst []byte, src []float32, scale float32, zero, low, high int32) int { return 0 }
