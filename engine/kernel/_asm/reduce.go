package main

import "fmt"

// reduceLanes is the number of strided partial results, as in engine/kernel.
const reduceLanes = 32

var reductions = []struct {
	name   string
	inputs int
	doc    string
	build  func(p *program, lane value) value
}{
	{"sumLanes", 1, "lane[i%32] += x[i]", func(p *program, lane value) value { return p.plus(lane, p.input(0)) }},
	{"dotLanes", 2, "lane[i%32] = fma(x[i], y[i], lane[i%32])",
		func(p *program, lane value) value { return p.fma(p.input(0), p.input(1), lane) }},
	{"maximumLanes", 1, "lane[i%32] = maximum(lane[i%32], x[i])",
		func(p *program, lane value) value { return p.maximum(lane, p.input(0)) }},
	{"minimumLanes", 1, "lane[i%32] = minimum(lane[i%32], x[i])",
		func(p *program, lane value) value { return p.minimum(lane, p.input(0)) }},
}

func reduce(f *file) {
	for _, s := range isas {
		for _, r := range reductions {
			params, bytes := "lane *[32]float32, x *float32, n int", 24
			if r.inputs == 2 {
				params, bytes = "lane *[32]float32, x, y *float32, n int", 32
			}
			f.function(r.name+s.name, params, bytes, "does "+r.doc+" for ascending i < n; n is a multiple of 32.")
			f.p("MOVQ lane+0(FP), DI")
			f.p("MOVQ x+8(FP), SI")
			if r.inputs == 2 {
				f.p("MOVQ y+16(FP), DX")
			}
			f.p("MOVQ n+%d(FP), CX", bytes-8)
			var accumulators []string
			for i := range reduceLanes / s.lanes {
				accumulators = append(accumulators, s.reg(i))
				s.load(f, fmt.Sprintf("%d(DI)", i*s.bytes()), s.reg(i), false)
			}
			f.p("SUBQ $%d, CX", reduceLanes)
			f.p("JLT done")
			f.p("PCALIGN $32")
			f.l("blocks")
			for i, acc := range accumulators {
				p := &program{}
				p.result = r.build(p, p.bound(i))
				a := allocate(f, s, p, accumulators)
				offset := i * s.bytes()
				if got := a.step([]string{fmt.Sprintf("%d(SI)", offset), fmt.Sprintf("%d(DX)", offset)}, false); got != acc {
					f.p("VMOVAPS %s, %s", got, acc)
				}
			}
			f.p("ADDQ $%d, SI", 4*reduceLanes)
			if r.inputs == 2 {
				f.p("ADDQ $%d, DX", 4*reduceLanes)
			}
			f.p("SUBQ $%d, CX", reduceLanes)
			f.p("JGE blocks")
			f.l("done")
			for i, acc := range accumulators {
				s.store(f, acc, fmt.Sprintf("%d(DI)", i*s.bytes()), false)
			}
			f.p("VZEROUPPER")
			f.p("RET")
		}
	}
}
