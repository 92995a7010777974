package main

import "fmt"

// conv emits the tiles of convolutions, for each number of rows and of vectors per row, and what packs patches for them.
func conv(f *file) {
	stageRows(f, 1)
	stageRows(f, 2)
	for _, s := range f.arch.isas() {
		rows := 14
		if s.name == "AVX2" {
			rows = 6
		}
		for r := 1; r <= rows; r++ {
			convTile(f, s, r, 2, s.kMasks)
			if !s.kMasks {
				convTile(f, s, r, 2, true)
			}
			convTile(f, s, r, 1, true)
		}
		fmt.Fprintf(&f.stubs, "\n// convTiles%s holds the tiles by rows-1: of whole panels, then of one vector or two, the last of which is masked.\n", s.name)
		fmt.Fprintf(&f.stubs, "var convTiles%s = [%d][5]func(*convTile){\n", s.name, rows)
		for r := 1; r <= rows; r++ {
			fmt.Fprintf(&f.stubs, "\t{%s, %s, %s},\n", convTileName(s, r, 2, s.kMasks), convTileName(s, r, 1, true), convTileName(s, r, 2, true))
		}
		fmt.Fprintf(&f.stubs, "}\n")
		packPatches(f, s)
		packPanels(f, s)
		for v := 1; v <= depthwiseVectors; v++ {
			depthwise(f, s, v)
		}
		fmt.Fprintf(&f.stubs, "\n// depthwise%s holds the rows of a depthwise convolution by vectors-1.\n", s.name)
		fmt.Fprintf(&f.stubs, "var depthwise%s = [%d]func(*depthTile){\n", s.name, depthwiseVectors)
		for v := 1; v <= depthwiseVectors; v++ {
			fmt.Fprintf(&f.stubs, "\tdepthwise%d%s,\n", v, s.name)
		}
		fmt.Fprintf(&f.stubs, "}\n")
	}
}

func convTileName(s isa, rows, vectors int, masked bool) string {
	name := fmt.Sprintf("conv%dx%d", rows, vectors)
	if masked && !s.kMasks {
		name += "Masked"
	}
	return name + s.name
}

// convTile emits one block of k for some rows and panels of columns, one panel after the other. a is [k, rows]; a panel's row of b
// is some vectors at multiples of bRow. The last vector of c is under the mask if there is one, those of b are whole.
//
//	first:      c = 0 + chain        otherwise:  c = c + chain
//	last also:  c = min(high, max(low, (c + bias[row]) + residual))
func convTile(f *file, s isa, rows, vectors int, masked bool) {
	f.function(convTileName(s, rows, vectors, masked), "t *convTile", 8,
		fmt.Sprintf("computes one block of k for %d rows and panels of %d vectors.", rows, vectors))
	acc := func(i, j int) string { return s.reg(i*vectors + j) }
	b := func(j int) string { return s.reg(rows*vectors + j) }
	broadcast := s.reg(rows*vectors + vectors)
	tail := func(j int) bool { return masked && j == vectors-1 }
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
	f.p("MOVQ convTile_b(R12), R13")
	f.p("MOVQ convTile_bRow(R12), R11")
	f.p("MOVQ convTile_c(R12), R8")
	f.p("MOVQ convTile_cRow(R12), SI")
	f.p("MOVQ convTile_panels(R12), R9")
	if masked {
		if s.kMasks {
			f.p("KMOVW convTile_mask(R12), %s", s.mask)
		} else {
			f.p("VMOVDQU convTile_mask(R12), %s", s.mask)
		}
	}
	f.l("panel")
	f.p("MOVQ convTile_k(R12), CX")
	f.p("MOVQ convTile_a(R12), AX")
	f.p("MOVQ R13, BX")
	for i := range rows * vectors {
		s.zero(f, s.reg(i))
	}
	f.p("MOVQ R8, DI")
	for i := range rows {
		for j := 0; j < vectors*s.bytes(); j += 64 {
			f.p("PREFETCHT0 %d(DI)", j)
		}
		if i < rows-1 {
			f.p("ADDQ SI, DI")
		}
	}
	f.p("PCALIGN $32")
	f.l("loop")
	for j := range vectors {
		s.load(f, fmt.Sprintf("%d(BX)", j*s.bytes()), b(j), false)
	}
	f.p("ADDQ R11, BX")
	for i := range rows {
		f.p("VBROADCASTSS %d(AX), %s", 4*i, broadcast)
		for j := range vectors {
			f.p("VFMADD231PS %s, %s, %s", broadcast, b(j), acc(i, j))
		}
	}
	f.p("ADDQ $%d, AX", 4*rows)
	f.p("DECQ CX")
	f.p("JNZ loop")

	f.p("MOVQ R8, DI")
	f.p("CMPQ convTile_first(R12), $0")
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
	f.p("CMPQ convTile_last(R12), $0")
	f.p("JEQ store")
	f.p("MOVQ convTile_bias(R12), BX")
	for i := range rows {
		f.p("VBROADCASTSS %d(BX), %s", 4*i, broadcast)
		for j := range vectors {
			f.p("VADDPS %s, %s, %s", broadcast, acc(i, j), acc(i, j))
		}
	}
	f.p("MOVQ convTile_residual(R12), DX")
	f.p("TESTQ DX, DX")
	f.p("JEQ clip")
	f.p("LEAQ (R8)(DX*1), DI")
	each(func(i, j int, c string) {
		s.load(f, c, b(0), tail(j))
		f.p("VADDPS %s, %s, %s", b(0), acc(i, j), acc(i, j))
	})
	f.l("clip")
	f.p("VBROADCASTSS convTile_low(R12), %s", b(0))
	f.p("VBROADCASTSS convTile_high(R12), %s", broadcast)
	for i := range rows * vectors {
		f.p("VMAXPS %s, %s, %s", s.reg(i), b(0), s.reg(i))
	}
	for i := range rows * vectors {
		f.p("VMINPS %s, %s, %s", s.reg(i), broadcast, s.reg(i))
	}
	f.l("store")
	f.p("MOVQ R8, DI")
	each(func(i, j int, c string) { s.store(f, acc(i, j), c, tail(j)) })
	f.p("ADDQ $%d, R8", vectors*s.bytes())
	f.p("ADDQ convTile_bPanel(R12), R13")
	f.p("DECQ R9")
	f.p("JNZ panel")
	f.p("VZEROUPPER")
	f.p("RET")
}

