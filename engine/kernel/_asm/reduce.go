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
	for _, s := range f.arch.isas() {
		lane, x, y, count := s.arch.pointers[0], s.arch.pointers[1], s.arch.pointers[2], s.arch.count
		for _, r := range reductions {
			params, bytes := "lane *[32]float32, x *float32, n int", 24
			if r.inputs == 2 {
				params, bytes = "lane *[32]float32, x, y *float32, n int", 32
			}
			f.function(r.name+s.name, params, bytes, "does "+r.doc+" for ascending i < n; n is a multiple of 32.")
			s.argument(f, "lane", 0, lane)
			s.argument(f, "x", 8, x)
			if r.inputs == 2 {
				s.argument(f, "y", 16, y)
			}
			s.argument(f, "n", bytes-8, count)
			var accumulators []string
			for i := range reduceLanes / s.lanes {
				accumulators = append(accumulators, s.reg(i))
				s.load(f, fmt.Sprintf("%d(%s)", i*s.bytes(), lane), s.reg(i), false)
			}
			f.p("%s $%d, %s", s.arch.subtract, reduceLanes, count)
			f.p("%s done", s.arch.jumpLess)
			f.p("PCALIGN $32")
			f.l("blocks")
			for i, acc := range accumulators {
				p := &program{isa: s}
				p.result = r.build(p, p.bound(i))
				a := allocate(f, p, accumulators)
				a.into = acc
				offset := i * s.bytes()
				a.step([]string{fmt.Sprintf("%d(%s)", offset, x), fmt.Sprintf("%d(%s)", offset, y)}, false)
			}
			f.p("%s $%d, %s", s.arch.add, 4*reduceLanes, x)
			if r.inputs == 2 {
				f.p("%s $%d, %s", s.arch.add, 4*reduceLanes, y)
			}
			f.p("%s $%d, %s", s.arch.subtract, reduceLanes, count)
			f.p("%s blocks", s.arch.jumpNotLess)
			f.l("done")
			for i, acc := range accumulators {
				s.store(f, acc, fmt.Sprintf("%d(%s)", i*s.bytes(), lane), false)
			}
			s.end(f)
		}
	}
}
