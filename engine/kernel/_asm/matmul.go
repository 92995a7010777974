package main

import "fmt"

// matmul emits the tiles of the matrix product: for each number of rows and of vectors per row, and for AVX2 with and
// without a mask on the last vector.
func matmul(f *file) {
	for _, s := range f.arch.isas() {
		rows := 14
		if s.name == "AVX2" {
			rows = 6
		}
		for r := 1; r <= rows; r++ {
			for vectors := 1; vectors <= 2; vectors++ {
				if s.kMasks {
					matmulTile(f, s, r, vectors, true)
					continue
				}
				matmulTile(f, s, r, vectors, false)
				matmulTile(f, s, r, vectors, true)
			}
		}
		table(f, s, rows)
		matmulVector(f, s)
	}
	transpose(f)
	copyPanel(f)
	copyRows(f)
}

// kPerFetch is how many steps of k go between two rows of memory that a tile asks for on its way. More at once would be in
// the way of its own reading.
const kPerFetch = 4

// stepsAhead is the binary logarithm of how many rows of b a tile asks ahead for. Packed factors and those whose rows follow each other are
// read in order, but some processors (of Zen 5, as virtual machines at least) do not guess that beside the rows of a: few rows times weights in memory
// took ten times as long.
const stepsAhead = 6

func tileName(s isa, rows, vectors int, masked bool) string {
	name := fmt.Sprintf("tile%dx%d", rows, vectors)
	if masked && !s.kMasks {
		name += "Masked"
	}
	return name + s.name
}

