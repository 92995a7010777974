package main

import (
	"fmt"
	"strings"
)

// The Go assembler lacks many vector instructions of arm64. Those are written as words, with the instruction in a comment as
// GNU as writes it; encodings_test.go holds them to what that makes of it.
// Source: Arm Architecture Reference Manual for A-profile, C7 (A64 Advanced SIMD and Floating-point instructions).

// constantBase holds the address of the constants of a file.
const constantBase = "R9"

// vector, words4 and bytes16 name a register, which is F0 to F31 in programs, as operand of a vector instruction.
func vector(reg string) string  { return "V" + reg[1:] }
func words4(reg string) string  { return vector(reg) + ".S4" }
func bytes16(reg string) string { return vector(reg) + ".B16" }

func number(reg string) uint32 {
	var n uint32
	if _, err := fmt.Sscanf(reg[1:], "%d", &n); err != nil || n > 31 {
		panic("no vector register: " + reg)
	}
	return n
}

// encoding is an instruction of which only the registers are open.
type encoding struct {
	name  string
	bits  uint32
	shape [3]string // of the result and the operands
}

var (
	same4S = [3]string{"4s", "4s", "4s"}

	fadd  = encoding{"fadd", 0x4e20d400, same4S}
	fsub  = encoding{"fsub", 0x4ea0d400, same4S}
	fmul  = encoding{"fmul", 0x6e20dc00, same4S}
	fdiv  = encoding{"fdiv", 0x6e20fc00, same4S}
	fmax  = encoding{"fmax", 0x4e20f400, same4S}
	fmin  = encoding{"fmin", 0x4e20f400 | 1<<23, same4S}
	fmla  = encoding{"fmla", 0x4e20cc00, same4S}
	fcmeq = encoding{"fcmeq", 0x4e20e400, same4S}
	fcmge = encoding{"fcmge", 0x6e20e400, same4S}
	fcmgt = encoding{"fcmgt", 0x6ea0e400, same4S}
	smax  = encoding{"smax", 0x4ea06400, same4S}
	smin  = encoding{"smin", 0x4ea06c00, same4S}

	fsqrt = encoding{"fsqrt", 0x6ea1f800, [3]string{"4s", "4s"}}
	scvtf = encoding{"scvtf", 0x4e21d800, [3]string{"4s", "4s"}}

	smull  = encoding{"smull", 0x0e20c000, [3]string{"8h", "8b", "8b"}}
	smull2 = encoding{"smull2", 0x4e20c000, [3]string{"8h", "16b", "16b"}}
	sadalp = encoding{"sadalp", 0x4e606800, [3]string{"4s", "8h"}}

	// By element: each lane of an operand with one element of the other.
	fmlaElement = encoding{"fmla", 0x4f801000, [3]string{"4s", "4s", "s"}}
	sdotElement = encoding{"sdot", 0x4f80e000, [3]string{"4s", "16b", "4b"}}
	sshr        = encoding{"sshr", 0x4f000400, [3]string{"4s", "4s"}}
)

// word emits an instruction with its result first, as A64 writes it.
func (f *file) word(e encoding, dst string, args ...string) {
	bits, operands := e.bits|number(dst)|number(args[0])<<5, []string{dst, args[0]}
	if len(args) == 2 {
		bits |= number(args[1]) << 16
		operands = append(operands, args[1])
	}
	f.raw(e, bits, operands, "")
}

// wordElement emits an instruction by element.
func (f *file) wordElement(e encoding, dst, a, b string, element int) {
	i := uint32(element)
	bits := e.bits | number(dst) | number(a)<<5 | number(b)<<16 | i&1<<21 | i>>1<<11
	f.raw(e, bits, []string{dst, a, b}, fmt.Sprintf("[%d]", element))
}

// wordShift emits a shift to the right by 1 to 32.
func (f *file) wordShift(e encoding, dst, a string, by int) {
	f.raw(e, e.bits|number(dst)|number(a)<<5|uint32(64-by)<<16, []string{dst, a}, fmt.Sprintf(", #%d", by))
}

func (f *file) raw(e encoding, bits uint32, operands []string, suffix string) {
	for i, r := range operands {
		operands[i] = fmt.Sprintf("v%d.%s", number(r), e.shape[i])
	}
	f.p("WORD $0x%08x // %s %s%s", bits, e.name, strings.Join(operands, ", "), suffix)
}

