package graph

import "slices"

// effortReduce tells apart three ways: rows, columns of neighbouring axes, and other axes, which are moved to the end first.
func effortReduce(c *Call) uint64 {
	shape, axes := c.In[0].Shape, c.ReducedAxes()
	reduced := func(axis int) bool { return slices.Contains(axes, axis) }
	if len(axes) == 0 && c.Node.Op != "ReduceSumSquare" {
		return 740_000
	}
	n, outer, inner, neighbours, state := uint64(1), uint64(1), uint64(1), true, 0
	for i, d := range shape {
		length := uint64(d)
		switch {
		case d == 1:
		case reduced(i):
			n *= length
			neighbours = neighbours && state < 2
			state = max(state, 1)
		case state == 0:
			outer *= length
		default:
			state = 2
			inner *= length
		}
	}
	if state == 0 {
		inner = 1
	}
	total := count(shape)
	switch {
	case neighbours && inner == 1:
		return plus(740_000, reduceRows(c, total))
	case neighbours && n <= 65536 && c.Node.Op != "ReduceSumSquare":
		return plus(740_000, reduceColumns(c, outer, n, inner))
	}
	return plus(740_000, toEnd(shape, reduced), reduceRows(c, total))
}

func reduceRows(c *Call, total uint64) uint64 {
	element, out := uint64(57), uint64(53_000)
	switch c.Node.Op {
	case "ReduceSum", "ReduceMean":
		element, out = 33, 1300
	case "ReduceMax", "ReduceMin":
		element, out = 150, 5400
	}
	return plus(times(element, total), times(out, lengthOf(c.Out[0])))
}

// reduceColumns: sums add as many rows at once as a sum has lanes, then the lanes.
func reduceColumns(c *Call, outer, n, inner uint64) uint64 {
	if c.Node.Op == "ReduceMax" || c.Node.Op == "ReduceMin" {
		return plus(times(55, outer, n, inner), times(18_000, outer, n))
	}
	lanes, steps := uint64(1), uint64(1)
	for lanes < min(n, 32) {
		lanes *= 2
		steps++
	}
	return plus(times(60, outer, n, inner), times(8800, outer, divUp(n, lanes)+steps), times(13, outer, lanes, inner))
}

func effortSoftmax(element, row uint64) func(*Call) uint64 {
	return func(c *Call) uint64 {
		shape, at := c.In[0].Shape, c.Axis()
		sum := plus(1_300_000, times(element, lengthOf(c.In[0])), times(row, lengthOf(c.In[0])/uint64(shape[at])))
		if shape[at] > 1 && count(shape[at+1:]) > 1 {
			sum = plus(sum, times(2, toEnd(shape, func(axis int) bool { return axis == at })))
		}
		return sum
	}
}

// effortNorm counts the rows that are normalised, each of as many numbers as the scale.
func effortNorm(scale int, node, element, row uint64) func(*Call) uint64 {
	return func(c *Call) uint64 {
		n := lengthOf(c.Out[0])
		return plus(node, times(element, n), times(row, n/lengthOf(c.In[scale])))
	}
}

func effortLoss(scores int, element, row uint64) func(*Call) uint64 {
	return func(c *Call) uint64 {
		return plus(times(element, lengthOf(c.In[scores])), times(row, uint64(c.In[scores].Shape[0])))
	}
}

// effortTopK: in the worst order each number sinks to the bottom of a heap of k.
func effortTopK(c *Call) uint64 {
	at, n := c.Axis(), lengthOf(c.In[0])
	k := uint64(c.Out[0].Shape[at])
	sum := plus(times(3200*logUp(k), n), times(6900, n/uint64(c.In[0].Shape[at])))
	if count(c.In[0].Shape[at+1:]) > 1 {
		sum = plus(sum, times(4500, n))
	}
	return sum
}

// effortTrees: rows are laid out, then walk through each tree to its longest way's end, where the leaf with the most weights waits.
func effortTrees(c *Call) uint64 {
	longest, most := c.TreeBounds()
	x, trees := c.In[treeX], lengthOf(c.In[treeRoots])
	walks := times(uint64(x.Shape[0]), trees)
	return plus(times(1700, lengthOf(x)), times(1700+3600*uint64(longest)+990*uint64(most), walks), times(6600, lengthOf(c.Out[0])), times(150_000, trees))
}
