package main

import (
	"fmt"
	"math"
	"slices"
)

// program is a straight line of vector operations: what one step of a loop does to its vectors. Operations have the
// meaning of their IEEE-754 instruction, rounded once; nothing is reordered or simplified.
type program struct {
	nodes  []node
	result value
}

// value names the result of a node.
type value int

type node struct {
	op   string // instruction, or one of the words below
	args []value
	imm  int
	bits uint32
}

const (
	opInput    = "input"    // loaded from memory in each step; imm is its index
	opBound    = "bound"    // in a register of the caller's choice; imm is its index
	opConstant = "constant" // bits in every lane
	opFMA      = "fma"      // a·b + c
	opCompare  = "compare"  // a mask; imm is the predicate
	opSelect   = "select"   // mask ? a : b
)

// Predicates of VCMPPS; none signals.
const (
	equal       = 0
	unordered   = 3
	less        = 17
	notLessEq   = 22 // greater or unordered
	greaterOrEq = 29
)

func (p *program) add(n node) value {
	p.nodes = append(p.nodes, n)
	return value(len(p.nodes) - 1)
}

func (p *program) input(i int) value { return p.add(node{op: opInput, imm: i}) }
func (p *program) bound(i int) value { return p.add(node{op: opBound, imm: i}) }

func (p *program) word(bits uint32) value {
	for i, n := range p.nodes {
		if n.op == opConstant && n.bits == bits {
			return value(i)
		}
	}
	return p.add(node{op: opConstant, bits: bits})
}
func (p *program) number(x float32) value { return p.word(math.Float32bits(x)) }

func (p *program) apply(op string, args ...value) value { return p.add(node{op: op, args: args}) }

func (p *program) plus(a, b value) value     { return p.apply("VADDPS", a, b) }
func (p *program) minus(a, b value) value    { return p.apply("VSUBPS", a, b) }
func (p *program) times(a, b value) value    { return p.apply("VMULPS", a, b) }
func (p *program) over(a, b value) value     { return p.apply("VDIVPS", a, b) }
func (p *program) fma(a, b, c value) value   { return p.apply(opFMA, a, b, c) }
func (p *program) and(a, b value) value      { return p.apply("VPAND", a, b) }
func (p *program) or(a, b value) value       { return p.apply("VPOR", a, b) }
func (p *program) xor(a, b value) value      { return p.apply("VPXOR", a, b) }
func (p *program) plusInt(a, b value) value  { return p.apply("VPADDD", a, b) }
func (p *program) minusInt(a, b value) value { return p.apply("VPSUBD", a, b) }
func (p *program) toFloat(a value) value     { return p.apply("VCVTDQ2PS", a) }
func (p *program) shiftLeft(a value, n int) value {
	return p.add(node{op: "VPSLLD", args: []value{a}, imm: n})
}
func (p *program) shiftRight(a value, n int) value { // arithmetic
	return p.add(node{op: "VPSRAD", args: []value{a}, imm: n})
}
func (p *program) compare(predicate int, a, b value) value {
	return p.add(node{op: opCompare, args: []value{a, b}, imm: predicate})
}
func (p *program) pick(mask, a, b value) value { return p.apply(opSelect, mask, a, b) }

// horner evaluates c[0]·x^(n-1) + … + c[n-1] as a chain of fma.
func (p *program) horner(x value, c ...float32) value {
	y := p.number(c[0])
	for _, v := range c[1:] {
		y = p.fma(y, x, p.number(v))
	}
	return y
}

// allocation is where a program keeps its values on one instruction set: bound values first, then constants that
// stay in registers, then what the steps need.
type allocation struct {
	isa       isa
	program   *program
	file      *file
	resident  map[value]string
	free      []int // vector registers
	freeMasks []int
	emit      bool // false while only counting registers
	lowest    int  // fewest free registers seen
}

// allocate binds the given registers and fills those that the steps never need with constants, most used first.
func allocate(f *file, s isa, p *program, bound []string) *allocation {
	a := &allocation{isa: s, program: p, file: f, resident: make(map[value]string)}
	for i := range s.registers {
		if !slices.Contains(bound, s.reg(i)) {
			a.free = append(a.free, i)
		}
	}
	a.freeMasks = []int{1, 2, 3, 4, 5, 6}
	for v, n := range p.nodes {
		if n.op == opBound {
			a.resident[value(v)] = bound[n.imm]
		}
	}
	a.lowest = len(a.free)
	a.step(nil, false)
	spare := a.lowest
	uses := make(map[value]int)
	var constants []value
	for _, n := range p.nodes {
		for _, arg := range n.args {
			if p.nodes[arg].op == opConstant {
				if uses[arg] == 0 {
					constants = append(constants, arg)
				}
				uses[arg]++
			}
		}
	}
	slices.SortStableFunc(constants, func(x, y value) int { return uses[y] - uses[x] })
	a.emit = true
	for _, c := range constants[:min(spare, len(constants))] {
		last := a.free[len(a.free)-1]
		a.free = a.free[:len(a.free)-1]
		a.resident[c] = s.reg(last)
	}
	return a
}

// prologue loads the constants that stay in registers.
func (a *allocation) prologue() {
	for v, n := range a.program.nodes {
		if reg, ok := a.resident[value(v)]; ok && n.op == opConstant {
			a.file.p("VBROADCASTSS %s, %s", a.file.constant(n.bits), reg)
		}
	}
}

