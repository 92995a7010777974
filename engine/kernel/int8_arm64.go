//go:build !purego

package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

var (
	int8Dot  = tilingInt8{rows: 6, cols: 16, wide: 1, pack: packBytes, tiles: tilesInt8Dot[:]}
	int8NEON = tilingInt8{rows: 3, cols: 16, wide: 1, pack: packBytes, tiles: tilesInt8NEON[:]}
)

// dotProducts says that the processor adds four products of bytes at once: an extension of Armv8.2.
var dotProducts = cpu.ARM64.HasASIMDDP

func currentInt8() *tilingInt8 {
	if dotProducts {
		return &int8Dot
	}
	return &int8NEON
}

// packBytes packs elements as they are.
func packBytes(dst []byte, src []int8) {
	copy(dst, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(src))), len(src)))
}
