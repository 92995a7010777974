package main

import "fmt"

// matmulInt8NEON emits the tiles of the int8 product: with products of four bytes at once, an extension of Armv8.2, and without.
func matmulInt8NEON(f *file) {
	for rows := 1; rows <= neonRows; rows++ {
		tileInt8Dot(f, rows)
	}
	tableInt8(f, "Dot", neonRows)
	for rows := 1; rows <= 3; rows++ {
		tileInt8NEON(f, rows)
	}
	tableInt8(f, "NEON", 3)
}

// int8Arguments loads what both kinds of tiles need; init is in R2 with its stride in R3.
func (t *neonTile) int8Arguments() {
	t.p("MOVD t+0(FP), %s", tileArg)
	t.field("tileInt8", "quads", tileK)
	t.field("tileInt8", "a", tileA)
	t.field("tileInt8", "aRow", "R1")
	t.field("tileInt8", "b", tileB)
	t.field("tileInt8", "init", "R2")
	t.field("tileInt8", "initRow", "R3")
	t.field("tileInt8", "c", tileC)
	t.field("tileInt8", "cRow", tileCRow)
}

// tileInt8Dot emits c = init + Σ a·b for rows and 16 columns.
func tileInt8Dot(f *file, rows int) {
	f.function(fmt.Sprintf("tileInt8Dot%d", rows), "t *tileInt8", 8,
		fmt.Sprintf("computes %d rows of half a panel by products of four at once.", rows))
	t := &neonTile{f, sdotElement, rows, neonVectors}
	t.int8Arguments()
	f.p("MOVD $%d, %s", 4*panelCols, tileBRow)
	for i := range rows {
		t.pairs(func(j int, _ bool) { f.p("FLDPQ %d(R2), (%s, %s)", 16*j, t.acc(i, j), t.acc(i, j+1)) })
		if i < rows-1 {
			f.p("ADD R3, R2")
		}
	}
	t.byRows("R1")
	t.storeSums()
	f.p("RET")
}

// tileInt8NEON emits the same without such products: two products of 8 bits make one of 16, and each two of those are added to a
// sum of 32 bits, so that each column has two sums until the end.
func tileInt8NEON(f *file, rows int) {
	f.function(fmt.Sprintf("tileInt8NEON%d", rows), "t *tileInt8", 8, fmt.Sprintf("computes %d rows of half a panel.", rows))
	t := &neonTile{file: f, rows: rows, vectors: 2 * neonVectors}
	t.int8Arguments()
	t.rowPointers("R1")
	for i := range t.sums() {
		neon.zero(f, neon.reg(i))
	}
	a := func(i int) string { return neon.reg(t.sums() + i) }
	const b, product, products = "F27", "F28", "F29"
	f.p("PCALIGN $32")
	f.l("loop")
	for i := range rows {
		f.p("VLD1R.P 4(%s), [%s]", rowPointer(i), words4(a(i)))
	}
	for j := range neonVectors {
		f.p("FMOVQ %d(%s), %s", 16*j, tileB, b)
		for i := range rows {
			f.word(smull, product, b, a(i))
			f.word(smull2, products, b, a(i))
			f.word(sadalp, t.acc(i, 2*j), product)
			f.word(sadalp, t.acc(i, 2*j+1), products)
		}
	}
	f.p("ADD $%d, %s", 4*panelCols, tileB)
	f.p("SUBS $1, %s", tileK)
	f.p("BNE loop")
	for i := range rows {
		for j := range neonVectors {
			f.p("VADDP %s, %s, %s", words4(t.acc(i, 2*j+1)), words4(t.acc(i, 2*j)), words4(product))
			f.p("FMOVQ %d(R2), %s", 16*j, products)
			f.p("VADD %s, %s, %s", words4(products), words4(product), words4(product))
			f.p("FMOVQ %s, %d(%s)", product, 16*j, tileC)
		}
		f.p("ADD R3, R2")
		t.nextRow(i)
	}
	f.p("RET")
}
