package main

import "fmt"

// depthwiseWindow is the side of the windows that planes are written for, nearly all there are.
const depthwiseWindow = 3

// depthwisePlanes emits convolutions of whole planes, one channel each, by windows of 3×3 that read x where it is.
func depthwisePlanes(f *file) {
	for _, s := range f.arch.isas() {
		planesOf(f, s, 1)
		planesOf(f, s, 2)
	}
	f.zeros = true
}

// planes is the state of planesOf.
type planes struct {
	*file
	s                             isa
	stride                        int
	weights                       []string
	bias, low, high, zero         string // "" if there is no register for it
	loads                         int    // masks of loads; the mask of what is stored follows
	evens, odds, pair, next, temp string // stride 2
	fin, mid, begun               string // stride 1: outputs of three rows that are on their way
	registers                     int
	ends                          int // of rows that have been emitted
}

// planesOf emits a convolution of planes. A plane is computed in strips of one vector of outputs, from the first row to the last. Each row of x is
// read under masks that leave +0 where padding is; rows that are padding are read from zeros. With stride 1 a row takes part in three
// outputs at once, which are in different states; with stride 2 an output takes three rows. Either way the chain of fma of an
// output goes over its window in row-major order. It begins with a product instead of an fma onto +0, which differs in the sign of
// zero only, and that goes when the block is added to +0.
func planesOf(f *file, s isa, stride int) {
	f.function(fmt.Sprintf("planesStride%d%s", stride, s.name), "t *planeTile", 8,
		fmt.Sprintf("computes planes of outputs with windows of 3×3 that are %d apart, each of one channel.", stride))
	p := &planes{file: f, s: s, stride: stride}
	p.start()
	f.l("plane")
	f.p("MOVQ planeTile_wAt(R12), BX")
	for i, w := range p.weights {
		f.p("VBROADCASTSS %d(BX), %s", 4*i, w)
	}
	f.p("MOVQ planeTile_biasAt(R12), BX")
	if p.bias != "" {
		f.p("VBROADCASTSS (BX), %s", p.bias)
	}
	for _, field := range []string{"x", "y"} {
		f.p("MOVQ planeTile_%sAt(R12), R10", field)
		f.p("MOVQ R10, planeTile_%sStrip(R12)", field)
	}
	f.p("MOVQ planeTile_masks(R12), R10")
	f.p("MOVQ R10, planeTile_masksAt(R12)")
	f.p("MOVQ planeTile_strips(R12), R10")
	f.p("MOVQ R10, planeTile_left(R12)")
	f.l("strip")
	f.p("MOVQ planeTile_masksAt(R12), R15")
	if s.kMasks {
		for i := range p.loads + 1 {
			f.p("KMOVW %d(R15), K%d", 4*i, i+1)
		}
	}
	f.p("MOVQ planeTile_xStrip(R12), SI")
	f.p("MOVQ planeTile_yStrip(R12), DI")
	if !s.kMasks {
		f.p("MOVQ planeTile_left(R12), R14")
		f.p("ADDQ planeTile_whole(R12), R14") // 1 for a vector that is not whole
	}
	f.p("MOVQ planeTile_first(R12), CX")
	f.p("MOVQ planeTile_rows(R12), R9")
	p.strip()
	masks := 4 * (p.loads + 1)
	if !s.kMasks {
		masks *= s.lanes
	}
	f.p("ADDQ $%d, planeTile_masksAt(R12)", masks)
	f.p("ADDQ $%d, planeTile_xStrip(R12)", stride*s.bytes())
	f.p("ADDQ $%d, planeTile_yStrip(R12)", s.bytes())
	f.p("DECQ planeTile_left(R12)")
	f.p("JNZ strip")
	for _, step := range [][2]string{{"xPlane", "xAt"}, {"yPlane", "yAt"}, {"biasStep", "biasAt"}} {
		f.p("MOVQ planeTile_%s(R12), R10", step[0])
		f.p("ADDQ R10, planeTile_%s(R12)", step[1])
	}
	f.p("ADDQ $%d, planeTile_wAt(R12)", 4*depthwiseWindow*depthwiseWindow)
	f.p("DECQ planeTile_planes(R12)")
	f.p("JNZ plane")
	f.p("VZEROUPPER")
	f.p("RET")
}

