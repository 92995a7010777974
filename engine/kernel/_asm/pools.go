package main

import "fmt"

// poolWindows are the windows that maxima are written for, as their side and stride.
var poolWindows = [][2]int{{2, 2}, {3, 1}, {3, 2}, {5, 1}}

// maximumPlanes emits maxima of windows over whole planes, for AVX-512, in strips as depthwise.go has them. Numbers are ordered as unsigned integers: the bits of
// negative ones turned around, then all shifted so that -Inf is 0 and what would be below, NaN with a sign, is at the top. That is the
// order of rule 4, and what is masked is -Inf.
func maximumPlanes(f *file) {
	for _, w := range poolWindows {
		maximumOf(f, avx512, w[0], w[1])
	}
	f.lowest = true
}

func maximumOf(f *file, s isa, side, stride int) {
	f.function(fmt.Sprintf("maximum%dStride%d%s", side, stride, s.name), "t *planeTile", 8,
		fmt.Sprintf("computes planes of maxima of windows of %d×%d that are %d apart.", side, side, stride))
	registers := 0
	take := func() string { registers++; return s.reg(registers - 1) }
	turn, shift, evens, odds := take(), take(), take(), take()
	x, next, third, sign, y := take(), take(), take(), take(), take()
	var rows []string // maxima of rows
	for range side {
		rows = append(rows, take())
	}
	loads := side
	if stride == 2 {
		loads = min(3, side)
	}
	ordered := func(i, at int, x string) { // the i-th load, as an integer
		f.p("VMOVUPS.Z %d(R10), K%d, %s", at, i+1, x)
		f.p("VPSRAD $31, %s, %s", x, sign)
		f.p("VPTERNLOGD $0x78, %s, %s, %s", turn, sign, x) // x ^ (sign & turn)
		f.p("VPADDD.Z %s, %s, K%d, %s", shift, x, i+1, x)
	}
	row := func(to string) {
		f.p("MOVQ SI, R10")
		f.p("CMPQ CX, AX")
		f.p("CMOVQCC R8, R10")
		f.p("ADDQ R11, SI")
		f.p("INCQ CX")
		if stride == 1 {
			ordered(0, 0, to)
			for k := 1; k < side; k++ {
				ordered(k, 4*k, x)
				f.p("VPMAXUD %s, %s, %s", x, to, to)
			}
			return
		}
		ordered(0, 0, x)
		ordered(1, s.bytes(), next)
		f.p("VMOVAPS %s, %s", evens, y)
		f.p("VPERMI2PS %s, %s, %s", next, x, y)
		f.p("VMOVAPS %s, %s", odds, to)
		f.p("VPERMI2PS %s, %s, %s", next, x, to)
		f.p("VPMAXUD %s, %s, %s", y, to, to)
		if side > 2 {
			ordered(2, 2*s.bytes(), third)
			f.p("VALIGND $1, %s, %s, %s", y, third, y)
			f.p("VPMAXUD %s, %s, %s", y, to, to)
		}
	}
	f.p("MOVQ t+0(FP), R12")
	f.p("MOVQ planeTile_xRow(R12), R11")
	f.p("MOVQ planeTile_yRow(R12), R13")
	f.p("MOVQ planeTile_xRows(R12), AX")
	f.p("LEAQ lowest<>(SB), R8")
	f.p("VPBROADCASTD constants<>+%d(SB), %s", f.constant(1<<31-1), turn)
	f.p("VPBROADCASTD constants<>+%d(SB), %s", f.constant(0x7f800001), shift)
	if stride == 2 {
		f.p("VMOVDQU32 evens<>(SB), %s", evens)
		f.p("VMOVDQU32 odds<>(SB), %s", odds)
		f.pairs = true
	}
	f.l("plane")
	for _, field := range []string{"x", "y"} {
		f.p("MOVQ planeTile_%sAt(R12), R10", field)
		f.p("MOVQ R10, planeTile_%sStrip(R12)", field)
	}
	f.p("MOVQ planeTile_masks(R12), R15")
	f.p("MOVQ planeTile_strips(R12), R10")
	f.p("MOVQ R10, planeTile_left(R12)")
	f.l("strip")
	for i := range loads + 1 {
		f.p("KMOVW %d(R15), K%d", 4*i, i+1)
	}
	f.p("ADDQ $%d, R15", 4*(loads+1))
	f.p("MOVQ planeTile_xStrip(R12), SI")
	f.p("MOVQ planeTile_yStrip(R12), DI")
	f.p("MOVQ planeTile_first(R12), CX")
	f.p("MOVQ planeTile_rows(R12), R9")
	kept := side - stride // rows that the next output reads too
	for i := range kept {
		row(rows[i])
	}
	f.l("row")
	for i := kept; i < side; i++ {
		row(rows[i])
	}
	f.p("VPMAXUD %s, %s, %s", rows[0], rows[1], y)
	for i := 2; i < side; i++ {
		f.p("VPMAXUD %s, %s, %s", rows[i], y, y)
	}
	f.p("VPSUBD %s, %s, %s", shift, y, y)
	f.p("VPSRAD $31, %s, %s", y, sign)
	f.p("VPTERNLOGD $0x78, %s, %s, %s", turn, sign, y)
	f.p("VMOVUPS %s, K%d, (DI)", y, loads+1)
	f.p("ADDQ R13, DI")
	for i := range kept {
		f.p("VMOVAPS %s, %s", rows[i+stride], rows[i])
	}
	f.p("DECQ R9")
	f.p("JNZ row")
	f.p("ADDQ $%d, planeTile_xStrip(R12)", stride*s.bytes())
	f.p("ADDQ $%d, planeTile_yStrip(R12)", s.bytes())
	f.p("DECQ planeTile_left(R12)")
	f.p("JNZ strip")
	for _, step := range [][2]string{{"xPlane", "xAt"}, {"yPlane", "yAt"}} {
		f.p("MOVQ planeTile_%s(R12), R10", step[0])
		f.p("ADDQ R10, planeTile_%s(R12)", step[1])
	}
	f.p("DECQ planeTile_planes(R12)")
	f.p("JNZ plane")
	f.p("VZEROUPPER")
	f.p("RET")
}
