package main

import "fmt"

// matmulInt8 emits the tiles of the int8 product.
func matmulInt8(f *file) {
	for rows := 1; rows <= 14; rows++ {
		tileVNNI(f, avx512, rows)
	}
	tableInt8(f, "VNNI", 14)
	for rows := 1; rows <= 3; rows++ {
		tileInt8AVX2(f, avx2, rows)
	}
	tableInt8(f, "AVX2", 3)
	packInt8(f)
}

// packInt8 emits the two ways to pack a.
func packInt8(f *file) {
	start := func(name, comment string) {
		f.function(name, "dst *byte, src *int8, n int", 24, comment)
		f.p("MOVQ dst+0(FP), DI")
		f.p("MOVQ src+8(FP), SI")
		f.p("MOVQ n+16(FP), CX")
	}
	start("offsetBytesAVX512", "sets dst[i] = src[i] + 128 for i < n, a multiple of 32.")
	f.p("VPTERNLOGD $0xff, Z1, Z1, Z1")
	f.p("VPABSB Y1, Y1")
	f.p("VPSLLW $7, Y1, Y1") // bytes of 0x80
	f.p("VINSERTI64X4 $1, Y1, Z1, Z1")
	f.p("SUBQ $64, CX")
	f.p("JLT rest")
	f.p("PCALIGN $32")
	f.l("loop")
	f.p("VPXORD (SI), Z1, Z0")
	f.p("VMOVDQU32 Z0, (DI)")
	f.p("ADDQ $64, SI")
	f.p("ADDQ $64, DI")
	f.p("SUBQ $64, CX")
	f.p("JGE loop")
	f.l("rest")
	f.p("ADDQ $64, CX")
	f.p("JEQ done")
	f.p("VPXOR (SI), Y1, Y0")
	f.p("VMOVDQU Y0, (DI)")
	f.l("done")
	f.p("VZEROUPPER")
	f.p("RET")

	start("widenBytesAVX2", "sets dst[2i], dst[2i+1] to src[i] as 16 bits for i < n, a multiple of 16.")
	f.l("loop")
	f.p("VPMOVSXBW (SI), Y0")
	f.p("VMOVDQU Y0, (DI)")
	f.p("ADDQ $16, SI")
	f.p("ADDQ $32, DI")
	f.p("SUBQ $16, CX")
	f.p("JNZ loop")
	f.p("VZEROUPPER")
	f.p("RET")
}

func tableInt8(f *file, name string, rows int) {
	fmt.Fprintf(&f.stubs, "\n// tilesInt8%s holds the tiles by rows-1.\nvar tilesInt8%s = [%d]func(*tileInt8){\n", name, name, rows)
	for r := 1; r <= rows; r++ {
		fmt.Fprintf(&f.stubs, "\ttileInt8%s%d,\n", name, r)
	}
	fmt.Fprintf(&f.stubs, "}\n")
}

// int8Arguments loads what both kinds of tiles need: quads in CX, a in AX and R8 with strides, b in BX, init in DI with
// its stride in R13.
func int8Arguments(f *file, rows int) {
	f.p("MOVQ t+0(FP), R12")
	f.p("MOVQ tileInt8_quads(R12), CX")
	f.p("MOVQ tileInt8_a(R12), AX")
	f.p("MOVQ tileInt8_aRow(R12), SI")
	f.p("MOVQ tileInt8_b(R12), BX")
	f.p("MOVQ tileInt8_init(R12), DI")
	f.p("MOVQ tileInt8_initRow(R12), R13")
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
}

// int8Row is the address of row i of a.
func int8Row(i int) string {
	return "(" + []string{"AX", "R8"}[i/7] + ")" + []string{"", "(SI*1)", "(SI*2)", "(R9*1)", "(SI*4)", "(R10*1)", "(R9*2)"}[i%7]
}

