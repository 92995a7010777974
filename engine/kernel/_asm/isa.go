package main

import "fmt"

// isa is an instruction set: its vectors, and the names of operations that differ.
type isa struct {
	name      string // suffix of the functions
	lanes     int    // float32 per vector
	prefix    string // of a vector register
	registers int    // vector registers free for a program
	mask      string // register that holds the mask of a tail
	logic     string // suffix of the bitwise operations
	kMasks    bool   // comparisons give mask registers K1 to K6
}

var isas = []isa{
	{name: "AVX2", lanes: 8, prefix: "Y", registers: 15, mask: "Y15"},
	{name: "AVX512", lanes: 16, prefix: "Z", registers: 32, mask: "K7", logic: "D", kMasks: true},
}

func (s isa) bytes() int       { return 4 * s.lanes }
func (s isa) reg(i int) string { return fmt.Sprintf("%s%d", s.prefix, i) }

// load and store move one vector, or the lanes of the mask if tail is set.
func (s isa) load(f *file, address, reg string, tail bool) {
	switch {
	case !tail:
		f.p("VMOVUPS %s, %s", address, reg)
	case s.kMasks:
		f.p("VMOVUPS.Z %s, %s, %s", address, s.mask, reg)
	default:
		f.p("VMASKMOVPS %s, %s, %s", address, s.mask, reg)
	}
}

func (s isa) store(f *file, reg, address string, tail bool) {
	switch {
	case !tail:
		f.p("VMOVUPS %s, %s", reg, address)
	case s.kMasks:
		f.p("VMOVUPS %s, %s, %s", reg, s.mask, address)
	default:
		f.p("VMASKMOVPS %s, %s, %s", reg, s.mask, address)
	}
}

// tailMask makes the mask of the first CX lanes (0 < CX < lanes). It changes AX and CX.
func (s isa) tailMask(f *file) {
	if s.kMasks {
		f.p("MOVL $1, AX")
		f.p("SHLL CX, AX")
		f.p("DECL AX")
		f.p("KMOVW AX, %s", s.mask)
		return
	}
	f.masks = true
	f.p("LEAQ masks<>(SB), AX")
	f.p("NEGQ CX")
	f.p("VMOVDQU 32(AX)(CX*4), %s", s.mask)
}

func (s isa) zero(f *file, reg string) {
	f.p("VPXOR%s %s, %s, %s", s.logic, reg, reg, reg)
}