// matmulTile emits one block of k for a tile of rows × vectors: an fma chain per element from +0 with k ascending,
// then c = c + chain, or c = 0 + chain for the first block. a is read by broadcasting with any strides, b by vectors.
func matmulTile(f *file, s isa, rows, vectors int, masked bool) {
	f.function(tileName(s, rows, vectors, masked), "t *tile", 8,
		fmt.Sprintf("computes one block of k for %d rows and %d vectors of columns.", rows, vectors))
	acc := func(i, j int) string { return s.reg(i*vectors + j) }
	b := func(j int) string { return s.reg(rows*vectors + j) }
	broadcast := s.reg(rows*vectors + vectors)
	tail := func(j int) bool { return masked && j == vectors-1 }

	f.p("MOVQ t+0(FP), R12")
	f.p("MOVQ tile_k(R12), CX")
	f.p("MOVQ tile_a(R12), AX")
	f.p("MOVQ tile_aRow(R12), SI")
	f.p("MOVQ tile_aCol(R12), DX")
	f.p("MOVQ tile_b(R12), BX")
	f.p("MOVQ tile_bRow(R12), R11")
	if masked {
		if s.kMasks {
			f.p("KMOVW tile_mask(R12), %s", s.mask)
		} else {
			f.p("VMOVDQU tile_mask(R12), %s", s.mask)
		}
	}
	// Rows 0 to 6 from AX and 7 to 13 from R8, at multiples of the row stride that addresses can express.
	if rows > 3 {
		f.p("LEAQ (SI)(SI*2), R9")
	}
	if rows > 5 {
		f.p("LEAQ (SI)(SI*4), R10")
	}
	if rows > 7 {
		f.p("LEAQ (R9)(SI*4), R8")
		f.p("ADDQ AX, R8")
	}
	for i := range rows * vectors {
		s.zero(f, s.reg(i))
	}
	// First the rows of c are asked for, to which is added at the end, then what comes next.
	f.p("MOVQ tile_c(R12), DI")
	f.p("MOVQ tile_cRow(R12), R14")
	f.p("MOVQ $%d, R15", rows)
	f.l("fetch")
	f.p("PREFETCHT0 (DI)")
	f.p("PREFETCHT0 60(DI)")
	f.p("PREFETCHT0 %d(DI)", max(64, vectors*s.bytes()-4))
	f.p("ADDQ R14, DI")
	f.p("DECQ R15")
	f.p("JNZ steps")
	f.p("MOVQ t+0(FP), R12")
	f.p("MOVQ tile_next(R12), DI")
	f.p("MOVQ tile_nextRow(R12), R14")
	f.p("MOVQ tile_nextRows(R12), R15")
	f.p("MOVQ $0, tile_nextRow(R12)")
	f.l("steps")
	f.p("MOVQ R11, R12") // from a row of b to the one that is asked for
	f.p("SHLQ $%d, R12", stepsAhead)
	f.p("MOVQ $%d, R13", kPerFetch)
	f.p("CMPQ CX, R13")
	f.p("CMOVQLT CX, R13")
	f.p("SUBQ R13, CX")
	f.p("PCALIGN $32")
	f.l("loop")
	for j := range vectors {
		s.load(f, fmt.Sprintf("%d(BX)", j*s.bytes()), b(j), tail(j))
	}
	for at := 0; at < vectors*s.bytes(); at += 64 {
		f.p("PREFETCHT0 %d(BX)(R12*1)", at)
	}
	f.p("ADDQ R11, BX")
	for i := range rows {
		base := "AX"
		if i >= 7 {
			base = "R8"
		}
		f.p("VBROADCASTSS (%s)%s, %s", base, []string{"", "(SI*1)", "(SI*2)", "(R9*1)", "(SI*4)", "(R10*1)", "(R9*2)"}[i%7], broadcast)
		for j := range vectors {
			f.p("VFMADD231PS %s, %s, %s", broadcast, b(j), acc(i, j))
		}
	}
	f.p("ADDQ DX, AX")
	if rows > 7 {
		f.p("ADDQ DX, R8")
	}
	f.p("DECQ R13")
	f.p("JNZ loop")
	f.p("TESTQ CX, CX")
	f.p("JNZ fetch")

	// T + P: the sum with +0 turns a chain that ended in -0 into +0.
	f.p("MOVQ t+0(FP), R12")
	f.p("MOVQ tile_c(R12), DI")
	f.p("MOVQ tile_cRow(R12), SI")
	f.p("CMPQ tile_first(R12), $0")
	f.p("JEQ add")
	s.zero(f, broadcast)
	for i := range rows {
		for j := range vectors {
			f.p("VADDPS %s, %s, %s", broadcast, acc(i, j), acc(i, j))
			s.store(f, acc(i, j), fmt.Sprintf("%d(DI)", j*s.bytes()), tail(j))
		}
		f.p("ADDQ SI, DI")
	}
	f.p("VZEROUPPER")
	f.p("RET")
	f.l("add")
	for i := range rows {
		for j := range vectors {
			s.load(f, fmt.Sprintf("%d(DI)", j*s.bytes()), b(j), tail(j))
			f.p("VADDPS %s, %s, %s", acc(i, j), b(j), acc(i, j))
			s.store(f, acc(i, j), fmt.Sprintf("%d(DI)", j*s.bytes()), tail(j))
		}
		f.p("ADDQ SI, DI")
	}
	f.p("VZEROUPPER")
	f.p("RET")
}

// panelCols is the number of columns of a packed panel, as in engine/kernel.
const panelCols = 32

