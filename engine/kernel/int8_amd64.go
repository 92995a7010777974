//go:build !purego

package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/cpu"
)

var (
	int8VNNI = tilingInt8{rows: 14, cols: 32, wide: 1, offset: true, pack: packOffset, tiles: tilesInt8VNNI[:]}
	int8AVX2 = tilingInt8{rows: 3, cols: 16, wide: 2, pack: packWide, tiles: tilesInt8AVX2[:]}
)

func currentInt8() *tilingInt8 {
	if current() == avx512 && cpu.X86.HasAVX512VNNI {
		return &int8VNNI
	}
	return &int8AVX2
}

// packWide packs elements as words of 16 bits.
func packWide(dst []byte, src []int8) {
	whole := len(src) &^ 31
	if whole > 0 {
		widenBytesAVX2(&dst[0], &src[0], whole)
	}
	for l := whole; l < len(src); l++ {
		binary.LittleEndian.PutUint16(dst[2*l:], uint16(src[l]))
	}
}

// packOffset packs elements as bytes without sign, 128 greater.
func packOffset(dst []byte, src []int8) {
	whole := len(src) &^ 31
	if whole > 0 {
		offsetBytesAVX512(&dst[0], &src[0], whole)
	}
	for l := whole; l < len(src); l++ {
		dst[l] = byte(src[l]) ^ 0x80
	}
}