// packPatches emits the copy of pieces of rows at many places to equal distances, at most two vectors long.
func packPatches(f *file, s isa) {
	f.function("packPatches"+s.name, "dst *float32, dstRow int, src *float32, offsets *int, rows, width int", 48,
		fmt.Sprintf("sets dst[i·dstRow+j] = src[offsets[i]+j] for i < rows and j < width, 0 < width <= %d. Row and offsets are in bytes.", 2*s.lanes))
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ dstRow+8(FP), DX")
	f.p("MOVQ src+16(FP), SI")
	f.p("MOVQ offsets+24(FP), R8")
	f.p("MOVQ rows+32(FP), R9")
	f.p("MOVQ width+40(FP), CX")
	loop := func(name string, vectors int, tail bool) {
		f.l(name)
		f.p("MOVQ (R8), R10")
		for j := range vectors {
			s.load(f, fmt.Sprintf("%d(SI)(R10*1)", j*s.bytes()), s.reg(j), tail && j == vectors-1)
		}
		for j := range vectors {
			s.store(f, s.reg(j), fmt.Sprintf("%d(DI)", j*s.bytes()), tail && j == vectors-1)
		}
		f.p("ADDQ $8, R8")
		f.p("ADDQ DX, DI")
		f.p("DECQ R9")
		f.p("JNZ %s", name)
		f.p("VZEROUPPER")
		f.p("RET")
	}
	f.p("CMPQ CX, $%d", s.lanes)
	f.p("JEQ one")
	f.p("JLT oneMasked")
	f.p("SUBQ $%d, CX", s.lanes)
	f.p("CMPQ CX, $%d", s.lanes)
	f.p("JEQ two")
	s.tailMask(f)
	loop("loop2m", 2, true)
	f.l("oneMasked")
	s.tailMask(f)
	loop("loop1m", 1, true)
	loop("one", 1, false)
	loop("two", 2, false)
}

// packPanels emits the copy of long rows at many places to panels of two vectors.
func packPanels(f *file, s isa) {
	f.function("packPanels"+s.name, "dst *float32, dstPanel int, src *float32, srcRow, rows, panels int", 48,
		fmt.Sprintf("sets dst[p·dstPanel + %d·i + j] = src[i·srcRow + %d·p + j] for i < rows, p < panels and j < %d. Panel and row are in bytes.", 2*s.lanes, 2*s.lanes, 2*s.lanes))
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ dstPanel+8(FP), DX")
	f.p("MOVQ src+16(FP), SI")
	f.p("MOVQ srcRow+24(FP), R8")
	f.p("MOVQ rows+32(FP), R9")
	f.l("row")
	f.p("MOVQ panels+40(FP), CX")
	f.p("MOVQ SI, AX")
	f.p("MOVQ DI, BX")
	f.l("panel")
	for j := range 2 {
		s.load(f, fmt.Sprintf("%d(AX)", j*s.bytes()), s.reg(j), false)
	}
	for j := range 2 {
		s.store(f, s.reg(j), fmt.Sprintf("%d(BX)", j*s.bytes()), false)
	}
	f.p("ADDQ $%d, AX", 2*s.bytes())
	f.p("ADDQ DX, BX")
	f.p("DECQ CX")
	f.p("JNZ panel")
	f.p("ADDQ R8, SI")
	f.p("ADDQ $%d, DI", 2*s.bytes())
	f.p("DECQ R9")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
}

