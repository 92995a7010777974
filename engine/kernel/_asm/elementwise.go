package main

import "fmt"

// The programs below follow the Go definitions of engine/kernel line by line; constants have the names they have
// there.

const signBit = 1 << 31

func (p *program) abs(x value) value  { return p.and(x, p.word(signBit-1)) }
func (p *program) sign(x value) value { return p.and(x, p.word(signBit)) }

// NaN passes both.
func (p *program) atMost(limit float32, x value) value  { return p.lesser(p.number(limit), x) }
func (p *program) atLeast(limit float32, x value) value { return p.greater(p.number(limit), x) }

func (p *program) exp(x value) value { return p.expWithin(p.atLeast(-104, p.atMost(89, x))) }

// expWithin is exp of a number within its limits. VSCALEFPS scales by 2^n with one rounding, as the two products of the definition do: the
// first is exact.
func (p *program) expWithin(x value) value {
	const toInt = 0x1.8p23
	t := p.fma(x, p.number(0x1.715476p0), p.number(toInt))
	n := p.minus(t, p.number(toInt))
	r := p.fma(n, p.number(-0x1.62e43p-1), x)
	r = p.fma(n, p.number(0x1.05c61p-29), r)
	y := p.horner(r, 0x1.694c9cp-10, 0x1.12398p-7, 0x1.555a26p-5, 0x1.555492p-3, 0x1.fffffap-2, 1, 1)
	if p.isa.kMasks {
		return p.apply(opScale, y, n)
	}
	i := p.minusInt(t, p.number(toInt))
	half := p.shiftRight(i, 1)
	rest := p.minusInt(i, half)
	bias := p.word(127)
	y = p.times(y, p.shiftLeft(p.plusInt(rest, bias), 23))
	return p.times(y, p.shiftLeft(p.plusInt(half, bias), 23))
}

func (p *program) log(x value) value {
	const sqrtHalfBits = 0x3f3504f3
	subnormal := p.compare(less, x, p.number(0x1p-126))
	scaled := p.and(p.number(-23), p.pick(subnormal, p.word(0xffffffff), p.number(0)))
	z := p.pick(subnormal, p.times(x, p.number(0x1p23)), x)
	exponent := p.shiftRight(p.minusInt(z, p.word(sqrtHalfBits)), 23)
	f := p.minus(p.minusInt(z, p.shiftLeft(exponent, 23)), p.number(1))
	e := p.plus(p.toFloat(exponent), scaled)
	s := p.times(f, f)
	q := p.horner(f, 0x1.13c81cp-4, -0x1.dda44cp-4, 0x1.e6def4p-4, -0x1.fc3ccp-4, 0x1.233ac2p-3, -0x1.555b92p-3,
		0x1.99a47ap-3, -0x1.000008p-2, 0x1.555548p-2)
	y := p.times(p.times(s, f), q)
	y = p.fma(e, p.number(-0x1.05c61p-29), y)
	y = p.fma(s, p.number(-0.5), y)
	y = p.fma(e, p.number(0x1.62e43p-1), p.plus(f, y))
	zero := p.number(0)
	y = p.pick(p.compare(equal, x, zero), p.word(0xff800000), y)
	y = p.pick(p.compare(less, x, zero), p.word(0x7fc00000), y)
	return p.pick(p.compare(lessOrEq, x, p.word(0x7f7fffff)), y, x)
}

func (p *program) tanh(x value) value {
	a, one := p.abs(x), p.number(1)
	s := p.times(a, a)
	q := p.horner(s, 0x1.225e3ap-9, -0x1.0e50e2p-7, 0x1.63f936p-6, -0x1.b9f766p-5, 0x1.11108cp-3, -0x1.555554p-2)
	small := p.fma(p.times(a, s), q, a)
	e := p.expWithin(p.atMost(89, p.plus(a, a)))
	large := p.minus(one, p.over(p.number(2), p.plus(e, one)))
	return p.or(p.pick(p.compare(less, a, p.number(0.6)), small, large), p.sign(x))
}

func (p *program) erf(x value) value {
	a := p.abs(x)
	s := p.times(a, a)
	q := p.horner(s, 0x1.5bd58cp-14, -0x1.a9e392p-11, 0x1.54bb3ap-8, -0x1.b80cdap-6, 0x1.ce2decp-4, -0x1.812742p-2, 0x1.06eba8p-3)
	small := p.fma(a, q, a)
	b := p.lesser(p.number(4), a)
	q = p.horner(b, 0x1.ae39b6p-20, -0x1.7c8044p-15, 0x1.35ba0cp-11, -0x1.36046ep-8, 0x1.af7dep-6, -0x1.c24222p-4,
		-0x1.4394b8p-1, -0x1.21505ap0, 0x1.34cb9ap-12)
	large := p.minus(p.number(1), p.expWithin(q))
	return p.or(p.pick(p.compare(less, a, p.number(0.925)), small, large), p.sign(x))
}

func (p *program) sigmoid(x value) value {
	one := p.number(1)
	e := p.expWithin(p.atLeast(-104, p.or(x, p.word(signBit))))
	return p.over(p.pick(p.compare(greaterOrEq, x, p.number(0)), one, e), p.plus(one, e))
}

