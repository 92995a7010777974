package main

import "fmt"

// pixels emits the tiles of convolutions whose values have their channels last, for each number of rows and of vectors per row.
func pixels(f *file) {
	copyPixels(f, avx512)
	poolPixels(f, avx2)
	poolPixels(f, avx512)
	for _, s := range f.arch.isas() {
		rows := 14
		if s.name == "AVX2" {
			rows = 6
		}
		for r := 1; r <= rows; r++ {
			pixelTile(f, s, r, 2)
			pixelTile(f, s, r, 1)
		}
		fmt.Fprintf(&f.stubs, "\n// pixelTiles%s holds the tiles by rows-1 and vectors-1.\n", s.name)
		fmt.Fprintf(&f.stubs, "var pixelTiles%s = [%d][2]func(*pixelTile){\n", s.name, rows)
		for r := 1; r <= rows; r++ {
			fmt.Fprintf(&f.stubs, "\t{pixels%dx1%s, pixels%dx2%s},\n", r, s.name, r, s.name)
		}
		fmt.Fprintf(&f.stubs, "}\n")
	}
}

// pixelTile emits one block of k for groups of as many rows, and some vectors of columns. A row is an output place and its columns are
// channels. What a row reads stands in runs that are the same for all rows: each has an offset from where the row begins and a count.
// The last vector of c is under the mask, those of b are whole.
//
//	first:      c = 0 + chain        otherwise:  c = c + chain
//	last also:  c = min(high, max(low, (c + bias[column]) + residual))
func pixelTile(f *file, s isa, rows, vectors int) {
	f.function(fmt.Sprintf("pixels%dx%d%s", rows, vectors, s.name), "t *pixelTile", 8,
		fmt.Sprintf("computes one block of k for groups of %d rows of %d vectors.", rows, vectors))
	acc := func(i, j int) string { return s.reg(i*vectors + j) }
	b := func(j int) string { return s.reg(rows*vectors + j) }
	broadcast := s.reg(rows*vectors + vectors)
	tail := func(j int) bool { return j == vectors-1 }
	half := (rows + 1) / 2 // rows from there on have a pointer of their own
	row := func(i int) string {
		base := "AX"
		if i >= half {
			base, i = "DX", i-half
		}
		return fmt.Sprintf([]string{"(%s)", "(%s)(R8*1)", "(%s)(R8*2)", "(%s)(R9*1)", "(%s)(R8*4)", "(%s)(R10*1)", "(%s)(R9*2)"}[i], base)
	}
	each := func(do func(i, j int, c string)) {
		for i := range rows {
			for j := range vectors {
				do(i, j, fmt.Sprintf("%d(DI)", j*s.bytes()))
			}
			if i < rows-1 {
				f.p("ADDQ SI, DI")
			}
		}
	}

	f.p("MOVQ t+0(FP), R12")
	f.p("MOVQ pixelTile_a(R12), R13")
	f.p("MOVQ pixelTile_aRow(R12), R8")
	f.p("LEAQ (R8)(R8*2), R9")
	f.p("LEAQ (R8)(R8*4), R10")
	if s.kMasks {
		f.p("KMOVW pixelTile_mask(R12), %s", s.mask)
	} else {
		f.p("VMOVDQU pixelTile_mask(R12), %s", s.mask)
	}
	f.l("group")
	f.p("MOVQ pixelTile_b(R12), BX")
	f.p("MOVQ pixelTile_c(R12), DI")
	f.p("ADDQ pixelTile_cAt(R12), DI")
	f.p("MOVQ pixelTile_cRow(R12), SI")
	for i := range rows * vectors {
		s.zero(f, s.reg(i))
	}
	for i := range rows {
		for j := 0; j < vectors*s.bytes(); j += 64 {
			f.p("PREFETCHT0 %d(DI)", j)
		}
		if i < rows-1 {
			f.p("ADDQ SI, DI")
		}
	}
	f.p("MOVQ pixelTile_runs(R12), R11")
	f.p("MOVQ pixelTile_runBytes(R12), DI")
	f.p("ADDQ R11, DI")
	f.p("MOVQ pixelTile_ahead(R12), SI")
	f.l("run")
	f.p("MOVQ (R11), AX")
	f.p("ADDQ R13, AX")
	f.p("MOVQ 8(R11), CX")
	if half < rows {
		f.p("MOVQ pixelTile_aHalf(R12), DX")
		f.p("ADDQ AX, DX")
	}
	f.p("PCALIGN $32")
	f.l("loop")
	for j := range vectors {
		s.load(f, fmt.Sprintf("%d(BX)", j*s.bytes()), b(j), false)
	}
	for j := 0; j < vectors*s.bytes(); j += 64 {
		f.p("PREFETCHT1 %d(SI)", j)
	}
	f.p("ADDQ $%d, BX", vectors*s.bytes())
	f.p("ADDQ $%d, SI", vectors*s.bytes())
	for i := range rows {
		f.p("VBROADCASTSS %s, %s", row(i), broadcast)
		for j := range vectors {
			f.p("VFMADD231PS %s, %s, %s", broadcast, b(j), acc(i, j))
		}
	}
	f.p("ADDQ $4, AX")
	if half < rows {
		f.p("ADDQ $4, DX")
	}
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("ADDQ $16, R11")
	f.p("CMPQ R11, DI")
	f.p("JNE run")

	f.p("MOVQ pixelTile_c(R12), DI")
	f.p("ADDQ pixelTile_cAt(R12), DI")
	f.p("MOVQ pixelTile_cRow(R12), SI")
	f.p("CMPQ pixelTile_first(R12), $0")
	f.p("JEQ add")
	s.zero(f, broadcast)
	for i := range rows * vectors {
		f.p("VADDPS %s, %s, %s", broadcast, s.reg(i), s.reg(i))
	}
	f.p("JMP summed")
	f.l("add")
	each(func(i, j int, c string) {
		s.load(f, c, b(0), tail(j))
		f.p("VADDPS %s, %s, %s", b(0), acc(i, j), acc(i, j))
	})
	f.l("summed")
	f.p("CMPQ pixelTile_last(R12), $0")
	f.p("JEQ store")
	f.p("MOVQ pixelTile_bias(R12), BX")
	for j := range vectors {
		s.load(f, fmt.Sprintf("%d(BX)", j*s.bytes()), b(j), tail(j))
	}
	for i := range rows {
		for j := range vectors {
			f.p("VADDPS %s, %s, %s", b(j), acc(i, j), acc(i, j))
		}
	}
	f.p("MOVQ pixelTile_residual(R12), DX")
	f.p("TESTQ DX, DX")
	f.p("JEQ clip")
	f.p("MOVQ pixelTile_c(R12), DI")
	f.p("ADDQ pixelTile_cAt(R12), DI")
	f.p("ADDQ DX, DI")
	each(func(i, j int, c string) {
		s.load(f, c, b(0), tail(j))
		f.p("VADDPS %s, %s, %s", b(0), acc(i, j), acc(i, j))
	})
	f.l("clip")
	f.p("VBROADCASTSS pixelTile_low(R12), %s", b(0))
	f.p("VBROADCASTSS pixelTile_high(R12), %s", broadcast)
	for i := range rows * vectors {
		f.p("VMAXPS %s, %s, %s", s.reg(i), b(0), s.reg(i))
	}
	for i := range rows * vectors {
		f.p("VMINPS %s, %s, %s", s.reg(i), broadcast, s.reg(i))
	}
	f.l("store")
	f.p("MOVQ pixelTile_c(R12), DI")
	f.p("ADDQ pixelTile_cAt(R12), DI")
	each(func(i, j int, c string) { s.store(f, acc(i, j), c, tail(j)) })
	f.p("MOVQ pixelTile_cGroup(R12), SI")
	f.p("ADDQ SI, pixelTile_cAt(R12)")
	f.p("ADDQ pixelTile_aGroup(R12), R13")
	f.p("DECQ pixelTile_groups(R12)")
	f.p("JNZ group")
	f.p("VZEROUPPER")
	f.p("RET")
}

