package exec

import (
	"slices"

	"github.com/mutirao/mutirao/engine/kernel"
)

// products joins each product of two matrices with the bias, the residual and the function that follow it, whose results would only
// travel through memory to the next one. What is computed and how it is rounded stays: kernel.Then and pointwise say how.
type products struct {
	c       *compiler
	readers [][]int // by storage: the instructions that read it, once for each input
	needed  map[int]bool
	gone    []bool // instructions that became part of another
}

// joinProducts looks at every product. The outputs are storages that are needed after the last instruction.
func (c *compiler) joinProducts(outputs []int) {
	f := &products{c: c, readers: make([][]int, len(c.storages)), needed: map[int]bool{}, gone: make([]bool, len(c.code))}
	for _, id := range outputs {
		f.needed[id] = true
	}
	for i := range c.code {
		for _, id := range c.code[i].in {
			if id >= 0 {
				f.readers[id] = append(f.readers[id], i)
			}
		}
	}
	for i := range c.code {
		if !f.gone[i] {
			f.attention(i)
		}
		if !f.gone[i] {
			f.product(i)
			f.convolution(i)
			f.integers(i)
		}
	}
	kept := c.code[:0]
	for i, in := range c.code {
		if !f.gone[i] {
			kept = append(kept, in)
		}
	}
	c.code = kept
}

// then is what follows a product, by storages; -1 for what does not.
type then struct {
	cols, add int
	relu      bool
	apply     func(dst, src []float32)
}

// bind makes what the kernel wants from it. The result is made once and filled in each run.
func (t *then) bind() func(*Program) *kernel.Then {
	if t == nil {
		return func(*Program) *kernel.Then { return nil }
	}
	k := &kernel.Then{Apply: t.apply}
	if t.relu {
		*k = k.Relu()
	}
	return func(p *Program) *kernel.Then {
		if t.cols >= 0 {
			k.Cols = p.f32[t.cols]
		}
		if t.add >= 0 {
			k.Add = p.f32[t.add]
		}
		return k
	}
}

// product joins a product of two matrices with what follows. The joined instruction stands where the last of them stood, so that the
// residual is there when it runs.
func (f *products) product(i int) {
	in := f.c.code[i]
	rows, cols, ok := singleProduct(&in)
	if !ok {
		return
	}
	t := &then{cols: -1, add: -1}
	at, joined := i, false
	if in.call.Node.Op == "Gemm" && in.in[2] >= 0 {
		t.cols = in.in[2]
	}
	for !joined {
		z := f.c.code[at].out[0]
		if f.needed[z] {
			break
		}
		if len(f.readers[z]) == 1 && !f.gone[f.readers[z][0]] {
			r := f.readers[z][0]
			next := &f.c.code[r]
			if other := f.addend(next, z); other >= 0 {
				v := next.call.In[slices.Index(next.in, other)]
				switch {
				case t.cols < 0 && t.add < 0 && isRow(v.Shape, next.call.Out[0].Shape, cols):
					t.cols = other
				case t.add < 0 && v.Len() == rows*cols:
					t.add = other
				default:
					other = -1
				}
				if other >= 0 {
					in.in = append(slices.Clone(in.in), other)
					f.gone[at] = true
					at = r
					continue
				}
			}
		}
		group := f.pointwiseGroup(z)
		if group == nil || slices.ContainsFunc(f.readers[z], func(r int) bool { return !slices.Contains(group, r) }) {
			break
		}
		last := group[len(group)-1]
		if first := &f.c.code[group[0]]; len(group) == 1 && first.call.Node.Op == "Relu" {
			t.relu = true
		} else if function, ok := f.c.compose(z, group); ok {
			t.apply = function.apply
		} else {
			break
		}
		f.gone[at] = true
		for _, g := range group {
			f.gone[g] = true
		}
		at, joined = last, true
	}
	if at == i && t.cols < 0 {
		return
	}
	in.then, in.out = t, f.c.code[at].out
	f.gone[at] = false
	f.c.code[at] = in
}

// addend is the other operand of an Add of z and another value of as many elements in the result as z has, or -1.
func (f *products) addend(in *instruction, z int) int {
	if in.call.Node.Op != "Add" || in.then != nil || f.c.storages[z].len != in.call.Out[0].Len() || in.in[0] == in.in[1] {
		return -1
	}
	if in.in[0] == z {
		return in.in[1]
	}
	return in.in[0]
}

// isRow reports whether a shape that broadcasts to out is one row of cols elements for all rows.
func isRow(shape, out []int, cols int) bool {
	if len(shape) == 0 || shape[len(shape)-1] != cols || out[len(out)-1] != cols {
		return false
	}
	for _, d := range shape[:len(shape)-1] {
		if d != 1 {
			return false
		}
	}
	return true
}

// singleProduct reports whether an instruction is one product of two matrices, and its rows and columns. Of Gemm that is the form with
// no factors and with a bias of one row or none.
func singleProduct(in *instruction) (rows, cols int, ok bool) {
	if in.then != nil {
		return 0, 0, false
	}
	out := in.call.Out[0].Shape
	switch in.call.Node.Op {
	case "Gemm":
		beta := in.call.Float("beta")
		bias := !in.call.Has(2) || beta == 1 && isRow(in.call.In[2].Shape, out, out[1])
		if len(in.in) < 3 {
			in.in = append(slices.Clone(in.in), -1)
		}
		return out[0], out[1], in.call.Float("alpha") == 1 && bias
	case "MatMul":
		s := newMatMulShape(in)
		return s.m, s.n, s.single()
	}
	return 0, 0, false
}
