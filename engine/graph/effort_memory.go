package graph

// peak is the most bytes of values that a run holds at a time, inputs and constants left out, if a value is let go after its last reader. What
// an operator only gives another name is counted once, and so is a value that takes the place of one that it is made of.
func peak(calls []Call) uint64 {
	home := map[string]string{} // of a value: the value whose memory it is
	last := map[string]int{}
	size := map[string]uint64{}
	root := func(name string) string {
		if r, ok := home[name]; ok {
			return r
		}
		return name
	}
	for i := range calls {
		for _, v := range calls[i].In {
			last[root(v.Name)] = i
		}
		for _, v := range calls[i].Out {
			if renames(&calls[i]) {
				home[v.Name] = root(calls[i].In[0].Name)
				continue
			}
			last[v.Name], size[v.Name] = i, bytesOf(v)
		}
	}
	ends := make([]uint64, len(calls))
	for name, n := range size {
		ends[last[name]] += n
	}
	most, live := uint64(0), uint64(0)
	for i := range calls {
		c, reused := &calls[i], uint64(0)
		for _, v := range c.Out {
			live += size[v.Name]
		}
		if replaces[c.Node.Op] {
			for _, v := range c.In {
				if r := root(v.Name); last[r] == i && size[r] == size[c.Out[0].Name] {
					reused = size[r]
				}
			}
		}
		most = max(most, live-reused)
		live -= ends[i]
	}
	return most
}

// replaces has the operators that can write where they read.
var replaces = func() map[string]bool {
	set := map[string]bool{}
	for _, name := range []string{"Neg", "Abs", "Sign", "Relu", "Sqrt", "Reciprocal", "Exp", "Log", "Tanh", "Erf", "Sigmoid", "Sin", "Cos", "Gelu", "GeluGrad",
		"Add", "Sub", "Mul", "Div", "Max", "Min", "Where", "LayerNormalization", "RMSNormalization", "ScatterND", "TensorScatter"} {
		set[name] = true
	}
	return set
}()

// renames reports whether an operator's output is its input, bytes and all, whatever the shapes.
func renames(c *Call) bool {
	switch c.Node.Op {
	case "Identity", "Reshape", "Squeeze", "Unsqueeze":
		return true
	}
	return false
}

// bytesOf is the size of a value.
func bytesOf(v Value) uint64 { return uint64(v.Len()) * uint64(v.DType.Size()) }