func (p *planes) take() string {
	p.registers++
	return p.s.reg(p.registers - 1)
}

// start loads what stays for all planes.
func (p *planes) start() {
	for range depthwiseWindow * depthwiseWindow {
		p.weights = append(p.weights, p.take())
	}
	p.loads = 3
	p.fin, p.temp = p.take(), p.take()
	if p.stride == 1 {
		p.mid, p.begun = p.take(), p.take()
	} else {
		p.pair, p.next = p.take(), p.take()
		if !p.s.kMasks {
			p.loads = 4
		}
	}
	p.p("MOVQ t+0(FP), R12")
	p.p("MOVQ planeTile_xRow(R12), R11")
	p.p("MOVQ planeTile_yRow(R12), R13")
	p.p("MOVQ planeTile_xRows(R12), AX")
	p.p("MOVQ planeTile_residual(R12), DX")
	p.p("LEAQ zeros<>(SB), R8")
	if !p.s.kMasks {
		return
	}
	p.bias, p.low, p.high, p.zero = p.take(), p.take(), p.take(), p.take()
	p.p("VBROADCASTSS planeTile_low(R12), %s", p.low)
	p.p("VBROADCASTSS planeTile_high(R12), %s", p.high)
	p.s.zero(p.file, p.zero)
	if p.stride == 2 {
		p.evens, p.odds = p.take(), p.take()
		p.p("VMOVDQU32 evens<>(SB), %s", p.evens)
		p.p("VMOVDQU32 odds<>(SB), %s", p.odds)
		p.file.pairs = true
	}
}

// row sets R10 to the next row of x, or to zeros if that is padding.
func (p *planes) row() {
	p.p("MOVQ SI, R10")
	p.p("CMPQ CX, AX")
	p.p("CMOVQCC R8, R10") // unsigned: rows above are negative
	p.p("ADDQ R11, SI")
	p.p("INCQ CX")
}

// load reads a vector at a distance from R10 under the i-th mask.
func (p *planes) load(i, at int, dst string) {
	if p.s.kMasks {
		p.p("VMOVUPS.Z %d(R10), K%d, %s", at, i+1, dst)
		return
	}
	p.p("VMOVDQU %d(R15), %s", 4*p.s.lanes*i, dst)
	p.p("VMASKMOVPS %d(R10), %s, %s", at, dst, dst)
}

// add takes x times a weight to a chain, which begins with the first place of the window.
func (p *planes) add(place int, x, chain string) {
	if place == 0 {
		p.p("VMULPS %s, %s, %s", p.weights[place], x, chain)
	} else {
		p.p("VFMADD231PS %s, %s, %s", p.weights[place], x, chain)
	}
}

// strip emits the rows of a strip.
func (p *planes) strip() {
	if p.stride == 1 {
		p.rowsByOne()
	} else {
		p.rowsByTwo()
	}
}

// rowsByOne: the first two rows begin outputs, each further one ends one too.
func (p *planes) rowsByOne() {
	row := func(outputs int) {
		p.row()
		for k := range depthwiseWindow {
			p.load(k, 4*k, p.temp)
			for i, chain := range []string{p.begun, p.mid, p.fin}[:outputs] {
				p.add(i*depthwiseWindow+k, p.temp, chain)
			}
		}
	}
	move := func(from, to string) { p.p("VMOVAPS %s, %s", from, to) }
	row(1)
	move(p.begun, p.mid)
	row(2)
	move(p.mid, p.fin)
	move(p.begun, p.mid)
	p.l("row")
	row(3)
	p.end()
	move(p.mid, p.fin)
	move(p.begun, p.mid)
	p.p("DECQ R9")
	p.p("JNZ row")
}

