package split

import "slices"

var movementRules = map[string]func(*plan) stage{
	"Transpose": transpose, "Reshape": same, "Squeeze": same, "Unsqueeze": same, "Expand": expand,
	"Concat": concat, "Slice": slice, "SliceGrad": sliceGrad, "Split": splitting,
}

// copied is one micro-operation that copies an element of an input.
func copied(input, i int) stage {
	return once(func(a Acc, in *inputs) { a.doneBits(in.bits(input, i)) })
}

func transpose(p *plan) stage {
	out, at := p.index(), make([]int, len(p.In[0].Shape))
	for i, axis := range p.Perm() {
		at[axis] = out[i]
	}
	return copied(0, ravel(p.In[0].Shape, at))
}

func expand(p *plan) stage { return copied(0, broadcast(p.In[0].Shape, p.index())) }

func concat(p *plan) stage {
	at, axis := p.index(), p.Axis()
	for i, v := range p.In {
		if at[axis] < v.Shape[axis] {
			return copied(i, ravel(v.Shape, at))
		}
		at[axis] -= v.Shape[axis]
	}
	panic("split: element beyond the inputs of Concat")
}

func slice(p *plan) stage {
	at := p.index()
	for i, r := range p.Ranges() {
		at[i] = r.Start + at[i]*r.Step
	}
	return copied(0, ravel(p.In[0].Shape, at))
}

// sliceGrad is dy where the slice reads and +0 elsewhere.
func sliceGrad(p *plan) stage {
	at := p.index()
	for i, r := range p.Ranges() {
		d := at[i] - r.Start
		if d%r.Step != 0 || d/r.Step < 0 || d/r.Step >= r.Len {
			return once(func(a Acc, _ *inputs) { a.doneBits(0) })
		}
		at[i] = d / r.Step
	}
	return copied(0, ravel(p.In[0].Shape, at))
}

func splitting(p *plan) stage {
	at, axis := slices.Clone(p.index()), p.Axis()
	for _, v := range p.Out[:p.output] {
		at[axis] += v.Shape[axis]
	}
	return copied(0, ravel(p.In[0].Shape, at))
}