// stageRows emits the copy of rows of elements that are step apart, 1 or 2.
func stageRows(f *file, step int) {
	f.function(fmt.Sprintf("stageRows%d", step), "dst *float32, dstRow int, src *float32, srcRow, rows, n int", 48,
		fmt.Sprintf("sets dst[i·dstRow + j] = src[i·srcRow + %d·j] for i < rows and j < n, both above 0. Rows are in bytes.", step))
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ dstRow+8(FP), DX")
	f.p("MOVQ src+16(FP), SI")
	f.p("MOVQ srcRow+24(FP), R8")
	f.p("MOVQ rows+32(FP), R9")
	f.l("row")
	f.p("MOVQ n+40(FP), CX")
	f.p("MOVQ SI, AX")
	f.p("MOVQ DI, BX")
	// With step 2 a vector reads one element more than it needs, which is there if another follows.
	f.p("SUBQ $8, CX")
	f.p("%s tail", map[int]string{1: "JLT", 2: "JLE"}[step])
	f.l("vector")
	f.p("VMOVUPS (AX), Y0")
	if step == 2 {
		f.p("VSHUFPS $0x88, 32(AX), Y0, Y0") // 0 2 8 10, 4 6 12 14
		f.p("VPERMPD $0xD8, Y0, Y0")
	}
	f.p("VMOVUPS Y0, (BX)")
	f.p("ADDQ $%d, AX", 32*step)
	f.p("ADDQ $32, BX")
	f.p("SUBQ $8, CX")
	f.p("%s vector", map[int]string{1: "JGE", 2: "JGT"}[step])
	f.l("tail")
	f.p("ADDQ $8, CX")
	f.p("JEQ next")
	f.l("one")
	f.p("MOVL (AX), R10")
	f.p("MOVL R10, (BX)")
	f.p("ADDQ $%d, AX", 4*step)
	f.p("ADDQ $4, BX")
	f.p("DECQ CX")
	f.p("JNZ one")
	f.l("next")
	f.p("ADDQ R8, SI")
	f.p("ADDQ DX, DI")
	f.p("DECQ R9")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
}

// depthwiseVectors is how many vectors of one row are computed together.
const depthwiseVectors = 4

// depthwise emits rows of a convolution of one channel: a chain of fma over the places of the window, one block of k, then what
// ends a tile of a convolution. Only the last vector of a row is masked, and only where it is stored.
func depthwise(f *file, s isa, vectors int) {
	f.function(fmt.Sprintf("depthwise%d%s", vectors, s.name), "t *depthTile", 8,
		fmt.Sprintf("computes rows of %d vectors of one channel.", vectors))
	broadcast, low, high, bias, zero := s.reg(vectors), s.reg(vectors+1), s.reg(vectors+2), s.reg(vectors+3), s.reg(vectors+4)
	f.p("MOVQ t+0(FP), R12")
	f.p("MOVQ depthTile_x(R12), SI")
	f.p("MOVQ depthTile_y(R12), DI")
	f.p("MOVQ depthTile_rows(R12), R9")
	f.p("MOVQ depthTile_xRow(R12), R11")
	f.p("MOVQ depthTile_yRow(R12), R13")
	f.p("MOVQ depthTile_residual(R12), DX")
	f.p("VBROADCASTSS depthTile_low(R12), %s", low)
	f.p("VBROADCASTSS depthTile_high(R12), %s", high)
	f.p("VBROADCASTSS depthTile_bias(R12), %s", bias)
	s.zero(f, zero)
	if s.kMasks {
		f.p("KMOVW depthTile_mask(R12), %s", s.mask)
	} else {
		f.p("VMOVDQU depthTile_mask(R12), %s", s.mask)
	}
	tail := func(j int) bool { return j == vectors-1 }
	f.l("row")
	f.p("MOVQ depthTile_places(R12), CX")
	f.p("MOVQ depthTile_offsets(R12), R8")
	f.p("MOVQ depthTile_w(R12), BX")
	for j := range vectors {
		s.zero(f, s.reg(j))
	}
	f.l("place")
	f.p("MOVQ (R8), R10")
	f.p("VBROADCASTSS (BX), %s", broadcast)
	for j := range vectors {
		f.p("VFMADD231PS %d(SI)(R10*1), %s, %s", j*s.bytes(), broadcast, s.reg(j))
	}
	f.p("ADDQ $8, R8")
	f.p("ADDQ $4, BX")
	f.p("DECQ CX")
	f.p("JNZ place")
	for j := range vectors {
		f.p("VADDPS %s, %s, %s", zero, s.reg(j), s.reg(j))
		f.p("VADDPS %s, %s, %s", bias, s.reg(j), s.reg(j))
	}
	f.p("TESTQ DX, DX")
	f.p("JEQ clip")
	for j := range vectors {
		s.load(f, fmt.Sprintf("%d(DI)(DX*1)", j*s.bytes()), broadcast, tail(j))
		f.p("VADDPS %s, %s, %s", broadcast, s.reg(j), s.reg(j))
	}
	f.l("clip")
	for j := range vectors {
		f.p("VMAXPS %s, %s, %s", s.reg(j), low, s.reg(j))
		f.p("VMINPS %s, %s, %s", s.reg(j), high, s.reg(j))
		s.store(f, s.reg(j), fmt.Sprintf("%d(DI)", j*s.bytes()), tail(j))
	}
	f.p("ADDQ R11, SI")
	f.p("ADDQ R13, DI")
	f.p("DECQ R9")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
}
