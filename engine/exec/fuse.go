package exec

import (
	"math"

	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

const (
	// fuseChunk is how many elements a fused instruction takes through all of its operations at once: few enough for a dozen
	// chunks to stay in the cache, enough for a call of a kernel not to count.
	fuseChunk = 1024
	// fuseGrain is how many elements are one task of a goroutine.
	fuseGrain = 16 * fuseChunk
	// fuseLimit bounds the operations of a fused instruction, so that its chunks stay in the cache.
	fuseLimit = 64
)

// fuse joins neighbouring elementwise instructions over as many elements into one, which takes a chunk of its inputs through all
// operations before the next: each still rounds as it does alone, but memory is walked once. What only the joined ones read is
// never in memory. An optimizer's update of a weight becomes one pass.
func (c *compiler) fuse(outputs []int) {
	reads := make([]int, len(c.storages))
	c.isOutput = map[int]bool{}
	for _, id := range outputs {
		c.isOutput[id] = true
		reads[id]++
	}
	for _, in := range c.code {
		for _, id := range in.in {
			if id >= 0 {
				reads[id]++
			}
		}
	}
	var code []instruction
	for i := 0; i < len(c.code); {
		n := 0
		for i+n < len(c.code) && n < fuseLimit {
			k := c.fusable(i+n, reads)
			if k == 0 || n > 0 && c.length(i) != c.length(i+n) {
				break
			}
			n += k
		}
		if n < 2 {
			code = append(code, c.code[i])
			i++
			continue
		}
		code = append(code, c.join(c.code[i:i+n], reads))
		i += n
	}
	c.code = code
	c.setMakers()
}

// setMakers notes which instruction writes each storage.
func (c *compiler) setMakers() {
	for i := range c.storages {
		c.storages[i].maker = -1
	}
	for i, in := range c.code {
		for _, id := range in.out {
			c.storages[id].maker = i
		}
	}
}

// length is how many elements an instruction computes; that of a gate is the same for both of its instructions.
func (c *compiler) length(i int) int { return c.storages[c.code[i].out[0]].len }

// fusable is how many instructions from i on are one operation of a fused instruction: 1, 2 for a gate, or 0.
func (c *compiler) fusable(i int, reads []int) int {
	if c.isGate(i, reads) {
		return 2
	}
	in := &c.code[i]
	op := in.call.Node.Op
	_, one := fusedUnary[op]
	_, two := fusedBinary[op]
	if !one && !two || len(in.in) > 2 || in.call.Out[0].DType != tensor.Float32 {
		return 0
	}
	n := c.length(i)
	whole := false
	for _, id := range in.in {
		switch c.storages[id].len {
		case n:
			whole = true
		case 1:
		default:
			return 0
		}
	}
	if !whole || n == 1 {
		return 0
	}
	return 1
}

// isGate recognises the derivative of Relu: a condition x > 0 that only the next instruction reads, which selects dy or 0 by it.
func (c *compiler) isGate(i int, reads []int) bool {
	if i+1 >= len(c.code) {
		return false
	}
	cond, pick := &c.code[i], &c.code[i+1]
	if cond.call.Node.Op != "Greater" || pick.call.Node.Op != "Where" || pick.in[0] != cond.out[0] || reads[cond.out[0]] != 1 {
		return false
	}
	n := c.length(i)
	return c.isZero(cond.in[1]) && c.isZero(pick.in[2]) &&
		c.storages[cond.in[0]].len == n && c.storages[pick.in[1]].len == n && c.length(i+1) == n && n > 1
}

// isZero reports whether a storage is an initializer that holds +0 alone.
func (c *compiler) isZero(id int) bool {
	t, ok := c.initializers[id]
	return ok && t.DType() == tensor.Float32 && t.Len() == 1 && math.Float32bits(t.Float32()[0]) == 0
}

var fusedUnary = map[string]func(dst, src []float32){
	"Neg": kernel.Neg, "Abs": kernel.Abs, "Relu": kernel.Relu, "Sqrt": kernel.Sqrt, "Reciprocal": kernel.Reciprocal, "Exp": kernel.Exp,
	"Log": kernel.Log, "Tanh": kernel.Tanh, "Erf": kernel.Erf, "Sigmoid": kernel.Sigmoid, "Silu": kernel.Silu, "Gelu": gelu,
}

// gate is the two instructions of a derivative of Relu as one operation.
var gate = rowwise{rows: kernel.Gate}

var fusedBinary = map[string]*rowwise{
	"Add": &addition, "Sub": &subtraction, "Mul": &multiplication, "Div": &division, "Max": &maximum, "Min": &minimum,
	"GeluGrad": {rows: geluGrad},
}

// stage is one operation of a fused instruction. A storage is negative for chunk -1-s of scratch.
type stage struct {
	unary  func(dst, src []float32)
	binary *rowwise
	dst    int
	in     []int
	scalar [2]bool // the operand is one value
	// canonical: the result is a graph output, whose NaN are made canonical while it is in the cache.
	canonical bool
}

// fused are the stages of an instruction that stands for several.
type fused struct {
	stages  []stage
	n       int // elements
	buffers int // chunks of scratch for what is not in memory
}

// join makes one instruction of several.
func (c *compiler) join(list []instruction, reads []int) instruction {
	f := &fused{n: c.storages[list[len(list)-1].out[0]].len}
	joined := instruction{call: list[0].call, group: f}
	inside := map[int]int{} // reads of what is made here, by storage
	for _, in := range list {
		for _, id := range in.in {
			inside[id]++
		}
	}
	buffer := map[int]int{} // storage -> buffer
	var free []int
	left := map[int]int{}
	seen := map[int]bool{}
	for i := 0; i < len(list); i++ {
		in := list[i]
		s := stage{in: in.in}
		switch op := in.call.Node.Op; op {
		case "Greater":
			i++
			s.binary, s.in = &gate, []int{list[i].in[1], in.in[0]}
			in = list[i]
		default:
			s.unary, s.binary = fusedUnary[op], fusedBinary[op]
		}
		s.in = append([]int(nil), s.in...)
		id := in.out[0]
		s.dst = id
		s.canonical = c.isOutput[id]
		if reads[id] == inside[id] {
			if len(free) == 0 {
				free = append(free, f.buffers)
				f.buffers++
			}
			buffer[id] = free[len(free)-1]
			left[id] = reads[id]
			free = free[:len(free)-1]
			s.dst = -1 - buffer[id]
		} else {
			joined.out = append(joined.out, id)
		}
		for j, x := range s.in {
			s.scalar[j] = c.storages[x].len == 1
			b, here := buffer[x]
			switch {
			case here:
				s.in[j] = -1 - b
				if left[x]--; left[x] == 0 {
					free = append(free, b)
				}
			case !seen[x]:
				seen[x] = true
				joined.in = append(joined.in, x)
			}
		}
		seen[id] = true // read further down from memory, but no input
		f.stages = append(f.stages, s)
	}
	return joined
}

// overwrites reports whether the output may take over the memory of the input: no stage reads the input after the one that writes
// the output, and that one reads an element before it writes it.
func (f *fused) overwrites(out, in int) bool {
	written := false
	for i := range f.stages {
		s := &f.stages[i]
		for j, id := range s.in {
			if id != in {
				continue
			}
			if written || s.scalar[j] || s.dst == out && s.binary != nil && s.scalar[1-j] && s.binary.scalarRow != nil && j == 1 {
				return false
			}
		}
		written = written || s.dst == out
	}
	return true
}

// emitFused runs the stages chunk by chunk.
func emitFused(c *compiler, in *instruction) func(*Program) error {
	f := in.group
	tasks := (f.n + fuseGrain - 1) / fuseGrain
	w := newCrew(c, tasks, f.buffers*fuseChunk)
	some := func(p *Program, task int, scratch []float32) {
		f.run(p, task*fuseGrain, min((task+1)*fuseGrain, f.n), scratch)
	}
	return func(p *Program) error {
		w.do(p, tasks, some)
		return nil
	}
}

func (f *fused) run(p *Program, lo, hi int, scratch []float32) {
	for ; lo < hi; lo += fuseChunk {
		end := min(lo+fuseChunk, hi)
		for i := range f.stages {
			f.stages[i].run(p, lo, end, scratch)
		}
	}
}

// run computes the elements from lo to hi.
func (s *stage) run(p *Program, lo, hi int, scratch []float32) {
	dst := chunkOf(p, s.dst, lo, hi, scratch)
	switch {
	case s.unary != nil:
		s.unary(dst, chunkOf(p, s.in[0], lo, hi, scratch))
	case s.scalar[1]:
		s.binary.rowScalar(dst, chunkOf(p, s.in[0], lo, hi, scratch), p.f32[s.in[1]][0])
	case s.scalar[0] && s.binary.commutative:
		s.binary.rowScalar(dst, chunkOf(p, s.in[1], lo, hi, scratch), p.f32[s.in[0]][0])
	case s.scalar[0]:
		s.binary.scalarRow(dst, p.f32[s.in[0]][0], chunkOf(p, s.in[1], lo, hi, scratch))
	default:
		s.binary.rows(dst, chunkOf(p, s.in[0], lo, hi, scratch), chunkOf(p, s.in[1], lo, hi, scratch))
	}
	if s.canonical {
		kernel.Canonicalize(dst)
	}
}

// chunkOf are the elements from lo to hi of a storage, or the buffer that holds them.
func chunkOf(p *Program, id, lo, hi int, scratch []float32) []float32 {
	if id < 0 {
		at := (-1 - id) * fuseChunk
		return scratch[at : at+hi-lo]
	}
	return p.f32[id][lo:hi]
}

// isCanonical reports whether a fused instruction computes the storage, so that its NaN are canonical.
func (c *compiler) isCanonical(id int) bool {
	maker := c.storages[id].maker
	return maker >= 0 && c.code[maker].group != nil
}
