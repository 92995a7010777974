package main

import "fmt"

// convNEON emits the tiles of convolutions on arm64, and what packs patches for them.
func convNEON(f *file) {
	stageRowsNEON(f, 1)
	stageRowsNEON(f, 2)
	for rows := 1; rows <= neonRows; rows++ {
		convTileNEON(f, rows, neonVectors, false)
		for vectors := 1; vectors <= neonVectors; vectors++ {
			convTileNEON(f, rows, vectors, true)
		}
	}
	fmt.Fprintf(&f.stubs, "\n// convTilesNEON holds the tiles by rows-1: of whole panels, then of 1 to %d vectors of which the last may be a part.\n", neonVectors)
	fmt.Fprintf(&f.stubs, "var convTilesNEON = [%d][%d]func(*convTile){\n", neonRows, neonVectors+1)
	for rows := 1; rows <= neonRows; rows++ {
		fmt.Fprintf(&f.stubs, "\t{%s", convTileNameNEON(rows, neonVectors, false))
		for vectors := 1; vectors <= neonVectors; vectors++ {
			fmt.Fprintf(&f.stubs, ", %s", convTileNameNEON(rows, vectors, true))
		}
		fmt.Fprintf(&f.stubs, "},\n")
	}
	fmt.Fprintf(&f.stubs, "}\n")
	packPatchesNEON(f)
	packPanelsNEON(f)
	for v := 1; v <= depthwiseVectors; v++ {
		depthwiseNEON(f, v)
	}
	fmt.Fprintf(&f.stubs, "\n// depthwiseNEON holds the rows of a depthwise convolution by vectors-1.\n")
	fmt.Fprintf(&f.stubs, "var depthwiseNEON = [%d]func(*depthTile){", depthwiseVectors)
	for v := 1; v <= depthwiseVectors; v++ {
		fmt.Fprintf(&f.stubs, "\n\tdepthwise%dNEON,", v)
	}
	fmt.Fprintf(&f.stubs, "\n}\n")
}

func convTileNameNEON(rows, vectors int, part bool) string {
	name := fmt.Sprintf("conv%dx%d", rows, vectors)
	if part {
		name += "Part"
	}
	return name + neon.name
}

// lastCount holds how many words of the last vector there are.
const lastCount = "R3"

// convTileNEON emits what convTile does; if part is set, the last vector of c is as many words as the mask says.
func convTileNEON(f *file, rows, vectors int, part bool) {
	f.function(convTileNameNEON(rows, vectors, part), "t *convTile", 8,
		fmt.Sprintf("computes one block of k for %d rows and panels of %d vectors.", rows, vectors))
	t := &neonTile{f, fmlaElement, rows, vectors}
	const panelB, panelC, panels = "R11", "R12", "R13"
	tail := func(j int) bool { return part && j == vectors-1 }
	// each does something with each vector of c, which it may load to F30 or F31.
	each := func(do func(i, j int)) {
		for i := range rows {
			for j := range vectors {
				do(i, j)
			}
			t.nextRow(i)
		}
	}
	add := func(i, j int) {
		if tail(j) {
			f.loadSome(16*j, tileC, lastCount, "F31")
		} else {
			f.p("FMOVQ %d(%s), F31", 16*j, tileC)
		}
		f.word(fadd, t.acc(i, j), "F31", t.acc(i, j))
	}

	f.p("MOVD t+0(FP), %s", tileArg)
	f.field("convTile", "b", panelB)
	f.field("convTile", "bRow", tileBRow)
	f.field("convTile", "c", panelC)
	f.field("convTile", "cRow", tileCRow)
	f.field("convTile", "panels", panels)
	if part {
		f.p("MOVWU convTile_mask(%s), %s", tileArg, lastCount)
	}
	f.l("panel")
	f.field("convTile", "k", tileK)
	f.field("convTile", "a", tileA)
	f.p("MOVD %s, %s", panelB, tileB)
	f.p("MOVD %s, %s", panelC, tileC)
	for i := range t.sums() {
		neon.zero(f, neon.reg(i))
	}
	t.byColumns(fmt.Sprintf("$%d", 4*rows))
	f.field("convTile", "first", "R1")
	f.p("CBZ R1, add")
	neon.zero(f, "F31")
	for i := range t.sums() {
		f.word(fadd, neon.reg(i), neon.reg(i), "F31")
	}
	f.p("B summed")
	f.l("add")
	each(add)
	f.l("summed")
	f.field("convTile", "last", "R1")
	f.p("CBZ R1, store")
	f.field("convTile", "bias", "R1")
	for i := range rows {
		f.p("VLD1R.P 4(R1), [V31.S4]")
		for j := range vectors {
			f.word(fadd, t.acc(i, j), t.acc(i, j), "F31")
		}
	}
	f.field("convTile", "residual", "R1")
	f.p("CBZ R1, clip")
	f.p("ADD R1, %s, %s", panelC, tileC)
	each(add)
	f.l("clip")
	for _, limit := range []struct {
		field, reg string
		e          encoding
	}{{"low", "F30", fmax}, {"high", "F31", fmin}} {
		f.p("MOVWU convTile_%s(%s), R1", limit.field, tileArg)
		f.p("VDUP R1, %s", words4(limit.reg))
		for i := range t.sums() {
			f.word(limit.e, neon.reg(i), neon.reg(i), limit.reg)
		}
	}
	f.l("store")
	f.p("MOVD %s, %s", panelC, tileC)
	each(func(i, j int) {
		if tail(j) {
			f.storeSome(t.acc(i, j), 16*j, tileC, lastCount)
		} else {
			f.p("FMOVQ %s, %d(%s)", t.acc(i, j), 16*j, tileC)
		}
	})
	f.p("ADD $%d, %s", 16*vectors, panelC)
	f.field("convTile", "bPanel", "R1")
	f.p("ADD R1, %s", panelB)
	f.p("SUBS $1, %s", panels)
	f.p("BNE panel")
	f.p("RET")
}

