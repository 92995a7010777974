//go:build (!amd64 && !arm64) || purego

package kernel

// nearWindow is not used without assembly.
type nearWindow struct{}