func (p *program) silu(x value) value { return p.times(x, p.sigmoid(x)) }

// extreme is the maximum (opGreater, with opAnd for equal operands) or minimum (opLesser, opOr) of rule 4, from operations that x86
// has.
func (p *program) extreme(op, ifEqual string, a, b value) value {
	y := p.pick(p.compare(equal, a, b), p.apply(ifEqual, a, b), p.apply(op, a, b))
	return p.pick(p.compare(unordered, a, b), p.plus(a, b), y)
}

func (p *program) maximum(a, b value) value {
	if p.isa.isNEON() {
		return p.apply(opMaximum, a, b)
	}
	return p.extreme(opGreater, opAnd, a, b)
}

func (p *program) minimum(a, b value) value {
	if p.isa.isNEON() {
		return p.apply(opMinimum, a, b)
	}
	return p.extreme(opLesser, opOr, a, b)
}

var unaries = []struct {
	name  string
	build func(p *program, x value) value
}{
	{"exp", (*program).exp},
	{"log", (*program).log},
	{"tanh", (*program).tanh},
	{"erf", (*program).erf},
	{"sigmoid", (*program).sigmoid},
	{"silu", (*program).silu},
	{"sqrt", func(p *program, x value) value { return p.apply(opSqrt, x) }},
	{"reciprocal", func(p *program, x value) value { return p.over(p.number(1), x) }},
	{"neg", func(p *program, x value) value { return p.xor(x, p.word(signBit)) }},
	{"abs", (*program).abs},
	{"relu", func(p *program, x value) value { return p.maximum(x, p.number(0)) }},
}

var binaries = []struct {
	name  string
	build func(p *program, a, b value) value
}{
	{"add", (*program).plus},
	{"sub", (*program).minus},
	{"mul", (*program).times},
	{"div", (*program).over},
	{"maximum", (*program).maximum},
	{"minimum", (*program).minimum},
	{"gate", func(p *program, a, b value) value {
		return p.pick(p.compare(less, p.number(0), b), a, p.number(0))
	}},
}

func elementwise(f *file) {
	for _, s := range f.arch.isas() {
		to, from, other := s.arch.pointers[0], s.arch.pointers[1], s.arch.pointers[2]
		for _, u := range unaries {
			p := &program{isa: s}
			p.result = u.build(p, p.input(0))
			f.function(u.name+s.name, "dst, src *float32, n int", 24,
				fmt.Sprintf("sets dst[i] = %s(src[i]) for i < n.", u.name))
			s.argument(f, "dst", 0, to)
			s.argument(f, "src", 8, from)
			s.argument(f, "n", 16, s.arch.count)
			loop(f, allocate(f, p, nil), from)
		}
		for _, b := range binaries {
			p := &program{isa: s}
			p.result = b.build(p, p.input(0), p.input(1))
			f.function(b.name+s.name, "dst, a, b *float32, n int", 32,
				fmt.Sprintf("sets dst[i] = %s(a[i], b[i]) for i < n.", b.name))
			s.argument(f, "dst", 0, to)
			s.argument(f, "a", 8, from)
			s.argument(f, "b", 16, other)
			s.argument(f, "n", 24, s.arch.count)
			loop(f, allocate(f, p, nil), from, other)

			if b.name == "gate" { // has no use with a scalar
				continue
			}
			p = &program{isa: s}
			p.result = b.build(p, p.input(0), p.bound(0))
			f.function(b.name+"Scalar"+s.name, "dst, a *float32, s float32, n int", 32,
				fmt.Sprintf("sets dst[i] = %s(a[i], s) for i < n.", b.name))
			s.argument(f, "dst", 0, to)
			s.argument(f, "a", 8, from)
			s.scalar(f, "s", 16, s.reg(0))
			s.argument(f, "n", 24, s.arch.count)
			loop(f, allocate(f, p, []string{s.reg(0)}), from)
		}
	}
}

// loop applies a program to as many elements at the given pointers as the count says, the tail apart.
func loop(f *file, a *allocation, pointers ...string) {
	s := a.isa
	to, count := s.arch.pointers[0], s.arch.count
	var inputs []string
	for _, r := range pointers {
		inputs = append(inputs, "("+r+")")
	}
	a.prologue()
	f.p("%s $%d, %s", s.arch.subtract, s.lanes, count)
	f.p("%s tail", s.arch.jumpLess)
	f.p("PCALIGN $32")
	f.l("vectors")
	s.store(f, a.step(inputs, false), "("+to+")", false)
	for _, r := range pointers {
		f.p("%s $%d, %s", s.arch.add, s.bytes(), r)
	}
	f.p("%s $%d, %s", s.arch.add, s.bytes(), to)
	f.p("%s $%d, %s", s.arch.subtract, s.lanes, count)
	f.p("%s vectors", s.arch.jumpNotLess)
	f.l("tail")
	f.p("%s $%d, %s", map[*arch]string{amd64: "ADDQ", arm64: "ADDS"}[s.arch], s.lanes, count)
	f.p("%s done", s.arch.jumpZero)
	s.tailMask(f)
	s.store(f, a.step(inputs, true), "("+to+")", true)
	f.l("done")
	s.end(f)
}
