package main

import (
	"fmt"
	"strings"
)

// isa is an instruction set: its vectors, and what differs in the writing of a loop.
type isa struct {
	name      string // suffix of the functions
	arch      *arch
	lanes     int    // float32 per vector
	prefix    string // of a vector register
	registers int    // vector registers free for a program
	mask      string // register that holds the mask of a tail, if there are masks
	logic     string // suffix of the bitwise operations of x86
	kMasks    bool   // comparisons give mask registers K1 to K6
}

// arch is a processor architecture: the instructions of loops, which differ in little more than their names.
type arch struct {
	name                string // as GOARCH
	move, add, subtract string // of 64 bits; subtract sets the flags
	jumpLess            string // after subtract: the result is below 0
	jumpNotLess         string
	jumpZero            string
	pointers            []string // registers: where results go, then operands
	count               string   // register of what is left to do
	constantBytes       int      // a constant is stored as often as fills so many
}

var (
	amd64 = &arch{name: "amd64", move: "MOVQ", add: "ADDQ", subtract: "SUBQ", jumpLess: "JLT", jumpNotLess: "JGE", jumpZero: "JEQ",
		pointers: []string{"DI", "SI", "DX"}, count: "CX", constantBytes: 4}
	arm64 = &arch{name: "arm64", move: "MOVD", add: "ADD", subtract: "SUBS", jumpLess: "BLT", jumpNotLess: "BGE", jumpZero: "BEQ",
		pointers: []string{"R0", "R1", "R2"}, count: "R3", constantBytes: 16}
)

var (
	avx2   = isa{name: "AVX2", arch: amd64, lanes: 8, prefix: "Y", registers: 15, mask: "Y15"}
	avx512 = isa{name: "AVX512", arch: amd64, lanes: 16, prefix: "Z", registers: 32, mask: "K7", logic: "D", kMasks: true}
	neon   = isa{name: "NEON", arch: arm64, lanes: 4, prefix: "F", registers: 32}
)

// isas are the instruction sets of an architecture.
func (a *arch) isas() []isa {
	if a == arm64 {
		return []isa{neon}
	}
	return []isa{avx2, avx512}
}

func (s isa) bytes() int       { return 4 * s.lanes }
func (s isa) reg(i int) string { return fmt.Sprintf("%s%d", s.prefix, i) }
func (s isa) isNEON() bool     { return s.arch == arm64 }

// load and store move one vector, or the lanes of the tail if tail is set.
func (s isa) load(f *file, address, reg string, tail bool) {
	switch {
	case s.isNEON() && tail:
		f.loadPart(0, strings.Trim(address, "()"), s.arch.count, reg)
	case s.isNEON():
		f.p("FMOVQ %s, %s", address, reg)
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
	case s.isNEON() && tail:
		f.storePart(reg, 0, strings.Trim(address, "()"), s.arch.count)
	case s.isNEON():
		f.p("FMOVQ %s, %s", reg, address)
	case !tail:
		f.p("VMOVUPS %s, %s", reg, address)
	case s.kMasks:
		f.p("VMOVUPS %s, %s, %s", reg, s.mask, address)
	default:
		f.p("VMASKMOVPS %s, %s, %s", reg, s.mask, address)
	}
}

// tailMask makes the mask of the first count lanes (0 < count < lanes), if there are masks: NEON looks at the count. On x86 it
// changes AX and CX.
func (s isa) tailMask(f *file) {
	switch {
	case s.isNEON():
	case s.kMasks:
		f.p("MOVL $1, AX")
		f.p("SHLL CX, AX")
		f.p("DECL AX")
		f.p("KMOVW AX, %s", s.mask)
	default:
		f.masks = true
		f.p("LEAQ masks<>(SB), AX")
		f.p("NEGQ CX")
		f.p("VMOVDQU 32(AX)(CX*4), %s", s.mask)
	}
}

func (s isa) zero(f *file, reg string) {
	if s.isNEON() {
		f.p("VEOR %s, %s, %s", bytes16(reg), bytes16(reg), bytes16(reg))
		return
	}
	f.p("VPXOR%s %s, %s, %s", s.logic, reg, reg, reg)
}