// packPatchesNEON emits the copy of pieces of rows at many places to equal distances. Pieces of a vector or more end with their last four
// words, some of them again.
func packPatchesNEON(f *file) {
	const most = 4 * neonVectors
	f.function("packPatchesNEON", "dst *float32, dstRow int, src *float32, offsets *int, rows, width int", 48,
		fmt.Sprintf("sets dst[i·dstRow+j] = src[offsets[i]+j] for i < rows and j < width, 0 < width <= %d. Row and offsets are in bytes.", most))
	for i, name := range []string{"dst", "dstRow", "src", "offsets", "rows", "width"} {
		neon.argument(f, name, 8*i, fmt.Sprintf("R%d", i))
	}
	row := func(name string, copy func()) {
		f.l(name)
		f.p("MOVD.P 8(R3), R7")
		f.p("ADD R2, R7")
		copy()
		f.p("ADD R1, R0")
		f.p("SUBS $1, R4")
		f.p("BNE %s", name)
		f.p("RET")
	}
	f.p("CMP $%d, R5", most)
	f.p("BEQ whole")
	f.p("CMP $4, R5")
	f.p("BLT few")
	f.p("LSL $2, R5")
	f.p("SUB $16, R5") // where the last four words begin
	row("some", func() {
		f.p("ADD R5, R7, R8")
		f.p("ADD R5, R0, R10")
		f.p("MOVD R0, R11")
		f.p("B test")
		f.l("vector")
		f.p("FMOVQ.P 16(R7), F0")
		f.p("FMOVQ.P F0, 16(R11)")
		f.l("test")
		f.p("CMP R8, R7")
		f.p("BLO vector")
		f.p("FMOVQ (R8), F0")
		f.p("FMOVQ F0, (R10)")
	})
	row("whole", func() {
		for j := 0; j < neonVectors; j += 2 {
			f.p("FLDPQ %d(R7), (F%d, F%d)", 16*j, j, j+1)
		}
		for j := 0; j < neonVectors; j += 2 {
			f.p("FSTPQ (F%d, F%d), %d(R0)", j, j+1, 16*j)
		}
	})
	row("few", func() {
		f.loadPart(0, "R7", "R5", "F0")
		f.storePart("F0", 0, "R0", "R5")
	})
}

// packPanelsNEON emits the copy of long rows at many places to panels of four vectors.
func packPanelsNEON(f *file) {
	const wide = 4 * neonVectors
	f.function("packPanelsNEON", "dst *float32, dstPanel int, src *float32, srcRow, rows, panels int", 48,
		fmt.Sprintf("sets dst[p·dstPanel + %d·i + j] = src[i·srcRow + %d·p + j] for i < rows, p < panels and j < %d. Panel and row are in bytes.", wide, wide, wide))
	for i, name := range []string{"dst", "dstPanel", "src", "srcRow", "rows", "panels"} {
		neon.argument(f, name, 8*i, fmt.Sprintf("R%d", i))
	}
	f.l("row")
	f.p("MOVD R0, R6")
	f.p("MOVD R2, R7")
	f.p("MOVD R5, R8")
	f.l("panel")
	f.p("FLDPQ (R7), (F0, F1)")
	f.p("FLDPQ 32(R7), (F2, F3)")
	f.p("FSTPQ (F0, F1), (R6)")
	f.p("FSTPQ (F2, F3), 32(R6)")
	f.p("ADD $%d, R7", 4*wide)
	f.p("ADD R1, R6")
	f.p("SUBS $1, R8")
	f.p("BNE panel")
	f.p("ADD R3, R2")
	f.p("ADD $%d, R0", 4*wide)
	f.p("SUBS $1, R4")
	f.p("BNE row")
	f.p("RET")
}