// copyPixels emits the copy of n elements of some rows.
func copyPixels(f *file, s isa) {
	f.function("copyPixels"+s.name, "dst *float32, dstRow int, src *float32, srcRow, rows, n int", 48,
		"sets dst[i·dstRow + j] = src[i·srcRow + j] for i < rows and j < n, both above 0. Rows are in bytes.")
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ dstRow+8(FP), DX")
	f.p("MOVQ src+16(FP), SI")
	f.p("MOVQ srcRow+24(FP), R8")
	f.p("MOVQ rows+32(FP), R9")
	f.p("MOVQ n+40(FP), CX")
	f.p("MOVQ CX, R10")
	f.p("ANDQ $-%d, R10", s.lanes)
	f.p("SUBQ R10, CX") // in the last vector
	f.p("SHLQ $2, R10")
	s.tailMask(f)
	f.l("row")
	f.p("XORQ BX, BX")
	f.p("CMPQ BX, R10")
	f.p("JEQ tail")
	f.l("vector")
	f.p("VMOVUPS (SI)(BX*1), %s", s.reg(0))
	f.p("VMOVUPS %s, (DI)(BX*1)", s.reg(0))
	f.p("ADDQ $%d, BX", s.bytes())
	f.p("CMPQ BX, R10")
	f.p("JNE vector")
	f.l("tail")
	f.p("TESTQ CX, CX")
	f.p("JEQ next")
	s.load(f, "(SI)(BX*1)", s.reg(0), true)
	s.store(f, s.reg(0), "(DI)(BX*1)", true)
	f.l("next")
	f.p("ADDQ R8, SI")
	f.p("ADDQ DX, DI")
	f.p("DECQ R9")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
}