func (a *allocation) p(format string, args ...any) {
	if a.emit {
		a.file.p(format, args...)
	}
}

func (a *allocation) take() int {
	if len(a.free) == 0 {
		panic("program needs too many registers")
	}
	r := a.free[0]
	a.free = a.free[1:]
	a.lowest = min(a.lowest, len(a.free))
	return r
}

// step emits the program once. inputs are the addresses of its inputs, read under the tail mask if tail is set. It
// returns the register of the result, which is free again for the next step.
func (a *allocation) step(inputs []string, tail bool) string {
	p, s := a.program, a.isa
	last := make([]int, len(p.nodes)) // the node that uses a value last
	for i, n := range p.nodes {
		for _, arg := range n.args {
			last[arg] = i
		}
	}
	last[p.result] = len(p.nodes)
	where := make(map[value]int)
	isMask := func(v value) bool { return s.kMasks && p.nodes[v].op == opCompare }
	release := func(v value) {
		r := where[v]
		delete(where, v)
		if isMask(v) {
			a.freeMasks = append([]int{r}, a.freeMasks...)
		} else {
			a.free = append([]int{r}, a.free...)
		}
	}
	for i, n := range p.nodes {
		if n.op == opConstant || n.op == opBound {
			continue
		}
		// Registers of the arguments; a constant in memory is loaded for this use only.
		regs := make([]string, len(n.args))
		var dying []value
		for j, arg := range n.args {
			if reg, ok := a.resident[arg]; ok {
				regs[j] = reg
				continue
			}
			if _, ok := where[arg]; !ok {
				where[arg] = a.take()
				a.p("VBROADCASTSS %s, %s", a.file.constantIf(a.emit, p.nodes[arg].bits), s.reg(where[arg]))
			}
			if isMask(arg) {
				regs[j] = fmt.Sprintf("K%d", where[arg])
			} else {
				regs[j] = s.reg(where[arg])
			}
			if (last[arg] == i || p.nodes[arg].op == opConstant) && !slices.Contains(dying, arg) {
				dying = append(dying, arg)
			}
		}
		v := value(i)
		if n.op == opFMA {
			a.fma(v, n, regs, dying, where, release)
			continue
		}
		for _, arg := range dying {
			release(arg)
		}
		if n.op == opCompare && s.kMasks {
			where[v] = a.freeMasks[0]
			a.freeMasks = a.freeMasks[1:]
			a.p("VCMPPS $%d, %s, %s, K%d", n.imm, regs[1], regs[0], where[v])
			continue
		}
		where[v] = a.take()
		dst := s.reg(where[v])
		switch n.op {
		case opInput:
			if a.emit {
				s.load(a.file, inputs[n.imm], dst, tail)
			}
		case opCompare:
			a.p("VCMPPS $%d, %s, %s, %s", n.imm, regs[1], regs[0], dst)
		case opSelect:
			if s.kMasks {
				a.p("VBLENDMPS %s, %s, %s, %s", regs[1], regs[2], regs[0], dst)
			} else {
				a.p("VBLENDVPS %s, %s, %s, %s", regs[0], regs[1], regs[2], dst)
			}
		case "VPAND", "VPOR", "VPXOR":
			a.p("%s%s %s, %s, %s", n.op, s.logic, regs[1], regs[0], dst)
		case "VPSLLD", "VPSRAD":
			a.p("%s $%d, %s, %s", n.op, n.imm, regs[0], dst)
		default:
			switch len(regs) {
			case 1:
				a.p("%s %s, %s", n.op, regs[0], dst)
			case 2:
				a.p("%s %s, %s, %s", n.op, regs[1], regs[0], dst)
			}
		}
	}
	if reg, ok := a.resident[p.result]; ok {
		return reg
	}
	reg := s.reg(where[p.result])
	release(p.result)
	if len(where) != 0 {
		panic(fmt.Sprintf("values %v never used", where))
	}
	return reg
}

// fma emits a·b + c over a register that dies: c, a or b, else over a copy of c.
func (a *allocation) fma(v value, n node, regs []string, dying []value, where map[value]int, release func(value)) {
	in := func(arg value) bool { return slices.Contains(dying, arg) }
	x, y, z := n.args[0], n.args[1], n.args[2]
	over := value(-1)
	switch {
	case in(z) && z != x && z != y:
		over = z
		a.p("VFMADD231PS %s, %s, %s", regs[1], regs[0], regs[2])
	case in(x) && x != y && x != z:
		over = x
		a.p("VFMADD213PS %s, %s, %s", regs[2], regs[1], regs[0])
	case in(y) && y != x && y != z:
		over = y
		a.p("VFMADD213PS %s, %s, %s", regs[2], regs[0], regs[1])
	default:
		where[v] = a.take()
		a.p("VMOVAPS %s, %s", regs[2], a.isa.reg(where[v]))
		a.p("VFMADD231PS %s, %s, %s", regs[1], regs[0], a.isa.reg(where[v]))
	}
	if over >= 0 {
		where[v] = where[over]
		delete(where, over)
	}
	for _, arg := range dying {
		if arg != over {
			release(arg)
		}
	}
}

// constantIf is constant, but records nothing while registers are only being counted.
func (f *file) constantIf(emit bool, bits uint32) string {
	if !emit {
		return ""
	}
	return f.constant(bits)
}
