package exec

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
)

// taking is a Gather along an axis that is not the first: the graph says it as a Gather between two transpositions.
type taking struct {
	axis    int
	in, out []int // shapes
}

// joinTakes makes one instruction of such a Gather and what only it reads and is read by.
func (c *compiler) joinTakes(outputs []int) {
	reads := make([]int, len(c.storages))
	for _, id := range outputs {
		reads[id]++
	}
	maker := map[int]int{}
	for i, in := range c.code {
		for _, id := range in.in {
			if id >= 0 {
				reads[id]++
			}
		}
		for _, id := range in.out {
			maker[id] = i
		}
	}
	gone := make([]bool, len(c.code))
	for i := range c.code {
		back := &c.code[i]
		if back.call.Node.Op != "Transpose" || back.group != nil {
			continue
		}
		g, ok := maker[back.in[0]]
		if !ok || c.code[g].call.Node.Op != "Gather" || reads[back.in[0]] != 1 || len(c.code[g].call.In[1].Shape) != 1 {
			continue
		}
		pick := &c.code[g]
		m, ok := maker[pick.in[0]]
		if !ok || c.code[m].call.Node.Op != "Transpose" || c.code[m].group != nil || reads[pick.in[0]] != 1 || pick.call.In[0].DType != tensor.Float32 {
			continue
		}
		front := &c.code[m]
		// The shapes must be the same on both sides of a storage, under which they may have other names.
		if !slices.Equal(front.call.Out[0].Shape, pick.call.In[0].Shape) || !slices.Equal(pick.call.Out[0].Shape, back.call.In[0].Shape) {
			continue
		}
		axis := front.call.Perm()[0]
		if !slices.Equal(inverse(front.call.Perm()), back.call.Perm()) {
			continue
		}
		one := *pick
		one.in, one.out = []int{front.in[0], pick.in[1]}, back.out
		one.take = &taking{axis, front.call.In[0].Shape, back.call.Out[0].Shape}
		c.code[i] = one
		gone[g], gone[m] = true, true
	}
	kept := c.code[:0]
	for i, in := range c.code {
		if !gone[i] {
			kept = append(kept, in)
		}
	}
	c.code = kept
	c.setMakers()
}

// inverse is the permutation that undoes one.
func inverse(perm []int) []int {
	back := make([]int, len(perm))
	for i, p := range perm {
		back[p] = i
	}
	return back
}

// emitTake copies the rows along an axis that the indices name.
func emitTake(in *instruction) func(*Program) error {
	t := in.take
	shape, axis := in.laid(t.in), in.laidAxis(t.axis, len(t.in))
	outer, row := 1, 1
	for i, d := range shape {
		if i < axis {
			outer *= d
		} else if i > axis {
			row *= d
		}
	}
	size := shape[axis]
	count := t.out[t.axis]
	rows := rowIndex{[]int{size}, []int{row}, row, fmt.Sprintf("input 1 %q", in.call.In[1].Name)}
	x, indices, y := in.in[0], in.in[1], in.out[0]
	return func(p *Program) error {
		src, dst, list := p.f32[x], p.f32[y], p.values[indices].Int64()
		for o := range outer {
			from, to := src[o*size*row:][:size*row], dst[o*count*row:][:count*row]
			err := rows.each(list, func(i, at int) {
				if row == 1 {
					to[i] = from[at]
					return
				}
				copy(to[i*row:(i+1)*row], from[at:at+row])
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}