// matmulVector emits one block of k for one row of a and two packed panels of b: four chains or more, which do not wait
// for each other, and few places in memory that are read at once. a is contiguous.
func matmulVector(f *file, s isa) {
	vectors := panelCols / s.lanes
	const panels = 2
	f.function("vector"+s.name, "t *tile", 8, fmt.Sprintf("computes one block of k for one row and %d packed panels.", panels))
	f.p("MOVQ t+0(FP), R12")
	f.p("MOVQ tile_k(R12), CX")
	f.p("MOVQ tile_a(R12), AX")
	f.p("MOVQ tile_b(R12), BX")
	f.p("MOVQ tile_bPanel(R12), R11")
	acc := func(i, j int) string { return s.reg(i*vectors + j) }
	for i := range panels * vectors {
		s.zero(f, s.reg(i))
	}
	broadcast, b := s.reg(8), s.reg(9)
	f.p("PCALIGN $32")
	f.l("loop")
	f.p("VBROADCASTSS (AX), %s", broadcast)
	for i := range panels {
		for j := range vectors {
			f.p("VFMADD231PS %d(BX)%s, %s, %s", j*s.bytes(), []string{"", "(R11*1)"}[i], broadcast, acc(i, j))
		}
	}
	f.p("ADDQ $4, AX")
	f.p("ADDQ $%d, BX", 4*panelCols)
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("MOVQ tile_c(R12), DI")
	f.p("CMPQ tile_first(R12), $0")
	f.p("JEQ add")
	s.zero(f, b)
	for i := range panels * vectors {
		f.p("VADDPS %s, %s, %s", b, s.reg(i), s.reg(i))
		s.store(f, s.reg(i), fmt.Sprintf("%d(DI)", i*s.bytes()), false)
	}
	f.p("VZEROUPPER")
	f.p("RET")
	f.l("add")
	for i := range panels * vectors {
		s.load(f, fmt.Sprintf("%d(DI)", i*s.bytes()), b, false)
		f.p("VADDPS %s, %s, %s", s.reg(i), b, s.reg(i))
		s.store(f, s.reg(i), fmt.Sprintf("%d(DI)", i*s.bytes()), false)
	}
	f.p("VZEROUPPER")
	f.p("RET")
}

// table writes the Go table of tiles.
func table(f *file, s isa, rows int) {
	fmt.Fprintf(&f.stubs, "\n// tiles%s holds the tiles by rows-1, vectors-1 and whether the last vector is masked.\n", s.name)
	fmt.Fprintf(&f.stubs, "var tiles%s = [%d][4][2]func(*tile){\n", s.name, rows)
	for r := 1; r <= rows; r++ {
		fmt.Fprintf(&f.stubs, "\t{{%s, %s}, {%s, %s}},\n", tileName(s, r, 1, false), tileName(s, r, 1, true),
			tileName(s, r, 2, false), tileName(s, r, 2, true))
	}
	fmt.Fprintf(&f.stubs, "}\n")
}

// transpose emits the transposition of blocks of 8×8, used to pack a transposed b.
func transpose(f *file) {
	f.function("transpose8", "dst *float32, dstRow int, src *float32, srcRow, blocks int", 40,
		"transposes blocks of 8×8: dst[8b+i][j] = src[j][8b+i] for b < blocks. Row strides are in bytes.")
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ dstRow+8(FP), DX")
	f.p("MOVQ src+16(FP), SI")
	f.p("MOVQ srcRow+24(FP), BX")
	f.p("MOVQ blocks+32(FP), CX")
	f.p("LEAQ (BX)(BX*2), R9")
	f.p("LEAQ (SI)(BX*4), R8")
	f.p("LEAQ (DX)(DX*2), R10")
	f.l("block")
	for i := range 8 {
		f.p("VMOVUPS (%s)%s, Y%d", []string{"SI", "R8"}[i/4], []string{"", "(BX*1)", "(BX*2)", "(R9*1)"}[i%4], i)
	}
	// Interleave words of row pairs, then pairs of words, then halves.
	for i := range 4 {
		f.p("VUNPCKLPS Y%d, Y%d, Y%d", 2*i+1, 2*i, 8+2*i)
		f.p("VUNPCKHPS Y%d, Y%d, Y%d", 2*i+1, 2*i, 9+2*i)
	}
	for half := range 2 {
		for i := range 2 {
			low, high := 8+4*half+i, 10+4*half+i
			f.p("VUNPCKLPD Y%d, Y%d, Y%d", high, low, 4*half+2*i)
			f.p("VUNPCKHPD Y%d, Y%d, Y%d", high, low, 4*half+2*i+1)
		}
	}
	for i := range 4 {
		f.p("VPERM2F128 $0x20, Y%d, Y%d, Y%d", 4+i, i, 8+i)
		f.p("VPERM2F128 $0x31, Y%d, Y%d, Y%d", 4+i, i, 12+i)
	}
	f.p("LEAQ (DI)(DX*4), R11")
	for i := range 8 {
		f.p("VMOVUPS Y%d, (%s)%s", 8+i, []string{"DI", "R11"}[i/4], []string{"", "(DX*1)", "(DX*2)", "(R10*1)"}[i%4])
	}
	f.p("LEAQ (R11)(DX*4), DI")
	f.p("ADDQ $32, SI")
	f.p("ADDQ $32, R8")
	f.p("DECQ CX")
	f.p("JNZ block")
	f.p("VZEROUPPER")
	f.p("RET")
}