// tileVNNI emits c = init + Σ a·b for rows and 32 columns, a without sign. VPDPBUSD adds four products at once and
// does not saturate; sums wrap modulo 2³² on the way. Each sum waits for the last: few rows have several sums for an element, of every
// second or fourth step, which are added at the end.
func tileVNNI(f *file, s isa, rows int) {
	f.function(fmt.Sprintf("tileInt8VNNI%d", rows), "t *tileInt8", 8,
		fmt.Sprintf("computes %d rows of one panel, a being offset by 128.", rows))
	int8Arguments(f, rows)
	sets := map[int]int{1: 4, 2: 2, 3: 2}[rows]
	if sets == 0 {
		sets = 1
	}
	acc := func(set, i, j int) string { return s.reg(2*(set*rows+i) + j) }
	b0, b1, broadcast := s.reg(28), s.reg(29), s.reg(30)
	for i := range rows {
		f.p("VMOVDQU32 (DI), %s", acc(0, i, 0))
		f.p("VMOVDQU32 64(DI), %s", acc(0, i, 1))
		f.p("ADDQ R13, DI")
	}
	for i := 2 * rows; i < 2*rows*sets; i++ {
		s.zero(f, s.reg(i))
	}
	step := func(set int) {
		f.p("VMOVDQU32 %d(BX), %s", 128*set, b0)
		f.p("VMOVDQU32 %d(BX), %s", 128*set+64, b1)
		for i := range rows {
			f.p("VPBROADCASTD %d%s, %s", 4*set, int8Row(i), broadcast)
			f.p("VPDPBUSD %s, %s, %s", b0, broadcast, acc(set, i, 0))
			f.p("VPDPBUSD %s, %s, %s", b1, broadcast, acc(set, i, 1))
		}
	}
	steps := func(count int) {
		for set := range count {
			step(set)
		}
		f.p("ADDQ $%d, BX", 128*count)
		f.p("ADDQ $%d, AX", 4*count)
		if rows > 7 {
			f.p("ADDQ $%d, R8", 4*count)
		}
	}
	// On the way the rows of c are asked for, which are written at the end, then what comes next.
	f.p("MOVQ tileInt8_c(R12), DX")
	f.p("MOVQ tileInt8_cRow(R12), R13")
	f.p("MOVQ $%d, R15", rows)
	f.l("fetch")
	f.p("PREFETCHT0 (DX)")
	f.p("PREFETCHT0 60(DX)")
	f.p("PREFETCHT0 124(DX)")
	f.p("ADDQ R13, DX")
	f.p("DECQ R15")
	f.p("JNZ steps")
	f.p("MOVQ tileInt8_next(R12), DX")
	f.p("MOVQ $128, R13")
	f.p("MOVQ tileInt8_nextRows(R12), R15")
	f.l("steps")
	f.p("MOVQ $%d, R11", kPerFetch)
	f.p("CMPQ CX, R11")
	f.p("CMOVQLT CX, R11")
	f.p("SUBQ R11, CX")
	if sets > 1 {
		f.p("CMPQ R11, $%d", kPerFetch)
		f.p("JNE loop")
		for range kPerFetch / sets {
			steps(sets)
		}
		f.p("TESTQ CX, CX")
		f.p("JNZ fetch")
		f.p("JMP sum")
	}
	f.p("PCALIGN $32")
	f.l("loop")
	steps(1)
	f.p("DECQ R11")
	f.p("JNZ loop")
	f.p("TESTQ CX, CX")
	f.p("JNZ fetch")
	if sets > 1 {
		f.l("sum")
		for set := 1; set < sets; set++ {
			for i := range 2 * rows {
				f.p("VPADDD %s, %s, %s", s.reg(2*rows*set+i), s.reg(i), s.reg(i))
			}
		}
	}
	f.p("MOVQ tileInt8_c(R12), DI")
	f.p("MOVQ tileInt8_cRow(R12), R13")
	for i := range rows {
		f.p("VMOVDQU32 %s, (DI)", acc(0, i, 0))
		f.p("VMOVDQU32 %s, 64(DI)", acc(0, i, 1))
		f.p("ADDQ R13, DI")
	}
	f.p("VZEROUPPER")
	f.p("RET")
}

// tileInt8AVX2 emits c = init + Σ a·b for rows and 16 columns: bytes of b become words, VPMADDWD adds two products
// exactly, so each column has two sums until the end.
func tileInt8AVX2(f *file, s isa, rows int) {
	f.function(fmt.Sprintf("tileInt8AVX2%d", rows), "t *tileInt8", 8,
		fmt.Sprintf("computes %d rows of half a panel, a being words of 16 bits.", rows))
	int8Arguments(f, rows)
	acc := func(i, j int) string { return s.reg(4*i + j) }
	b, product := s.reg(12), s.reg(13)
	for i := range 4 * rows {
		s.zero(f, s.reg(i))
	}
	f.p("PCALIGN $32")
	f.l("loop")
	for j := range 4 {
		f.p("VPMOVSXBW %d(BX), %s", 16*j, b)
		for i := range rows {
			f.p("VPBROADCASTQ %s, %s", int8Row(i), product)
			f.p("VPMADDWD %s, %s, %s", b, product, product)
			f.p("VPADDD %s, %s, %s", product, acc(i, j), acc(i, j))
		}
	}
	f.p("ADDQ $128, BX")
	f.p("ADDQ $8, AX")
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("MOVQ tileInt8_c(R12), DX")
	f.p("MOVQ tileInt8_cRow(R12), R11")
	for i := range rows {
		for j := 0; j < 4; j += 2 {
			// Columns 0 1 4 5 2 3 6 7, then in order.
			f.p("VPHADDD %s, %s, %s", acc(i, j+1), acc(i, j), product)
			f.p("VPERMQ $0xd8, %s, %s", product, product)
			f.p("VPADDD %d(DI), %s, %s", 16*j, product, product)
			f.p("VMOVDQU %s, %d(DX)", product, 16*j)
		}
		f.p("ADDQ R13, DI")
		f.p("ADDQ R11, DX")
	}
	f.p("VZEROUPPER")
	f.p("RET")
}