// neonOperation emits one operation of a program, except those that need an operand in place of the result: see destructive.
func (f *file) neonOperation(n node, args []string, dst string) {
	three := map[string]encoding{opAdd: fadd, opSubtract: fsub, opMultiply: fmul, opDivide: fdiv, opLesser: fmin, opGreater: fmax, opMinimum: fmin, opMaximum: fmax}
	two := map[string]encoding{opSqrt: fsqrt, opToFloat: scvtf}
	if e, ok := three[n.op]; ok {
		f.word(e, dst, args[0], args[1])
		return
	}
	if e, ok := two[n.op]; ok {
		f.word(e, dst, args[0])
		return
	}
	switch n.op {
	case opAnd, opOr, opXor:
		f.p("%s %s, %s, %s", map[string]string{opAnd: "VAND", opOr: "VORR", opXor: "VEOR"}[n.op], bytes16(args[1]), bytes16(args[0]), bytes16(dst))
	case opAddInt, opSubtractInt:
		f.p("%s %s, %s, %s", map[string]string{opAddInt: "VADD", opSubtractInt: "VSUB"}[n.op], words4(args[1]), words4(args[0]), words4(dst))
	case opShiftLeft:
		f.p("VSHL $%d, %s, %s", n.imm, words4(args[0]), words4(dst))
	case opShiftRight:
		f.wordShift(sshr, dst, args[0], n.imm)
	case opCompare:
		switch n.imm {
		case equal:
			f.word(fcmeq, dst, args[0], args[1])
		case greaterOrEq:
			f.word(fcmge, dst, args[0], args[1])
		case less:
			f.word(fcmgt, dst, args[1], args[0])
		case lessOrEq:
			f.word(fcmge, dst, args[1], args[0])
		default:
			panic("no such comparison")
		}
	default:
		panic("no such operation: " + n.op)
	}
}

// loadPart loads 1 to 3 words, as count says, the rest being zero.
func (f *file) loadPart(offset int, base, count, reg string) {
	one, done := f.label("one"), f.label("loaded")
	f.p("TBZ $1, %s, %s", count, one)
	f.p("FMOVD %d(%s), %s", offset, base, reg)
	f.p("TBZ $0, %s, %s", count, done)
	f.p("ADD $%d, %s, %s", offset+8, base, partPointer)
	f.p("VLD1 (%s), %s.S[2]", partPointer, vector(reg))
	f.p("B %s", done)
	f.l(one)
	f.p("FMOVS %d(%s), %s", offset, base, reg)
	f.l(done)
}

// storePart stores 1 to 3 words, as count says.
func (f *file) storePart(reg string, offset int, base, count string) {
	one, done := f.label("one"), f.label("stored")
	f.p("TBZ $1, %s, %s", count, one)
	f.p("FMOVD %s, %d(%s)", reg, offset, base)
	f.p("TBZ $0, %s, %s", count, done)
	f.p("ADD $%d, %s, %s", offset+8, base, partPointer)
	f.p("VST1 %s.S[2], (%s)", vector(reg), partPointer)
	f.p("B %s", done)
	f.l(one)
	f.p("FMOVS %s, %d(%s)", reg, offset, base)
	f.l(done)
}

// loadSome and storeSome do the same for 1 to 4 words.
func (f *file) loadSome(offset int, base, count, reg string) {
	f.some(count, fmt.Sprintf("FMOVQ %d(%s), %s", offset, base, reg), func() { f.loadPart(offset, base, count, reg) })
}

func (f *file) storeSome(reg string, offset int, base, count string) {
	f.some(count, fmt.Sprintf("FMOVQ %s, %d(%s)", reg, offset, base), func() { f.storePart(reg, offset, base, count) })
}

func (f *file) some(count, four string, part func()) {
	less, done := f.label("part"), f.label("done")
	f.p("TBZ $2, %s, %s", count, less)
	f.p("%s", four)
	f.p("B %s", done)
	f.l(less)
	part()
	f.l(done)
}

const partPointer = "R10"

// neonSelect emits mask ? a : b in place of one of the three.
func (f *file) neonSelect(regs []string, over int) {
	mask, a, b := bytes16(regs[0]), bytes16(regs[1]), bytes16(regs[2])
	switch over {
	case 0:
		f.p("VBSL %s, %s, %s", b, a, mask)
	case 1:
		f.p("VBIF %s, %s, %s", mask, b, a)
	default:
		f.p("VBIT %s, %s, %s", mask, a, b)
	}
}
