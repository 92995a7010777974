package main

// sumRows emits the sums of rows, each by 32 lanes as sumLanes has them: where a row ends within a block of 32, +0 is added to the other lanes, which
// changes none, since a lane that begins at +0 is never -0.
func sumRows(f *file) {
	for _, s := range f.arch.isas() {
		f.function("sumRows"+s.name, "dst, x *float32, rows, n int, masks *uint32", 40,
			"sets dst[i] to the sum of x[i·n … (i+1)·n-1]; masks are of the last block of a row, which is not empty.")
		vectors := reduceLanes / s.lanes
		f.p("MOVQ dst+0(FP), DI")
		f.p("MOVQ x+8(FP), SI")
		f.p("MOVQ rows+16(FP), R8")
		f.p("MOVQ n+24(FP), R9")
		f.p("DECQ R9")
		f.p("SHRQ $5, R9") // whole blocks before the last one
		f.p("MOVQ n+24(FP), R10")
		f.p("MOVQ R9, AX")
		f.p("SHLQ $5, AX")
		f.p("SUBQ AX, R10")
		f.p("SHLQ $2, R10") // bytes of the last block
		f.p("MOVQ masks+32(FP), DX")
		lane := s.reg
		temp, mask := s.reg(vectors), func(i int) string { return s.reg(vectors + 1 + i) }
		for i := range vectors {
			if s.kMasks {
				f.p("KMOVW %d(DX), K%d", 4*i, i+1)
			} else {
				f.p("VMOVDQU %d(DX), %s", 4*s.lanes*i, mask(i))
			}
		}
		f.l("row")
		for i := range vectors {
			s.zero(f, lane(i))
		}
		f.p("MOVQ R9, CX")
		f.p("TESTQ CX, CX")
		f.p("JEQ last")
		f.l("block")
		for i := range vectors {
			f.p("VADDPS %d(SI), %s, %s", i*s.bytes(), lane(i), lane(i))
		}
		f.p("ADDQ $%d, SI", 4*reduceLanes)
		f.p("DECQ CX")
		f.p("JNZ block")
		f.l("last")
		for i := range vectors {
			if s.kMasks {
				f.p("VMOVUPS.Z %d(SI), K%d, %s", i*s.bytes(), i+1, temp)
			} else {
				f.p("VMASKMOVPS %d(SI), %s, %s", i*s.bytes(), mask(i), temp)
			}
			f.p("VADDPS %s, %s, %s", temp, lane(i), lane(i))
		}
		for h := vectors / 2; h > 0; h /= 2 {
			for i := range h {
				f.p("VADDPS %s, %s, %s", lane(i+h), lane(i), lane(i))
			}
		}
		if s.kMasks {
			f.p("VEXTRACTF64X4 $1, Z0, Y1")
			f.p("VADDPS Y1, Y0, Y0")
		}
		f.p("VEXTRACTF128 $1, Y0, X1")
		f.p("VADDPS X1, X0, X0")
		f.p("VMOVHLPS X0, X0, X1")
		f.p("VADDPS X1, X0, X0")
		f.p("VMOVSHDUP X0, X1")
		f.p("VADDSS X1, X0, X0")
		f.p("VMOVSS X0, (DI)")
		f.p("ADDQ $4, DI")
		f.p("ADDQ R10, SI")
		f.p("DECQ R8")
		f.p("JNZ row")
		f.p("VZEROUPPER")
		f.p("RET")
	}
}
