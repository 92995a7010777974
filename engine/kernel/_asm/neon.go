package main

import "fmt"

// Tiles of products on arm64. A tile is up to 6 rows of 4 vectors: 24 sums, which leaves registers for 6 parts of rows of a and 2
// vectors of b. Products are by element: a vector of b with one number of a vector of a, so that a is not broadcast. There are no
// masks; what is left of a vector is computed to memory of the caller.

const (
	neonRows    = 6
	neonVectors = 4
)

// neonTile is the state of the emission of one tile. It multiplies float32 by an fma for each k, or int8 by four products at once:
// either way a step takes 4 bytes of a row of a, and 4 of b for each column.
type neonTile struct {
	*file
	multiply      encoding // by element
	rows, vectors int
}

func (t *neonTile) acc(i, j int) string { return neon.reg(i*t.vectors + j) }
func (t *neonTile) sums() int           { return t.rows * t.vectors }

// Registers for arguments of tiles.
const (
	tileArg  = "R0"
	tileK    = "R4"
	tileB    = "R5"
	tileBRow = "R6"
	tileC    = "R7"
	tileCRow = "R8"
	tileA    = "R10" // of the first row; those of the others follow
)

func rowPointer(i int) string { return fmt.Sprintf("R%d", 10+i) }

func neonTileName(rows, vectors int, columns bool) string {
	name := fmt.Sprintf("tile%dx%d", rows, vectors)
	if columns {
		name += "Columns"
	}
	return name + neon.name
}

func (f *file) field(of, name, reg string) { f.p("MOVD %s_%s(%s), %s", of, name, tileArg, reg) }

// matmulNEON emits the tiles of the matrix product, for a stored by rows and by columns, and what packs its factors.
func matmulNEON(f *file) {
	for rows := 1; rows <= neonRows; rows++ {
		for vectors := 1; vectors <= neonVectors; vectors++ {
			for _, columns := range []bool{false, true} {
				matmulTileNEON(f, rows, vectors, columns)
			}
		}
	}
	fmt.Fprintf(&f.stubs, "\n// tilesNEON holds the tiles by rows-1, vectors-1 and whether a is stored by columns.\n")
	fmt.Fprintf(&f.stubs, "var tilesNEON = [%d][%d][2]func(*tile){\n", neonRows, neonVectors)
	for rows := 1; rows <= neonRows; rows++ {
		fmt.Fprintf(&f.stubs, "\t{")
		for vectors := 1; vectors <= neonVectors; vectors++ {
			if vectors > 1 {
				fmt.Fprintf(&f.stubs, ", ")
			}
			fmt.Fprintf(&f.stubs, "{%s, %s}", neonTileName(rows, vectors, false), neonTileName(rows, vectors, true))
		}
		fmt.Fprintf(&f.stubs, "},\n")
	}
	fmt.Fprintf(&f.stubs, "}\n")
	matmulVectorNEON(f)
	transposeNEON(f)
	copyPanelNEON(f)
	copyRowsNEON(f)
}

// matmulTileNEON emits what matmulTile does: one block of k, an fma chain per element from +0 with k ascending, then c = c + chain,
// or c = 0 + chain for the first block. If columns is set, a row of a follows the other in memory, else a k the other.
func matmulTileNEON(f *file, rows, vectors int, columns bool) {
	f.function(neonTileName(rows, vectors, columns), "t *tile", 8,
		fmt.Sprintf("computes one block of k for %d rows and %d vectors of columns; a is stored by %s.", rows, vectors, map[bool]string{false: "rows", true: "columns"}[columns]))
	t := &neonTile{f, fmlaElement, rows, vectors}
	f.p("MOVD t+0(FP), %s", tileArg)
	f.field("tile", "k", tileK)
	f.field("tile", "a", tileA)
	f.field("tile", "b", tileB)
	f.field("tile", "bRow", tileBRow)
	f.field("tile", "c", tileC)
	f.field("tile", "cRow", tileCRow)
	for i := range t.sums() {
		neon.zero(f, neon.reg(i))
	}
	f.p("MOVD %s, R1", tileC)
	for i := range rows {
		f.p("PRFM (R1), PSTL1KEEP")
		if i < rows-1 {
			f.p("ADD %s, R1", tileCRow)
		}
	}
	if columns {
		f.field("tile", "aCol", "R1")
		t.byColumns("R1")
	} else {
		f.field("tile", "aRow", "R1")
		t.byRows("R1")
	}
	// T + P: the sum with +0 turns a chain that ended in -0 into +0.
	f.field("tile", "first", "R1")
	f.p("CBZ R1, add")
	zero := neon.reg(31)
	neon.zero(f, zero)
	for i := range t.sums() {
		f.word(fadd, neon.reg(i), neon.reg(i), zero)
	}
	t.storeSums()
	f.p("RET")
	f.l("add")
	for i := range rows {
		t.pairs(func(j int, two bool) {
			if two {
				f.p("FLDPQ %d(%s), (F30, F31)", 16*j, tileC)
				f.word(fadd, t.acc(i, j), neon.reg(30), t.acc(i, j))
				f.word(fadd, t.acc(i, j+1), zero, t.acc(i, j+1))
			} else {
				f.p("FMOVQ %d(%s), F31", 16*j, tileC)
				f.word(fadd, t.acc(i, j), zero, t.acc(i, j))
			}
			t.storePair(i, j, two)
		})
		t.nextRow(i)
	}
	f.p("RET")
}