// poolPixels emits the maximum of what each of some outputs reads at the places of its window. n is a multiple of a vector.
func poolPixels(f *file, s isa) {
	f.function("maxPixels"+s.name, "dst, src *float32, srcStep int, offsets *int, places, pixels, n int", 56,
		fmt.Sprintf("sets dst[i·n + j] to the maximum of src[i·srcStep + offsets[k] + j] over k < places for i < pixels and j < n, a multiple of %d. Step and offsets are in bytes.", s.lanes))
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ src+8(FP), SI")
	f.p("MOVQ srcStep+16(FP), R8")
	f.p("MOVQ offsets+24(FP), R11")
	f.p("MOVQ places+32(FP), DX")
	f.p("MOVQ pixels+40(FP), R9")
	f.p("MOVQ n+48(FP), R10")
	f.p("SHLQ $2, R10")
	f.p("LEAQ (R11)(DX*8), DX")
	f.l("pixel")
	f.p("XORQ BX, BX")
	f.l("vector")
	f.p("LEAQ (SI)(BX*1), R12")
	f.p("MOVQ (R11), R13")
	s.load(f, "(R12)(R13*1)", s.reg(0), false)
	f.p("LEAQ 8(R11), CX")
	f.p("JMP test")
	f.l("place")
	f.p("MOVQ (CX), R13")
	p := &program{isa: s}
	p.result = p.maximum(p.bound(0), p.input(0))
	a := allocate(f, p, []string{s.reg(0)})
	a.into = s.reg(0)
	a.step([]string{"(R12)(R13*1)"}, false)
	f.p("ADDQ $8, CX")
	f.l("test")
	f.p("CMPQ CX, DX")
	f.p("JNE place")
	s.store(f, s.reg(0), "(DI)(BX*1)", false)
	f.p("ADDQ $%d, BX", s.bytes())
	f.p("CMPQ BX, R10")
	f.p("JNE vector")
	f.p("ADDQ R10, DI")
	f.p("ADDQ R8, SI")
	f.p("DECQ R9")
	f.p("JNZ pixel")
	f.p("VZEROUPPER")
	f.p("RET")
}
