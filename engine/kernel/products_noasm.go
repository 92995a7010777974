//go:build !amd64 || purego

package kernel

func (p *product) run()     { p.runPortable() }
func (p *productInt8) run() { p.runPortable() }

func packTransposed(panel, b []float32, k, width int) bool { return false }

func relax() {}

func quantizeActive(dst []byte, src []float32, scale float32, zero, low, high int32) int { return 0 }