// pairs calls do for each two vectors of a row, and for one that is left.
func (t *neonTile) pairs(do func(j int, two bool)) {
	for j := 0; j < t.vectors; j += 2 {
		do(j, j+1 < t.vectors)
	}
}

func (t *neonTile) storePair(i, j int, two bool) {
	if two {
		t.p("FSTPQ (%s, %s), %d(%s)", t.acc(i, j), t.acc(i, j+1), 16*j, tileC)
	} else {
		t.p("FMOVQ %s, %d(%s)", t.acc(i, j), 16*j, tileC)
	}
}

func (t *neonTile) nextRow(i int) {
	if i < t.rows-1 {
		t.p("ADD %s, %s", tileCRow, tileC)
	}
}

func (t *neonTile) storeSums() {
	for i := range t.rows {
		t.pairs(func(j int, two bool) { t.storePair(i, j, two) })
		t.nextRow(i)
	}
}

// step multiplies one k: its row of b, two vectors at a time, with the elements of a that the rows have it in.
func (t *neonTile) step(b []string, a func(i int) (reg string, element int)) {
	t.pairs(func(j int, two bool) {
		b0, b1 := b[j%len(b)], b[(j+1)%len(b)]
		if two {
			t.p("FLDPQ %d(%s), (%s, %s)", 16*j, tileB, b0, b1)
		} else {
			t.p("FMOVQ %d(%s), %s", 16*j, tileB, b0)
		}
		for i := range t.rows {
			reg, element := a(i)
			t.wordElement(t.multiply, t.acc(i, j), b0, reg, element)
			if two {
				t.wordElement(t.multiply, t.acc(i, j+1), b1, reg, element)
			}
		}
	})
	t.p("ADD %s, %s", tileBRow, tileB)
}

// byRows emits the loop over k with four k of each row in a vector. stride is a register with the distance of rows of a.
func (t *neonTile) byRows(stride string) {
	a := func(i int) string { return neon.reg(t.sums() + i) }
	var b []string
	for i := t.sums() + t.rows; i < neon.registers && len(b) < 4; i++ {
		b = append(b, neon.reg(i))
	}
	b = b[:len(b)&^1]
	t.rowPointers(stride)
	t.p("SUBS $4, %s", tileK)
	t.p("BLT rest")
	t.p("PCALIGN $32")
	t.l("four")
	for i := range t.rows {
		t.p("FMOVQ.P 16(%s), %s", rowPointer(i), a(i))
	}
	for k := range 4 {
		t.step(b, func(i int) (string, int) { return a(i), k })
	}
	t.p("SUBS $4, %s", tileK)
	t.p("BGE four")
	t.l("rest")
	t.p("ADDS $4, %s", tileK)
	t.p("BEQ sum")
	t.l("one")
	for i := range t.rows {
		t.p("FMOVS.P 4(%s), %s", rowPointer(i), a(i))
	}
	t.step(b, func(i int) (string, int) { return a(i), 0 })
	t.p("SUBS $1, %s", tileK)
	t.p("BNE one")
	t.l("sum")
}

func (t *neonTile) rowPointers(stride string) {
	for i := 1; i < t.rows; i++ {
		t.p("ADD %s, %s, %s", stride, rowPointer(i-1), rowPointer(i))
	}
}

