package graph

import "github.com/mutirao/mutirao/engine/tensor"

// effortPairs is that of operators that fold their inputs from left to right, of float32 or of int64.
func effortPairs(float, integer uint64) func(*Call) uint64 {
	return func(c *Call) uint64 {
		out, sum := c.Out[0].Shape, uint64(0)
		element, row := float, uint64(28_000)
		if c.Out[0].DType == tensor.Int64 {
			element, row = integer, 7100
		}
		for i := 1; i < len(c.In); i++ {
			left := c.In[0].Shape
			if i > 1 {
				left = out
			}
			sum = plus(sum, 360_000, times(element, count(out)), elementWalk(out, left, c.In[i].Shape).outer(row))
		}
		return sum
	}
}

func effortCompare(c *Call) uint64 {
	element := uint64(950)
	if c.In[0].DType == tensor.Int64 {
		element = 1000
	}
	return plus(1_100_000, times(element, lengthOf(c.Out[0])), times(13_000, elementWalk(c.Out[0].Shape, c.In[0].Shape, c.In[1].Shape).rows))
}

// effortWhere: rows of one condition are copied.
func effortWhere(c *Call) uint64 {
	w := elementWalk(c.Out[0].Shape, c.In[0].Shape, c.In[1].Shape, c.In[2].Shape)
	element := uint64(1100)
	switch {
	case c.Out[0].DType != tensor.Float32:
		element = 1700
	case w.steps[1] == 0:
		element = 260
	}
	return plus(1_100_000, times(element, lengthOf(c.Out[0])), times(42_000, w.rows))
}

func effortCast(c *Call) uint64 {
	switch c.In[0].DType {
	case c.Out[0].DType:
		return 0
	case tensor.Float32:
		return times(1700, lengthOf(c.Out[0]))
	}
	return times(2700, lengthOf(c.Out[0]))
}

// effortQuantize: along an axis there is a scale for each of its entries.
func effortQuantize(c *Call) uint64 {
	sum := plus(250_000, times(820, lengthOf(c.Out[0])))
	if c.In[1].Len() == 1 {
		return sum
	}
	return plus(sum, times(15_000, count(c.In[0].Shape[:c.Axis()+1])))
}
