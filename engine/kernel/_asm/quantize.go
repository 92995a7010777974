package main

// quantize emits rounding to 8 bits, eight numbers at a time.
func quantize(f *file) {
	f.function("quantizeAVX2", "dst *byte, src *float32, n int, scale float32, zero, low, high int32", 40,
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