// copy moves a whole register.
func (s isa) copy(f *file, from, to string) {
	if s.isNEON() {
		f.p("VMOV %s, %s", bytes16(from), bytes16(to))
		return
	}
	f.p("VMOVAPS %s, %s", from, to)
}

// argument loads an argument of 8 bytes; scalar loads one of 4 to every lane.
func (s isa) argument(f *file, name string, offset int, reg string) {
	f.p("%s %s+%d(FP), %s", s.arch.move, name, offset, reg)
}

func (s isa) scalar(f *file, name string, offset int, reg string) {
	if s.isNEON() {
		f.p("FMOVS %s+%d(FP), %s", name, offset, reg)
		f.p("VDUP %s.S[0], %s", vector(reg), words4(reg))
		return
	}
	f.p("VBROADCASTSS %s+%d(FP), %s", name, offset, reg)
}

// constants prepares a function for constant, which has a word in every lane. On arm64 they are found from a register.
func (s isa) constants(f *file) {
	if s.isNEON() {
		f.p("MOVD $constants<>(SB), %s", constantBase)
	}
}

func (s isa) constant(f *file, bits uint32, reg string) {
	if s.isNEON() {
		f.p("FMOVQ %d(%s), %s", f.constant(bits), constantBase, reg)
		return
	}
	f.p("VBROADCASTSS constants<>+%d(SB), %s", f.constant(bits), reg)
}

// end returns from a function.
func (s isa) end(f *file) {
	if !s.isNEON() {
		f.p("VZEROUPPER")
	}
	f.p("RET")
}

// operation emits one operation of a program on registers. AVX has the operands in reverse, as the Go assembler does everywhere.
func (s isa) operation(f *file, n node, args []string, dst string) {
	if s.isNEON() {
		f.neonOperation(n, args, dst)
		return
	}
	name := map[string]string{opAdd: "VADDPS", opSubtract: "VSUBPS", opMultiply: "VMULPS", opDivide: "VDIVPS", opSqrt: "VSQRTPS", opScale: "VSCALEFPS", opLesser: "VMINPS",
		opGreater: "VMAXPS", opAnd: "VPAND" + s.logic, opOr: "VPOR" + s.logic, opXor: "VPXOR" + s.logic, opAddInt: "VPADDD", opSubtractInt: "VPSUBD",
		opToFloat: "VCVTDQ2PS", opShiftLeft: "VPSLLD", opShiftRight: "VPSRAD", opCompare: "VCMPPS"}[n.op]
	switch n.op {
	case opShiftLeft, opShiftRight:
		f.p("%s $%d, %s, %s", name, n.imm, args[0], dst)
	case opCompare:
		f.p("%s $%d, %s, %s, %s", name, n.imm, args[1], args[0], dst)
	case opSelect:
		if s.kMasks {
			f.p("VBLENDMPS %s, %s, %s, %s", args[1], args[2], args[0], dst)
		} else {
			f.p("VBLENDVPS %s, %s, %s, %s", args[0], args[1], args[2], dst)
		}
	default:
		f.p("%s %s%s", name, reversed(args), dst)
	}
}

// reversed lists operands from the last to the first, each with a comma.
func reversed(args []string) (list string) {
	for _, a := range args {
		list = a + ", " + list
	}
	return list
}

// places are the operands that the result of an operation can take the place of, the best first.
func (s isa) places(op string) []int {
	switch {
	case op == opSelect:
		return []int{0, 2, 1}
	case s.isNEON():
		return []int{2}
	}
	return []int{2, 0, 1}
}

// fma emits a·b + c in place of one of the three.
func (s isa) fma(f *file, regs []string, over int) {
	a, b, c := regs[0], regs[1], regs[2]
	switch {
	case s.isNEON():
		f.word(fmla, c, a, b)
	case over == 2:
		f.p("VFMADD231PS %s, %s, %s", b, a, c)
	case over == 0:
		f.p("VFMADD213PS %s, %s, %s", c, b, a)
	default:
		f.p("VFMADD213PS %s, %s, %s", c, a, b)
	}
}
