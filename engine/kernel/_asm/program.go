package main

import (
	"fmt"
	"math"
	"slices"
)

// program is a straight line of vector operations: what one step of a loop does to its vectors. Operations have the
// meaning of their IEEE-754 instruction, rounded once; nothing is reordered or simplified.
type program struct {
	isa    isa
	nodes  []node
	result value
}

// value names the result of a node.
type value int

type node struct {
	op   string // one of the words below
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

	opAdd, opSubtract, opMultiply, opDivide, opSqrt = "add", "subtract", "multiply", "divide", "sqrt"

	// The lesser or greater of a number that is not NaN and x; NaN if x is. Which zero comes out of two is open.
	opLesser, opGreater = "lesser", "greater"
	// The minimum or maximum of rule 4, on NEON.
	opMinimum, opMaximum = "minimum", "maximum"
	// a·2^n for a whole number n, rounded once, on AVX-512.
	opScale = "scale"

	opAnd, opOr, opXor        = "and", "or", "xor"
	opAddInt, opSubtractInt   = "addInt", "subtractInt"   // of 32 bits, wrapping
	opShiftLeft, opShiftRight = "shiftLeft", "shiftRight" // by imm, the latter keeping the sign
	opToFloat                 = "toFloat"                 // from an integer
)

// Predicates, numbered as VCMPPS does; none signals.
const (
	equal       = 0
	unordered   = 3
	less        = 17
	lessOrEq    = 18
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

func (p *program) plus(a, b value) value     { return p.apply(opAdd, a, b) }
func (p *program) minus(a, b value) value    { return p.apply(opSubtract, a, b) }
func (p *program) times(a, b value) value    { return p.apply(opMultiply, a, b) }
func (p *program) over(a, b value) value     { return p.apply(opDivide, a, b) }
func (p *program) fma(a, b, c value) value   { return p.apply(opFMA, a, b, c) }
func (p *program) lesser(a, x value) value   { return p.apply(opLesser, a, x) }
func (p *program) greater(a, x value) value  { return p.apply(opGreater, a, x) }
func (p *program) and(a, b value) value      { return p.apply(opAnd, a, b) }
func (p *program) or(a, b value) value       { return p.apply(opOr, a, b) }
func (p *program) xor(a, b value) value      { return p.apply(opXor, a, b) }
func (p *program) plusInt(a, b value) value  { return p.apply(opAddInt, a, b) }
func (p *program) minusInt(a, b value) value { return p.apply(opSubtractInt, a, b) }
func (p *program) toFloat(a value) value     { return p.apply(opToFloat, a) }
func (p *program) shiftLeft(a value, n int) value {
	return p.add(node{op: opShiftLeft, args: []value{a}, imm: n})
}
func (p *program) shiftRight(a value, n int) value {
	return p.add(node{op: opShiftRight, args: []value{a}, imm: n})
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
	into      string // register of the bound value that the result takes the place of, if it does
	free      []int  // vector registers
	freeMasks []int
	emit      bool // false while only counting registers
	lowest    int  // fewest free registers seen
}

// allocate binds the given registers and fills those that the steps never need with constants, most used first.
func allocate(f *file, p *program, bound []string) *allocation {
	s := p.isa
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
		for j, arg := range n.args {
			// An fma of NEON overwrites its addend, so that one is loaded each time.
			if p.nodes[arg].op == opConstant && !(s.isNEON() && n.op == opFMA && j == 2) {
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
	if slices.ContainsFunc(a.program.nodes, func(n node) bool { return n.op == opConstant }) {
		a.isa.constants(a.file)
	}
	for v, n := range a.program.nodes {
		if reg, ok := a.resident[value(v)]; ok && n.op == opConstant {
			a.isa.constant(a.file, n.bits, reg)
		}
	}
}

func (a *allocation) p(format string, args ...any) {
	if a.emit {
		a.file.p(format, args...)
	}
}

func (a *allocation) constant(bits uint32, reg string) {
	if a.emit {
		a.isa.constant(a.file, bits, reg)
	}
}

func (a *allocation) copy(from, to string) {
	if a.emit {
		a.isa.copy(a.file, from, to)
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

// steps is the state of one emission of a program.
type steps struct {
	*allocation
	last  []int         // the node that uses a value last
	where map[value]int // registers of values that are not resident
}

func (s *steps) isMask(v value) bool { return s.isa.kMasks && s.program.nodes[v].op == opCompare }

func (s *steps) release(v value) {
	r := s.where[v]
	delete(s.where, v)
	if s.isMask(v) {
		s.freeMasks = append([]int{r}, s.freeMasks...)
	} else {
		s.free = append([]int{r}, s.free...)
	}
}

// step emits the program once. inputs are the addresses of its inputs, read under the tail mask if tail is set. It
// returns the register of the result, which is free again for the next step.
func (a *allocation) step(inputs []string, tail bool) string {
	p := a.program
	s := &steps{a, make([]int, len(p.nodes)), make(map[value]int)}
	for i, n := range p.nodes {
		for _, arg := range n.args {
			s.last[arg] = i
		}
	}
	s.last[p.result] = len(p.nodes)
	for i, n := range p.nodes {
		switch v := value(i); n.op {
		case opConstant, opBound:
		case opInput:
			s.where[v] = s.take()
			if a.emit {
				a.isa.load(a.file, inputs[n.imm], a.isa.reg(s.where[v]), tail)
			}
		default:
			if v == p.result && a.into != "" {
				s.result(n)
				return a.into
			}
			s.node(v, n)
		}
	}
	if reg, ok := a.resident[p.result]; ok {
		return reg
	}
	reg := a.isa.reg(s.where[p.result])
	s.release(p.result)
	s.done()
	return reg
}

func (s *steps) done() {
	if len(s.where) != 0 {
		panic(fmt.Sprintf("values %v never used", s.where))
	}
}

// arguments are the registers of the arguments of node i, and those of them that it uses last. A constant in memory is loaded
// for one use only.
func (s *steps) arguments(i value, n node) (regs []string, dying []value) {
	nodes := s.program.nodes
	for _, arg := range n.args {
		if reg, ok := s.resident[arg]; ok {
			regs = append(regs, reg)
			continue
		}
		if _, ok := s.where[arg]; !ok {
			s.where[arg] = s.take()
			s.constant(nodes[arg].bits, s.isa.reg(s.where[arg]))
		}
		if s.isMask(arg) {
			regs = append(regs, fmt.Sprintf("K%d", s.where[arg]))
		} else {
			regs = append(regs, s.isa.reg(s.where[arg]))
		}
		if (s.last[arg] == int(i) || nodes[arg].op == opConstant) && !slices.Contains(dying, arg) {
			dying = append(dying, arg)
		}
	}
	return regs, dying
}

// node emits an operation and keeps its result in a register.
func (s *steps) node(v value, n node) {
	regs, dying := s.arguments(v, n)
	if n.op == opFMA || n.op == opSelect && s.isa.isNEON() {
		s.destructive(v, n, regs, dying)
		return
	}
	for _, arg := range dying {
		s.release(arg)
	}
	dst := ""
	if s.isMask(v) {
		s.where[v] = s.freeMasks[0]
		s.freeMasks = s.freeMasks[1:]
		dst = fmt.Sprintf("K%d", s.where[v])
	} else {
		s.where[v] = s.take()
		dst = s.isa.reg(s.where[v])
	}
	if s.emit {
		s.isa.operation(s.file, n, regs, dst)
	}
}

// result emits the last operation, whose result takes the place of a bound value.
func (s *steps) result(n node) {
	regs, dying := s.arguments(s.program.result, n)
	for _, arg := range dying {
		s.release(arg)
	}
	s.done()
	switch {
	case !s.emit:
	case n.op == opFMA && regs[2] == s.into:
		s.isa.fma(s.file, regs, 2)
	case n.op == opFMA || n.op == opSelect && s.isa.isNEON():
		panic("the result does not take the place of its addend")
	default:
		s.isa.operation(s.file, n, regs, s.into)
	}
}

// destructive emits an operation whose result takes the place of an operand: of one that dies, else of a copy of the last.
func (s *steps) destructive(v value, n node, regs []string, dying []value) {
	over := -1
	for _, i := range s.isa.places(n.op) {
		alone := true
		for j, arg := range n.args {
			alone = alone && (j == i || arg != n.args[i])
		}
		if alone && slices.Contains(dying, n.args[i]) {
			over = i
			break
		}
	}
	switch {
	case over >= 0:
		s.where[v] = s.where[n.args[over]]
		delete(s.where, n.args[over])
	case s.isa.isNEON() && s.program.nodes[n.args[2]].op == opConstant: // rather loaded than copied
		over, s.where[v] = 2, s.take()
		regs[2] = s.isa.reg(s.where[v])
		s.constant(s.program.nodes[n.args[2]].bits, regs[2])
	default:
		over, s.where[v] = 2, s.take()
		reg := s.isa.reg(s.where[v])
		s.copy(regs[2], reg)
		regs[2] = reg
	}
	switch {
	case !s.emit:
	case n.op == opFMA:
		s.isa.fma(s.file, regs, over)
	default:
		s.file.neonSelect(regs, over)
	}
	for _, arg := range dying {
		if _, ok := s.where[arg]; ok {
			s.release(arg)
		}
	}
}