// copyPanel emits the copy of 32 columns of some rows, used to pack b.
func copyPanel(f *file) {
	f.function("copyPanel", "dst, src *float32, srcRow, rows int", 32,
		"copies 32 columns of some rows: dst[i][j] = src[i][j], rows of src being srcRow bytes apart.")
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ src+8(FP), SI")
	f.p("MOVQ srcRow+16(FP), BX")
	f.p("MOVQ rows+24(FP), CX")
	f.p("PCALIGN $32")
	f.l("row")
	for i := range 4 {
		f.p("VMOVUPS %d(SI), Y%d", 32*i, i)
	}
	for i := range 4 {
		f.p("VMOVUPS Y%d, %d(DI)", i, 32*i)
	}
	f.p("ADDQ BX, SI")
	f.p("ADDQ $128, DI")
	f.p("DECQ CX")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
}

// copyRows emits the copy of rows of 16 columns or more, used to pack a. The rows after next are fetched ahead: each starts
// on another page, where the processor does not guess.
func copyRows(f *file) {
	f.function("copyLongRows", "dst *float32, dstRow int, src *float32, srcRow, rows, n int", 48,
		"copies n >= 16 columns of some rows: dst[i][j] = src[i][j]. Row strides are in bytes.")
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ dstRow+8(FP), DX")
	f.p("MOVQ src+16(FP), SI")
	f.p("MOVQ srcRow+24(FP), BX")
	f.p("MOVQ rows+32(FP), CX")
	f.p("MOVQ n+40(FP), R8")
	f.p("LEAQ -64(R8*4), R9") // where the last 16 columns start
	f.p("LEAQ (SI)(BX*4), R10")
	f.p("LEAQ (DI)(DX*4), R11")
	f.l("row")
	f.p("XORQ AX, AX")
	f.p("PCALIGN $32")
	f.l("line")
	f.p("PREFETCHT1 (R10)(AX*1)")
	f.p("PREFETCHT1 (R11)(AX*1)")
	f.p("VMOVUPS (SI)(AX*1), Y0")
	f.p("VMOVUPS 32(SI)(AX*1), Y1")
	f.p("VMOVUPS Y0, (DI)(AX*1)")
	f.p("VMOVUPS Y1, 32(DI)(AX*1)")
	f.p("ADDQ $64, AX")
	f.p("CMPQ AX, R9")
	f.p("JLE line")
	f.p("VMOVUPS (SI)(R9*1), Y0")
	f.p("VMOVUPS 32(SI)(R9*1), Y1")
	f.p("VMOVUPS Y0, (DI)(R9*1)")
	f.p("VMOVUPS Y1, 32(DI)(R9*1)")
	f.p("ADDQ BX, SI")
	f.p("ADDQ BX, R10")
	f.p("ADDQ DX, R11")
	f.p("ADDQ DX, DI")
	f.p("DECQ CX")
	f.p("JNZ row")
	f.p("VZEROUPPER")
	f.p("RET")
}
