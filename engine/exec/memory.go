package exec

import (
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// slot is memory that several storages use, one after the other.
type slot struct {
	dtype tensor.DType
	len   int
	free  bool
}

// allocate gives every planned storage a slot: that of an input which the operation can overwrite, else the smallest free one
// that is long enough but not much too long, else the longest free one, made longer. A slot is free again after the last instruction that reads it.
func (c *compiler) allocate(p *Program) {
	last := make([]int, len(c.storages))
	home := make([]int, len(c.storages))
	for i, in := range c.code {
		for _, id := range slices.Concat(in.in, in.out) {
			if id >= 0 {
				last[id] = i
			}
		}
	}
	var slots []slot
	for i, in := range c.code {
		var overwritten []int
		for j, id := range in.out {
			if c.storages[id].place != planned {
				continue
			}
			if old := c.overwritten(i, j, last, overwritten); old >= 0 {
				overwritten = append(overwritten, old)
				home[id] = home[old]
				continue
			}
			home[id] = take(&slots, c.storages[id])
		}
		for _, id := range slices.Concat(in.in, in.out) {
			if id >= 0 && !slices.Contains(overwritten, id) && last[id] == i && c.storages[id].place == planned {
				slots[home[id]].free = true
			}
		}
	}
	memory := make([]*tensor.Tensor, len(slots))
	for i, s := range slots {
		memory[i] = tensor.New(s.dtype, s.len)
		p.planned += s.len * s.dtype.Size()
	}
	p.values = make([]*tensor.Tensor, len(c.storages))
	p.f32 = make([][]float32, len(c.storages))
	for _, in := range c.code {
		for _, id := range in.out {
			switch s := c.storages[id]; s.place {
			case planned:
				p.set(id, memory[home[id]].Part(0, s.len))
			case kept:
				p.set(id, tensor.New(s.dtype, s.len))
			}
		}
	}
}

// overwritten is the storage whose slot output o of instruction i takes over, or -1: an input that nothing needs afterwards, of as
// many elements, which the operation reads no later than it writes, and which no other output has taken.
func (c *compiler) overwritten(i, o int, last, taken []int) int {
	in := c.code[i]
	out := c.storages[in.out[o]]
	for j, id := range in.in {
		if id < 0 || slices.Contains(taken, id) || !in.overwrites(o, j) {
			continue
		}
		s := c.storages[id]
		once := slices.Index(in.in, id) == j && !slices.Contains(in.in[j+1:], id)
		if s.place == planned && last[id] == i && once && s.dtype == out.dtype && s.len == out.len {
			return id
		}
	}
	return -1
}

// overwrites reports whether output o may take over the memory of input j.
func (in *instruction) overwrites(o, j int) bool {
	if in.group != nil {
		return in.group.overwrites(in.out[o], in.in[j])
	}
	return o == 0 && in.relayout == nil && in.take == nil && slices.Contains(operations[in.call.Node.Op].overwrites, j)
}

// roomy is how many times as long as a storage a slot may be that it takes. A longer one is left to a longer storage, because a number that is
// kept for long would hold all of it.
const roomy = 4

// take finds a slot for s and marks it used.
func take(slots *[]slot, s storage) int {
	best := -1
	for i, have := range *slots {
		if !have.free || have.dtype != s.dtype || have.len > roomy*s.len {
			continue
		}
		if best < 0 {
			best = i
			continue
		}
		fits, bestFits := have.len >= s.len, (*slots)[best].len >= s.len
		if fits && (!bestFits || have.len < (*slots)[best].len) || !fits && !bestFits && have.len > (*slots)[best].len {
			best = i
		}
	}
	if best < 0 {
		*slots = append(*slots, slot{dtype: s.dtype, len: s.len})
		return len(*slots) - 1
	}
	chosen := &(*slots)[best]
	chosen.free, chosen.len = false, max(chosen.len, s.len)
	return best
}

// Memory is what the program holds to run, in bytes: the values that it plans itself, over time in the same places, and the scratch of its
// steps. Inputs, outputs, initializers and packed copies of them come on top.
func (p *Program) Memory() int {
	n := p.planned + 4*len(p.scratch)
	if p.images != nil {
		n += p.images.memory()
	}
	return n
}