// byColumns emits the loop over k with the rows of one k in vectors. stride is a register with the distance of columns of a.
func (t *neonTile) byColumns(stride string) {
	// Rows of a column are loaded 4, 2 and 1 at a time: no further than they go.
	type part struct{ first, rows int }
	var parts []part
	for first := 0; first < t.rows; {
		rows := 4
		for first+rows > t.rows {
			rows /= 2
		}
		parts = append(parts, part{first, rows})
		first += rows
	}
	a := func(i int) (string, int) {
		for n, p := range parts {
			if i < p.first+p.rows {
				return neon.reg(t.sums() + n), i - p.first
			}
		}
		panic("no such row")
	}
	var b []string
	for i := range 4 {
		b = append(b, neon.reg(t.sums()+len(parts)+i))
	}
	t.p("PCALIGN $32")
	t.l("one")
	for _, p := range parts {
		reg, _ := a(p.first)
		t.p("%s %d(%s), %s", map[int]string{4: "FMOVQ", 2: "FMOVD", 1: "FMOVS"}[p.rows], 4*p.first, tileA, reg)
	}
	t.p("ADD %s, %s", stride, tileA)
	t.step(b, a)
	t.p("SUBS $1, %s", tileK)
	t.p("BNE one")
}

// matmulVectorNEON emits one block of k for one row of a and two packed panels of b: 16 chains, which do not wait for each other. a
// is contiguous.
func matmulVectorNEON(f *file) {
	const panels, vectors = 2, panelCols / 4
	f.function("vector"+neon.name, "t *tile", 8, fmt.Sprintf("computes one block of k for one row and %d packed panels.", panels))
	f.p("MOVD t+0(FP), %s", tileArg)
	f.field("tile", "k", tileK)
	f.field("tile", "a", tileA)
	f.field("tile", "b", tileB)
	f.field("tile", "bPanel", "R1")
	f.field("tile", "c", tileC)
	f.p("ADD %s, R1", tileB)
	for i := range panels * vectors {
		neon.zero(f, neon.reg(i))
	}
	const a = "F31"
	steps := func(count int) { // of k
		for k := range count {
			for i, from := range []string{tileB, "R1"} {
				for j := 0; j < vectors; j += 2 {
					b0, b1 := neon.reg(16+j), neon.reg(17+j)
					f.p("FLDPQ %d(%s), (%s, %s)", 4*panelCols*k+16*j, from, b0, b1)
					f.wordElement(fmlaElement, neon.reg(i*vectors+j), b0, a, k)
					f.wordElement(fmlaElement, neon.reg(i*vectors+j+1), b1, a, k)
				}
			}
		}
		f.p("ADD $%d, %s", 4*panelCols*count, tileB)
		f.p("ADD $%d, R1", 4*panelCols*count)
		f.p("SUBS $%d, %s", count, tileK)
	}
	f.p("SUBS $4, %s", tileK)
	f.p("BLT rest")
	f.p("PCALIGN $32")
	f.l("four")
	f.p("FMOVQ.P 16(%s), %s", tileA, a)
	steps(4)
	f.p("BGE four")
	f.l("rest")
	f.p("ADDS $4, %s", tileK)
	f.p("BEQ sum")
	f.l("one")
	f.p("FMOVS.P 4(%s), %s", tileA, a)
	steps(1)
	f.p("BNE one")
	f.l("sum")
	f.field("tile", "first", "R1")
	f.p("CBZ R1, add")
	neon.zero(f, "F31")
	for i := range panels * vectors {
		f.word(fadd, neon.reg(i), neon.reg(i), "F31")
	}
	f.p("B store")
	f.l("add")
	for i := 0; i < panels*vectors; i += 2 {
		f.p("FLDPQ %d(%s), (F30, F31)", 16*i, tileC)
		f.word(fadd, neon.reg(i), "F30", neon.reg(i))
		f.word(fadd, neon.reg(i+1), "F31", neon.reg(i+1))
	}
	f.l("store")
	for i := 0; i < panels*vectors; i += 2 {
		f.p("FSTPQ (%s, %s), %d(%s)", neon.reg(i), neon.reg(i+1), 16*i, tileC)
	}
	f.p("RET")
}

