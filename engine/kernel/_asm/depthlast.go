package main

import "fmt"

// depthwiseLast emits convolutions of windows of 3×3 and 5×5 over channels apart, the values having their channels last, for AVX-512: a vector has
// neighbouring channels of one place, and its weights stay in registers. It goes over rows of outputs and along them; outputs whose window
// lies within x read it as operands, the others under masks that leave +0 where padding is. As in planesOf, the first product takes the place of
// an fma onto +0.
func depthwiseLast(f *file) {
	for _, side := range []int{3, 5} {
		depthwiseLastOf(f, avx512, side)
	}
	f.zeros = true
}

func depthwiseLastOf(f *file, s isa, side int) {
	f.function(fmt.Sprintf("depthwiseLast%d%s", side, s.name), "t *lastTile", 8, fmt.Sprintf("computes rows of outputs with windows of %d×%d for some vectors of channels.", side, side))
	registers := 0
	take := func() string { registers++; return s.reg(registers - 1) }
	var weights []string
	for range side * side {
		weights = append(weights, take())
	}
	sum, x, bias, low, high, zero := take(), take(), take(), take(), take(), take()
	rows := []string{"SI", "BX", "DX", "CX", "R10"}[:side]
	columns := []string{"", "(R13*1)", "(R13*2)", "(R9*1)", "(R13*4)"}[:side] // R9 is three times R13
	ends := 0
	end := func() {
		ends++
		clip := fmt.Sprintf("clip%d", ends)
		f.p("VADDPS %s, %s, %s", zero, sum, sum)
		f.p("VADDPS %s, %s, %s", bias, sum, sum)
		f.p("MOVQ lastTile_residual(R12), R11")
		f.p("TESTQ R11, R11")
		f.p("JEQ %s", clip)
		f.p("VMOVUPS.Z (DI)(R11*1), K6, %s", x)
		f.p("VADDPS %s, %s, %s", x, sum, sum)
		f.l(clip)
		f.p("VMAXPS %s, %s, %s", sum, low, sum)
		f.p("VMINPS %s, %s, %s", sum, high, sum)
		f.p("VMOVUPS %s, K6, (DI)", sum)
		f.p("ADDQ lastTile_yPixel(R12), DI")
		f.p("MOVQ lastTile_step(R12), R11")
		for _, r := range rows {
			f.p("ADDQ R11, %s", r)
		}
		f.p("DECQ lastTile_count(R12)")
	}
	add := func(place int, operand string) {
		if place == 0 {
			f.p("VMULPS %s, %s, %s", operand, weights[0], sum)
		} else {
			f.p("VFMADD231PS %s, %s, %s", operand, weights[place], sum)
		}
	}
	// count sets how many outputs follow and goes elsewhere if there are none.
	count := func(field, none string) {
		f.p("MOVQ lastTile_%s(R12), R11", field)
		f.p("MOVQ R11, lastTile_count(R12)")
		f.p("TESTQ R11, R11")
		f.p("JEQ %s", none)
	}
	// bordered does these outputs under masks.
	bordered := func(name string) {
		f.l(name)
		for k1, r := range rows {
			f.p("MOVL lastTile_rowMasks+%d(R12), AX", 4*k1)
			for k2, c := range columns {
				f.p("LEAQ (%s)%s, R14", r, c)
				f.p("MOVL %d(R15), R11", 4*k2)
				f.p("ANDL AX, R11")
				f.p("CMOVQEQ R8, R14") // a load that is masked out is slow where there is no memory
				f.p("KMOVW R11, K5")
				f.p("VMOVUPS.Z (R14), K5, %s", x)
				add(k1*side+k2, x)
			}
		}
		f.p("ADDQ $%d, R15", 4*side)
		end()
		f.p("JNZ %s", name)
	}
	f.p("MOVQ t+0(FP), R12")
	f.p("MOVQ lastTile_pixel(R12), R13")
	f.p("LEAQ (R13)(R13*2), R9")
	f.p("VBROADCASTSS lastTile_low(R12), %s", low)
	f.p("VBROADCASTSS lastTile_high(R12), %s", high)
	s.zero(f, zero)
	f.l("vector")
	f.p("MOVL $0xffff, AX")
	f.p("CMPQ lastTile_vectors(R12), $1")
	f.p("JNE whole")
	f.p("MOVL lastTile_tail(R12), AX")
	f.l("whole")
	f.p("KMOVW AX, K6")
	f.p("MOVQ lastTile_wAt(R12), R8")
	for i, w := range weights {
		f.p("VMOVUPS %d(R8), %s", 64*i, w)
	}
	f.p("ADDQ $%d, lastTile_wAt(R12)", 64*len(weights))
	f.p("MOVQ lastTile_biasAt(R12), R8")
	f.p("VMOVUPS.Z (R8), K6, %s", bias)
	for _, field := range []string{"x", "y"} {
		f.p("MOVQ lastTile_%sAt(R12), R8", field)
		f.p("MOVQ R8, lastTile_%sLine(R12)", field)
	}
	f.p("MOVQ lastTile_first(R12), R8")
	f.p("MOVQ R8, lastTile_row(R12)") // of x, at which the window begins
	f.p("LEAQ zeros<>(SB), R8")
	f.p("MOVQ lastTile_rows(R12), R11")
	f.p("MOVQ R11, lastTile_left(R12)")
	f.l("row")
	// Rows that are padding, and channels that there are not, make all outputs of the row bordered.
	f.p("KMOVW K6, R11")
	f.p("MOVL R11, R14")
	f.p("MOVQ lastTile_row(R12), CX")
	for k := range side {
		f.p("XORL AX, AX")
		f.p("CMPQ CX, lastTile_xRows(R12)")
		f.p("CMOVQCS R11, AX")
		f.p("MOVL AX, lastTile_rowMasks+%d(R12)", 4*k)
		f.p("ANDL AX, R14")
		f.p("INCQ CX")
	}
	f.p("MOVQ lastTile_xLine(R12), SI")
	f.p("MOVQ lastTile_yLine(R12), DI")
	f.p("MOVQ lastTile_xRow(R12), R11")
	for i, r := range rows[1:] {
		f.p("LEAQ (%s)(R11*1), %s", rows[i], r)
	}
	f.p("MOVQ lastTile_masks(R12), R15")
	f.p("CMPL R14, $0xffff")
	f.p("JEQ divided")
	count("outputs", "next")
	bordered("all")
	f.p("JMP next")
	f.l("divided")
	count("before", "middle")
	bordered("before")
	f.l("middle")
	count("within", "right")
	f.p("PCALIGN $32")
	f.l("within")
	for k1, r := range rows {
		for k2, c := range columns {
			add(k1*side+k2, fmt.Sprintf("(%s)%s", r, c))
		}
	}
	end()
	f.p("JNZ within")
	f.l("right")
	count("after", "next")
	f.p("MOVQ lastTile_within(R12), AX")
	f.p("IMULQ $%d, AX", 4*side)
	f.p("ADDQ AX, R15")
	bordered("beyond")
	f.l("next")
	f.p("MOVQ lastTile_xNext(R12), R11")
	f.p("ADDQ R11, lastTile_xLine(R12)")
	f.p("MOVQ lastTile_yNext(R12), R11")
	f.p("ADDQ R11, lastTile_yLine(R12)")
	f.p("MOVQ lastTile_stride(R12), R11")
	f.p("ADDQ R11, lastTile_row(R12)")
	f.p("DECQ lastTile_left(R12)")
	f.p("JNZ row")
	f.p("ADDQ $64, lastTile_xAt(R12)")
	f.p("ADDQ $64, lastTile_yAt(R12)")
	f.p("MOVQ lastTile_biasStep(R12), R11")
	f.p("ADDQ R11, lastTile_biasAt(R12)")
	f.p("DECQ lastTile_vectors(R12)")
	f.p("JNZ vector")
	f.p("VZEROUPPER")
	f.p("RET")
}
