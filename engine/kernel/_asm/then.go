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
