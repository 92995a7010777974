//go:build !amd64 || purego

package kernel

func canScore() bool { return false }

func scoreTreeActive([]uint64, []float32, []scoreNode, int, int) {}
