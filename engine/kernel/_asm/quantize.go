package main

// quantize emits rounding to 8 bits, eight numbers at a time.
func quantize(f *file) {
	f.function("quantize8", "dst *byte, src *float32, n int, scale float32, zero, low, high int32", 40,
		"sets dst[i] = rne(src[i] / scale) + zero, limited to low and high, 0 for NaN, for i < n, a multiple of 8.")
	constant := func(bits uint32, reg string) { avx2.constant(f, bits, reg) }
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ src+8(FP), SI")
	f.p("MOVQ n+16(FP), CX")
	f.p("VBROADCASTSS scale+24(FP), Y8")
	f.p("VBROADCASTSS zero+28(FP), Y9")
	f.p("VBROADCASTSS low+32(FP), Y10")
	f.p("VBROADCASTSS high+36(FP), Y11")
	constant(0x44000000, "Y12") // 512: beyond it any zero point saturates
	constant(0xc4000000, "Y13")
	constant(0x4b400000, "Y14") // 1.5·2²³, whose sum with a small number has its integer in the low bits
	constant(0x0c080400, "Y15") // the low bytes of four words
	f.p("PCALIGN $32")
	f.l("loop")
	f.p("VMOVUPS (SI), Y0")
	f.p("VDIVPS Y8, Y0, Y0")
	f.p("VCMPPS $%d, Y0, Y0, Y1", unordered)
	f.p("VMINPS Y12, Y0, Y0")
	f.p("VMAXPS Y13, Y0, Y0")
	f.p("VADDPS Y14, Y0, Y0")
	f.p("VPSUBD Y14, Y0, Y0")
	f.p("VPADDD Y9, Y0, Y0")
	f.p("VPMAXSD Y10, Y0, Y0")
	f.p("VPMINSD Y11, Y0, Y0")
	f.p("VPANDN Y0, Y1, Y0")
	f.p("VPSHUFB Y15, Y0, Y0")
	f.p("VEXTRACTI128 $1, Y0, X1")
	f.p("VPUNPCKLDQ X1, X0, X0")
	f.p("VMOVQ X0, (DI)")
	f.p("ADDQ $32, SI")
	f.p("ADDQ $8, DI")
	f.p("SUBQ $8, CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
}

// quantizeNEON emits the same.
func quantizeNEON(f *file) {
	f.function("quantize8", "dst *byte, src *float32, n int, scale float32, zero, low, high int32", 40,
		"sets dst[i] = rne(src[i] / scale) + zero, limited to low and high, 0 for NaN, for i < n, a multiple of 8.")
	neon.argument(f, "dst", 0, "R0")
	neon.argument(f, "src", 8, "R1")
	neon.argument(f, "n", 16, "R3")
	const scale, zero, low, high, most, least, toInt = "F8", "F9", "F10", "F11", "F12", "F13", "F14"
	for i, reg := range []string{scale, zero, low, high} {
		f.p("MOVWU %s+%d(FP), R4", []string{"scale", "zero", "low", "high"}[i], 24+4*i)
		f.p("VDUP R4, %s", words4(reg))
	}
	neon.constants(f)
	neon.constant(f, 0x44000000, most)
	neon.constant(f, 0xc4000000, least)
	neon.constant(f, 0x4b400000, toInt)
	f.p("PCALIGN $32")
	f.l("loop")
	f.p("FLDPQ.P 32(R1), (F0, F1)")
	for _, x := range []string{"F0", "F1"} {
		valid := neon.reg(2 + int(number(x)))
		f.word(fdiv, x, x, scale)
		f.word(fcmeq, valid, x, x)
		f.word(fmin, x, x, most)
		f.word(fmax, x, x, least)
		f.word(fadd, x, x, toInt)
		f.p("VSUB %s, %s, %s", words4(toInt), words4(x), words4(x))
		f.p("VADD %s, %s, %s", words4(zero), words4(x), words4(x))
		f.word(smax, x, x, low)
		f.word(smin, x, x, high)
		f.p("VAND %s, %s, %s", bytes16(valid), bytes16(x), bytes16(x))
	}
	// The low byte of each word.
	f.p("VUZP1 V1.H8, V0.H8, V0.H8")
	f.p("VUZP1 V0.B16, V0.B16, V0.B16")
	f.p("FMOVD.P F0, 8(R0)")
	f.p("SUBS $8, R3")
	f.p("BNE loop")
	f.p("RET")
}
