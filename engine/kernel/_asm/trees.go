package main

// treesScore emits the walk of sixteen rows through a tree of few leaves, without a branch on data: each inner node whose test fails takes the leaves of its
// first child from those that a row may end at. The first leaf that is left is where it ends.
func treesScore(f *file) {
	f.function("scoreTreeAVX512", "left *uint64, x *float32, nodes *scoreNode, n, groups, groupBytes int", 48,
		"sets 16 words for each group of 16 rows, the features of which are [features, 16], to the leaves that are left.")
	f.p("MOVQ left+0(FP), DI")
	f.p("MOVQ x+8(FP), SI")
	f.p("MOVQ groups+32(FP), R9")
	f.p("MOVQ groupBytes+40(FP), R10")
	f.l("group")
	f.p("MOVQ nodes+16(FP), DX")
	f.p("MOVQ n+24(FP), CX")
	f.p("VPTERNLOGD $0xff, Z0, Z0, Z0")
	f.p("VMOVDQA64 Z0, Z1")
	f.p("TESTQ CX, CX")
	f.p("JEQ done")
	f.l("node")
	f.p("MOVL scoreNode_at(DX), R8")
	f.p("VBROADCASTSS scoreNode_threshold(DX), Z2")
	f.p("VCMPPS $0x19, (SI)(R8*1), Z2, K1") // not threshold >= x: also for a threshold that is NaN
	f.p("KSHIFTRW $8, K1, K2")
	f.p("VPANDQ.BCST scoreNode_keep(DX), Z0, K1, Z0")
	f.p("VPANDQ.BCST scoreNode_keep(DX), Z1, K2, Z1")
	f.p("ADDQ $16, DX")
	f.p("DECQ CX")
	f.p("JNZ node")
	f.l("done")
	f.p("VMOVDQU64 Z0, (DI)")
	f.p("VMOVDQU64 Z1, 64(DI)")
	f.p("ADDQ $128, DI")
	f.p("ADDQ R10, SI")
	f.p("DECQ R9")
	f.p("JNZ group")
	f.p("VZEROUPPER")
	f.p("RET")
}
