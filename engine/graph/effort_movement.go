package graph

// moved is what copying takes, from the second array of a walk to the first or back: rows at once, or number by number if either array is
// not walked in its order. Numbers that are far apart are each another line of the cache.
func (w walk) moved(size int) uint64 {
	n := w.rows * w.n
	if w.steps[0] == 1 && w.steps[1] == 1 {
		return plus(times(29, n, uint64(size)), times(17_000, w.rows))
	}
	element, distance := uint64(520), 0
	for _, s := range w.steps {
		distance = max(distance, size*s, -size*s)
	}
	if distance >= 4096 {
		element += 1620
	}
	return plus(times(element, n), times(13_000, w.rows))
}

func effortExpand(c *Call) uint64 {
	if c.In[0].Len() == c.Out[0].Len() {
		return 0
	}
	return elementWalk(c.Out[0].Shape, c.In[0].Shape).moved(c.Out[0].DType.Size())
}

// effortTranspose: what keeps the order of all elements is only another name for them.
func effortTranspose(c *Call) uint64 {
	in, out := c.In[0], c.Out[0]
	strides := make([]int, len(out.Shape))
	last, ordered := -1, true
	for i, axis := range c.Perm() {
		strides[i] = stridesOf(in.Shape)[axis]
		if in.Shape[axis] > 1 {
			ordered = ordered && axis > last
			last = axis
		}
	}
	if ordered {
		return 0
	}
	return walkOf(out.Shape, stridesOf(out.Shape), strides).moved(out.DType.Size())
}

func effortConcat(c *Call) uint64 {
	if len(c.In) == 1 {
		return 0
	}
	return parts(c.In, c.Out[0])
}

func effortSplit(c *Call) uint64 { return parts(c.Out, c.In[0]) }

// parts is what copying parts to a whole or from it takes.
func parts(list []Value, whole Value) uint64 {
	sum, strides := uint64(0), stridesOf(whole.Shape)
	for _, v := range list {
		sum = plus(sum, 68_000, walkOf(v.Shape, strides, stridesOf(v.Shape)).moved(v.DType.Size()))
	}
	return sum
}

// effortSlice is that of Slice and of its derivative, which clears the whole first.
func effortSlice(c *Call) uint64 {
	whole, part, clear := c.In[0].Shape, c.Out[0].Shape, uint64(0)
	if c.Node.Op == "SliceGrad" {
		whole, part, clear = part, whole, times(69, lengthOf(c.Out[0]))
	}
	strides := stridesOf(whole)
	for i, r := range c.Ranges() {
		strides[i] *= r.Step
	}
	return plus(clear, walkOf(part, stridesOf(part), strides).moved(c.Out[0].DType.Size()))
}

func effortTensorScatter(c *Call) uint64 {
	at, _ := axis(c.Int("axis"), len(c.In[0].Shape))
	return plus(times(22, bytesOf(c.Out[0])), times(1, bytesOf(c.In[1])), times(11_000, count(c.In[1].Shape[:at+1])))
}

// tuples are how many places indices name, and by how many numbers each.
func tuples(c *Call) (n, depth uint64) {
	depth = 1
	if c.Node.Op != "Gather" {
		depth = width(c.In[1])
	}
	return lengthOf(c.In[1]) / depth, depth
}

func effortGather(c *Call) uint64 {
	n, depth := tuples(c)
	return plus(times(22, bytesOf(c.Out[0])), times(6900+230*depth, n))
}

// effortScatter: data is copied, then updates are put to it or folded into it.
func effortScatter(c *Call) uint64 {
	n, depth := tuples(c)
	sum := plus(times(230, n, depth))
	if c.String("reduction") == "none" {
		return plus(sum, times(22, bytesOf(c.In[2])), times(11_000, n))
	}
	return plus(sum, times(110, lengthOf(c.In[2])), times(27_000, n))
}

// width is the length of a value's last axis, 1 of a scalar.
func width(v Value) uint64 {
	if len(v.Shape) == 0 {
		return 1
	}
	return uint64(v.Shape[len(v.Shape)-1])
}

// toEnd is what moving axes of an array of float32 to its end takes.
func toEnd(shape []int, chosen func(axis int) bool) uint64 {
	var dims, strides []int
	from := stridesOf(shape)
	for _, want := range []bool{false, true} {
		for i, d := range shape {
			if chosen(i) == want {
				dims, strides = append(dims, d), append(strides, from[i])
			}
		}
	}
	w := walkOf(dims, stridesOf(dims), strides)
	sum := plus(times(440, count(shape)), times(24_000, w.rows))
	if distance := 4 * w.steps[1]; distance >= 256 {
		sum = plus(sum, times(1600, count(shape)))
		if distance >= 4096 {
			sum = plus(sum, times(2200, count(shape)))
		}
	}
	return sum
}
