//go:build !linux

package kernel

// hugePages has no counterpart here.
func hugePages([]float32) {}