// rowsByTwo: the third row of an output is the first of the next one. With AVX-512 its three vectors stay in registers.
func (p *planes) rowsByTwo() {
	if !p.s.kMasks {
		p.rowsByTwoReread()
		return
	}
	kept := []string{p.take(), p.take(), p.take()}
	other := []string{p.take(), p.take(), p.take()}
	read := func(x []string) {
		p.row()
		p.load(0, 0, p.pair)
		p.load(1, p.s.bytes(), p.next)
		p.load(2, 2*p.s.bytes(), p.temp)
		p.p("VMOVAPS %s, %s", p.evens, x[0])
		p.p("VPERMI2PS %s, %s, %s", p.next, p.pair, x[0])
		p.p("VMOVAPS %s, %s", p.odds, x[1])
		p.p("VPERMI2PS %s, %s, %s", p.next, p.pair, x[1])
		p.p("VALIGND $1, %s, %s, %s", x[0], p.temp, x[2])
	}
	add := func(k int, x []string) {
		for i := range x {
			p.add(k*depthwiseWindow+i, x[i], p.fin)
		}
	}
	read(kept)
	p.l("row")
	add(0, kept)
	read(other)
	add(1, other)
	read(kept)
	add(2, kept)
	p.end()
	p.p("DECQ R9")
	p.p("JNZ row")
}

// rowsByTwoReread reads the third row again.
func (p *planes) rowsByTwoReread() {
	p.l("row")
	for k := range depthwiseWindow {
		p.row()
		even := func(shuffle, x string) {
			p.p("VSHUFPS $%s, %s, %s, %s", shuffle, p.next, p.pair, x)
			p.p("VPERMPD $0xD8, %s, %s", x, x)
		}
		p.load(0, 0, p.pair)
		p.load(1, p.s.bytes(), p.next)
		even("0x88", p.temp)
		p.add(k*depthwiseWindow, p.temp, p.fin)
		even("0xDD", p.temp)
		p.add(k*depthwiseWindow+1, p.temp, p.fin)
		p.load(2, 8, p.pair)
		p.load(3, 8+p.s.bytes(), p.next)
		even("0x88", p.temp)
		p.add(k*depthwiseWindow+2, p.temp, p.fin)
	}
	p.p("SUBQ R11, SI")
	p.p("DECQ CX")
	p.end()
	p.p("DECQ R9")
	p.p("JNZ row")
}

// end does what follows the sums of a vector of outputs and stores it. All vectors of a strip but the last are whole.
func (p *planes) end() {
	with := func(reg, load string) string {
		if reg != "" {
			return reg
		}
		p.p("VBROADCASTSS %s, %s", load, p.temp)
		return p.temp
	}
	if p.zero == "" {
		p.s.zero(p.file, p.temp)
		p.p("VADDPS %s, %s, %s", p.temp, p.fin, p.fin)
	} else {
		p.p("VADDPS %s, %s, %s", p.zero, p.fin, p.fin)
	}
	p.p("VADDPS %s, %s, %s", with(p.bias, "(BX)"), p.fin, p.fin)
	p.ends++
	clip := fmt.Sprintf("clip%d", p.ends)
	p.p("TESTQ DX, DX")
	p.p("JEQ %s", clip)
	if p.s.kMasks {
		p.p("VMOVUPS.Z (DI)(DX*1), K%d, %s", p.loads+1, p.temp)
	} else {
		p.p("VMOVDQU %d(R15), %s", 4*p.s.lanes*p.loads, p.temp)
		p.p("VMASKMOVPS (DI)(DX*1), %s, %s", p.temp, p.temp)
	}
	p.p("VADDPS %s, %s, %s", p.temp, p.fin, p.fin)
	p.l(clip)
	p.p("VMAXPS %s, %s, %s", p.fin, with(p.low, "planeTile_low(R12)"), p.fin)
	p.p("VMINPS %s, %s, %s", p.fin, with(p.high, "planeTile_high(R12)"), p.fin)
	p.store()
	p.p("ADDQ R13, DI")
}

// store writes a vector of outputs. VMASKMOVPS is slow: only the last vectors of rows need it.
func (p *planes) store() {
	if p.s.kMasks {
		p.p("VMOVUPS %s, K%d, (DI)", p.fin, p.loads+1)
		return
	}
	part, done := fmt.Sprintf("part%d", p.ends), fmt.Sprintf("stored%d", p.ends)
	p.p("CMPQ R14, $1")
	p.p("JEQ %s", part)
	p.p("VMOVUPS %s, (DI)", p.fin)
	p.p("JMP %s", done)
	p.l(part)
	p.p("VMOVDQU %d(R15), %s", 4*p.s.lanes*p.loads, p.temp)
	p.p("VMASKMOVPS %s, %s, (DI)", p.fin, p.temp)
	p.l(done)
}
