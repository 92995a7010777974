//go:build !purego

package kernel

import "testing"

// TestMatMulInt8SameWithoutDot runs the tests of the product as on a processor without products of four at once.
func TestMatMulInt8SameWithoutDot(t *testing.T) {
	before := dotProducts
	defer func() { dotProducts = before }()
	dotProducts = false
	TestMatMulInt8Same(t)
	TestMatMulInt8Limits(t)
}