// stageRowsNEON emits the copy of rows of elements that are step apart, 1 or 2.
func stageRowsNEON(f *file, step int) {
	f.function(fmt.Sprintf("stageRows%d", step), "dst *float32, dstRow int, src *float32, srcRow, rows, n int", 48,
		fmt.Sprintf("sets dst[i·dstRow + j] = src[i·srcRow + %d·j] for i < rows and j < n, both above 0. Rows are in bytes.", step))
	for i, name := range []string{"dst", "dstRow", "src", "srcRow", "rows", "n"} {
		neon.argument(f, name, 8*i, fmt.Sprintf("R%d", i))
	}
	f.l("row")
	f.p("MOVD R0, R6")
	f.p("MOVD R2, R7")
	// With step 2 a vector reads one element more than it needs, which is there if another follows.
	f.p("SUBS $4, R5, R8")
	f.p("%s tail", map[int]string{1: "BLT", 2: "BLE"}[step])
	f.l("vector")
	if step == 1 {
		f.p("FMOVQ.P 16(R7), F0")
	} else {
		f.p("FLDPQ.P 32(R7), (F0, F1)")
		f.p("VUZP1 V1.S4, V0.S4, V0.S4")
	}
	f.p("FMOVQ.P F0, 16(R6)")
	f.p("SUBS $4, R8")
	f.p("%s vector", map[int]string{1: "BGE", 2: "BGT"}[step])
	f.l("tail")
	f.p("ADDS $4, R8")
	f.p("BEQ next")
	f.l("one")
	f.p("MOVWU.P %d(R7), R10", 4*step)
	f.p("MOVW.P R10, 4(R6)")
	f.p("SUBS $1, R8")
	f.p("BNE one")
	f.l("next")
	f.p("ADD R3, R2")
	f.p("ADD R1, R0")
	f.p("SUBS $1, R4")
	f.p("BNE row")
	f.p("RET")
}

// depthwiseNEON emits what depthwise does; the last vector of a row has as many words as the mask says.
func depthwiseNEON(f *file, vectors int) {
	f.function(fmt.Sprintf("depthwise%dNEON", vectors), "t *depthTile", 8, fmt.Sprintf("computes rows of %d vectors of one channel.", vectors))
	weight, low, high, bias, zero, x := neon.reg(vectors), neon.reg(vectors+1), neon.reg(vectors+2), neon.reg(vectors+3), neon.reg(vectors+4), neon.reg(vectors+5)
	const input, output, rows, xRow, yRow, residual, places, offsets, weights = "R1", "R2", "R4", "R5", "R6", "R7", "R8", "R11", "R12"
	f.p("MOVD t+0(FP), %s", tileArg)
	for _, field := range []struct{ name, reg string }{{"x", input}, {"y", output}, {"rows", rows}, {"xRow", xRow}, {"yRow", yRow}, {"residual", residual}} {
		f.field("depthTile", field.name, field.reg)
	}
	for _, field := range []struct{ name, reg string }{{"low", low}, {"high", high}, {"bias", bias}} {
		f.p("MOVWU depthTile_%s(%s), R10", field.name, tileArg)
		f.p("VDUP R10, %s", words4(field.reg))
	}
	neon.zero(f, zero)
	f.p("MOVWU depthTile_mask(%s), %s", tileArg, lastCount)
	f.l("row")
	f.field("depthTile", "places", places)
	f.field("depthTile", "offsets", offsets)
	f.field("depthTile", "w", weights)
	for j := range vectors {
		neon.zero(f, neon.reg(j))
	}
	f.l("place")
	f.p("MOVD.P 8(%s), R10", offsets)
	f.p("ADD %s, R10", input)
	f.p("FMOVS.P 4(%s), %s", weights, weight)
	for j := range vectors {
		f.p("FMOVQ %d(R10), %s", 16*j, x)
		f.wordElement(fmlaElement, neon.reg(j), x, weight, 0)
	}
	f.p("SUBS $1, %s", places)
	f.p("BNE place")
	for j := range vectors {
		f.word(fadd, neon.reg(j), neon.reg(j), zero)
		f.word(fadd, neon.reg(j), neon.reg(j), bias)
	}
	f.p("CBZ %s, clip", residual)
	f.p("ADD %s, %s, %s", output, residual, offsets)
	for j := range vectors {
		if j == vectors-1 {
			f.loadSome(16*j, offsets, lastCount, x)
		} else {
			f.p("FMOVQ %d(%s), %s", 16*j, offsets, x)
		}
		f.word(fadd, neon.reg(j), x, neon.reg(j))
	}
	f.l("clip")
	for j := range vectors {
		f.word(fmax, neon.reg(j), neon.reg(j), low)
		f.word(fmin, neon.reg(j), neon.reg(j), high)
		if j == vectors-1 {
			f.storeSome(neon.reg(j), 16*j, output, lastCount)
		} else {
			f.p("FMOVQ %s, %d(%s)", neon.reg(j), 16*j, output)
		}
	}
	f.p("ADD %s, %s", xRow, input)
	f.p("ADD %s, %s", yRow, output)
	f.p("SUBS $1, %s", rows)
	f.p("BNE row")
	f.p("RET")
}
