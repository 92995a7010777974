package main

// thenSteps emits what may follow a product, for rows of two vectors.
func thenSteps(f *file) {
	for _, s := range f.arch.isas() {
		if s.kMasks {
			thenTile(f, s, "then"+s.name, true)
			continue
		}
		thenTile(f, s, "then"+s.name, false)
		thenTile(f, s, "thenMasked"+s.name, true)
	}
}

// thenTile emits y = ((c·scale + rowBias + cols + add) max low) + zero) min high. VMAXPS and VMINPS return their second
// operand, the first in this notation, if one is NaN or both are zero.
func thenTile(f *file, s isa, name string, masked bool) {
	f.function(name, "t *thenTile", 8, "does the steps of Then but the last for some rows of two vectors.")
	scale, low, high, zero := s.reg(0), s.reg(1), s.reg(2), s.reg(3)
	cols, x, other, bias := s.reg(4), s.reg(6), s.reg(8), s.reg(9)
	masks := []string{"Y14", "Y15"}
	if s.kMasks {
		masks = []string{"K1", "K2"}
	}
	vectors := []struct{ mask, cols, x, offset string }{{masks[0], cols, x, ""}, {masks[1], s.reg(5), s.reg(7), ""}}
	vectors[1].offset = map[bool]string{false: "32", true: "64"}[s.kMasks]
	part := func(i int) isa { // the isa whose mask is that of vector i
		p := s
		p.mask = vectors[i].mask
		return p
	}
	f.p("MOVQ t+0(FP), R12")
	f.p("MOVQ thenTile_rows(R12), CX")
	f.p("MOVQ thenTile_c(R12), DI")
	f.p("MOVQ thenTile_cRow(R12), SI")
	f.p("MOVQ thenTile_rowBias(R12), R8")
	f.p("MOVQ thenTile_rowStep(R12), R9")
	f.p("MOVQ thenTile_cols(R12), BX")
	f.p("MOVQ thenTile_add(R12), R10")
	f.p("MOVQ thenTile_addRow(R12), R11")
	if masked {
		load := map[bool]string{false: "VMOVDQU", true: "KMOVW"}[s.kMasks]
		step := map[bool]string{false: "32", true: "4"}[s.kMasks]
		f.p("%s thenTile_mask(R12), %s", load, masks[0])
		f.p("%s thenTile_mask+%s(R12), %s", load, step, masks[1])
	}
	f.p("VBROADCASTSS thenTile_scale(R12), %s", scale)
	f.p("VBROADCASTSS thenTile_low(R12), %s", low)
	f.p("VBROADCASTSS thenTile_high(R12), %s", high)
	f.p("VBROADCASTSS thenTile_zero(R12), %s", zero)
	for i, v := range vectors {
		part(i).load(f, v.offset+"(BX)", v.cols, masked)
	}
	f.p("PCALIGN $32")
	f.l("loop")
	f.p("VBROADCASTSS (R8), %s", bias)
	for i, v := range vectors {
		part(i).load(f, v.offset+"(DI)", v.x, masked)
		part(i).load(f, v.offset+"(R10)", other, masked)
		f.p("VMULPS %s, %s, %s", scale, v.x, v.x)
		f.p("VADDPS %s, %s, %s", bias, v.x, v.x)
		f.p("VADDPS %s, %s, %s", v.cols, v.x, v.x)
		f.p("VADDPS %s, %s, %s", other, v.x, v.x)
		f.p("VMAXPS %s, %s, %s", v.x, low, v.x)
		f.p("VADDPS %s, %s, %s", zero, v.x, v.x)
		f.p("VMINPS %s, %s, %s", v.x, high, v.x)
		part(i).store(f, v.x, v.offset+"(DI)", masked)
	}
	f.p("ADDQ R9, R8")
	f.p("ADDQ SI, DI")
	f.p("ADDQ R11, R10")
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
}

// thenNEON emits the same for rows of any number of vectors. FMAX and FMIN have the rule for NaN and zeros, so that adding zero
// changes nothing.
func thenNEON(f *file) {
	f.function("thenNEON", "t *thenTile", 8, "does the steps of Then but the last for some rows of some vectors.")
	const scale, low, high, bias, x, other = "F0", "F1", "F2", "F3", "F4", "F5"
	f.p("MOVD t+0(FP), %s", tileArg)
	for _, field := range []struct{ name, reg string }{{"rows", "R1"}, {"c", "R2"}, {"cRow", "R3"}, {"rowBias", "R4"}, {"rowStep", "R5"}, {"cols", "R6"},
		{"add", "R7"}, {"addRow", "R8"}, {"vectors", "R10"}} {
		f.field("thenTile", field.name, field.reg)
	}
	for _, field := range []struct{ name, reg string }{{"scale", scale}, {"low", low}, {"high", high}} {
		f.p("MOVWU thenTile_%s(%s), R11", field.name, tileArg)
		f.p("VDUP R11, %s", words4(field.reg))
	}
	f.l("row")
	f.p("MOVWU (R4), R11")
	f.p("VDUP R11, %s", words4(bias))
	f.p("MOVD R2, R12")
	f.p("MOVD R6, R13")
	f.p("MOVD R7, R14")
	f.p("MOVD R10, R15")
	f.l("vector")
	f.p("FMOVQ (R12), %s", x)
	f.p("FMOVQ.P 16(R13), %s", other)
	f.word(fmul, x, x, scale)
	f.word(fadd, x, x, bias)
	f.word(fadd, x, x, other)
	f.p("FMOVQ.P 16(R14), %s", other)
	f.word(fadd, x, x, other)
	f.word(fmax, x, x, low)
	f.word(fmin, x, x, high)
	f.p("FMOVQ.P %s, 16(R12)", x)
	f.p("SUBS $1, R15")
	f.p("BNE vector")
	f.p("ADD R5, R4")
	f.p("ADD R3, R2")
	f.p("ADD R8, R7")
	f.p("SUBS $1, R1")
	f.p("BNE row")
	f.p("RET")
}
