package kernel

import (
	"syscall"
	"unsafe"
)

// hugePages asks the system to hold x in large pages, of which a product that streams through it needs fewer translations.
// It is a wish: nothing depends on its being granted.
func hugePages(x []float32) {
	const page = 2 << 20
	first := uintptr(unsafe.Pointer(unsafe.SliceData(x)))
	skip := (page - first%page) % page
	if whole := (uintptr(len(x))*4 - min(skip, uintptr(len(x))*4)) / page * page; whole > 0 {
		_ = syscall.Madvise(unsafe.Slice((*byte)(unsafe.Pointer(&x[skip/4])), whole), syscall.MADV_HUGEPAGE)
	}
}