// transposeNEON emits the transposition of blocks of 8×8, each of four of 4×4.
func transposeNEON(f *file) {
	f.function("transpose8", "dst *float32, dstRow int, src *float32, srcRow, blocks int", 40,
		"transposes blocks of 8×8: dst[8b+i][j] = src[j][8b+i] for b < blocks. Row strides are in bytes.")
	for i, name := range []string{"dst", "dstRow", "src", "srcRow", "blocks"} {
		neon.argument(f, name, 8*i, fmt.Sprintf("R%d", i))
	}
	f.l("block")
	f.p("MOVD R2, R5")
	for i := range 8 {
		f.p("FLDPQ (R5), (F%d, F%d)", 2*i, 2*i+1)
		f.p("ADD R3, R5")
	}
	f.p("ADD $32, R2")
	for half := range 2 { // columns of src
		for group := range 2 { // rows of src
			row := func(i int) string { return fmt.Sprintf("V%d", 2*(4*group+i)+half) }
			out := 16 + 8*half + 4*group
			// Words of two rows in turn, then pairs of words.
			for i := 0; i < 4; i += 2 {
				f.p("VTRN1 %s.S4, %s.S4, V%d.S4", row(i+1), row(i), out+i)
				f.p("VTRN2 %s.S4, %s.S4, V%d.S4", row(i+1), row(i), out+i+1)
			}
			for i := range 2 {
				f.p("VTRN1 V%d.D2, V%d.D2, %s.D2", out+2+i, out+i, row(i))
				f.p("VTRN2 V%d.D2, V%d.D2, %s.D2", out+2+i, out+i, row(i+2))
			}
		}
	}
	for i := range 8 { // row i of dst: from both groups, at the place of row i mod 4 of src
		half, at := i/4, i%4
		f.p("FSTPQ (F%d, F%d), (R0)", 2*at+half, 2*(4+at)+half)
		f.p("ADD R1, R0")
	}
	f.p("SUBS $1, R4")
	f.p("BNE block")
	f.p("RET")
}

// copyPanelNEON emits the copy of 32 columns of some rows, used to pack b.
func copyPanelNEON(f *file) {
	f.function("copyPanel", "dst, src *float32, srcRow, rows int", 32,
		"copies 32 columns of some rows: dst[i][j] = src[i][j], rows of src being srcRow bytes apart.")
	for i, name := range []string{"dst", "src", "srcRow", "rows"} {
		neon.argument(f, name, 8*i, fmt.Sprintf("R%d", i))
	}
	f.l("row")
	for i := 0; i < 8; i += 2 {
		f.p("FLDPQ %d(R1), (F%d, F%d)", 16*i, i, i+1)
	}
	for i := 0; i < 8; i += 2 {
		f.p("FSTPQ (F%d, F%d), %d(R0)", i, i+1, 16*i)
	}
	f.p("ADD R2, R1")
	f.p("ADD $128, R0")
	f.p("SUBS $1, R3")
	f.p("BNE row")
	f.p("RET")
}

// copyRowsNEON emits the copy of rows of 16 columns or more, used to pack a; the last 16 of a row may be copied in part again.
func copyRowsNEON(f *file) {
	f.function("copyLongRows", "dst *float32, dstRow int, src *float32, srcRow, rows, n int", 48,
		"copies n >= 16 columns of some rows: dst[i][j] = src[i][j]. Row strides are in bytes.")
	for i, name := range []string{"dst", "dstRow", "src", "srcRow", "rows", "n"} {
		neon.argument(f, name, 8*i, fmt.Sprintf("R%d", i))
	}
	f.p("LSL $2, R5")
	f.p("SUB $64, R5") // where the last 16 columns start
	line := func(from, to string) {
		f.p("FLDPQ (%s), (F0, F1)", from)
		f.p("FLDPQ 32(%s), (F2, F3)", from)
		f.p("FSTPQ (F0, F1), (%s)", to)
		f.p("FSTPQ (F2, F3), 32(%s)", to)
	}
	f.l("row")
	f.p("MOVD R0, R6")
	f.p("MOVD R2, R7")
	f.p("MOVD R5, R8")
	f.l("line")
	line("R7", "R6")
	f.p("ADD $64, R7")
	f.p("ADD $64, R6")
	f.p("SUBS $64, R8")
	f.p("BGE line")
	f.p("ADD R5, R2, R7")
	f.p("ADD R5, R0, R6")
	line("R7", "R6")
	f.p("ADD R3, R2")
	f.p("ADD R1, R0")
	f.p("SUBS $1, R4")
	f.p("BNE row")
	f.p("RET")
}
