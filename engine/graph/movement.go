package graph

import (
	"fmt"
	"slices"
)

var movementOps = map[string]operator{
	"Transpose": {exactly(1), exactly(1), []attribute{intsAttr("perm")}, inferTranspose, perOutput(costSimple)},
	"Reshape":   {exactly(2), exactly(1), []attribute{intAttr("allowzero", 0)}, inferReshape, free},
	"Squeeze":   {between(1, 2), exactly(1), nil, inferSqueeze, free},
	"Unsqueeze": {exactly(2), exactly(1), nil, inferUnsqueeze, free},
	"Expand":    {exactly(2), exactly(1), nil, inferExpand, perOutput(costSimple)},
	"Concat":    {between(1, MaxArity), exactly(1), []attribute{requiredAttr(intAttr("axis", 0))}, inferConcat, perOutput(costSimple)},
	"Slice":     {between(3, 5), exactly(1), nil, inferSlice, perOutput(costSimple)},
	"Split":     {between(1, 2), between(1, MaxArity), []attribute{intAttr("axis", 0), intAttr("num_outputs", 0)}, inferSplit, perInput(costSimple)},
}

func inferTranspose(c *Call) ([]Value, error) {
	in := c.In[0]
	perm, err := permutation(c)
	if err != nil {
		return nil, err
	}
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = in.Shape[p]
	}
	return []Value{{DType: in.DType, Shape: shape}}, nil
}

func permutation(c *Call) ([]int, error) {
	rank := len(c.In[0].Shape)
	perm := c.Perm()
	sorted := slices.Clone(perm)
	slices.Sort(sorted)
	for i, p := range sorted {
		if i != p {
			return nil, fmt.Errorf("perm %v is not a permutation of %d axes", perm, rank)
		}
	}
	if len(perm) != rank {
		return nil, fmt.Errorf("perm %v is not a permutation of %d axes", perm, rank)
	}
	return perm, nil
}

// Perm is the permutation of a Transpose: output axis i is input axis Perm()[i]. The default reverses the axes.
func (c *Call) Perm() []int {
	if perm := c.Ints("perm"); perm != nil {
		return perm
	}
	perm := make([]int, len(c.In[0].Shape))
	for i := range perm {
		perm[i] = len(perm) - 1 - i
	}
	return perm
}

func inferReshape(c *Call) ([]Value, error) {
	if err := c.wantConst(1); err != nil {
		return nil, err
	}
	in := c.In[0]
	shape := c.Const(1)
	if len(shape) > MaxRank {
		return nil, c.bad(1, "asks for %d axes, at most %d are supported", len(shape), MaxRank)
	}
	known, open := 1, -1
	for i, d := range shape {
		switch {
		case d == 0 && c.Int("allowzero") == 0 && i < len(in.Shape):
			shape[i] = in.Shape[i]
		case d == -1 && open < 0:
			open = i
			continue
		}
		if shape[i] < 1 || known > MaxElements/shape[i] {
			return nil, c.bad(1, "%v is no shape for %v", c.Const(1), in.Shape)
		}
		known *= shape[i]
	}
	if open >= 0 {
		shape[open] = in.Len() / known
		known *= shape[open]
	}
	if known != in.Len() {
		return nil, c.bad(1, "%v is no shape for %v", c.Const(1), in.Shape)
	}
	return []Value{{DType: in.DType, Shape: shape}}, nil
}

func inferSqueeze(c *Call) ([]Value, error) {
	if err := c.wantConst(1); err != nil {
		return nil, err
	}
	in := c.In[0]
	axes, err := Axes(c.Const(1), len(in.Shape))
	if err != nil {
		return nil, err
	}
	shape := []int{}
	for i, d := range in.Shape {
		if !c.Has(1) && d == 1 || slices.Contains(axes, i) {
			if d != 1 {
				return nil, c.bad(0, "has %d entries along axis %d, want 1", d, i)
			}
			continue
		}
		shape = append(shape, d)
	}
	return []Value{{DType: in.DType, Shape: shape}}, nil
}

func inferUnsqueeze(c *Call) ([]Value, error) {
	if err := c.wantConst(1); err != nil {
		return nil, err
	}
	in := c.In[0]
	rank := len(in.Shape) + len(c.Const(1))
	if rank > MaxRank {
		return nil, c.bad(1, "makes %d axes, at most %d are supported", rank, MaxRank)
	}
	axes, err := Axes(c.Const(1), rank)
	if err != nil {
		return nil, err
	}
	shape := make([]int, 0, rank)
	rest := in.Shape
	for i := range rank {
		if slices.Contains(axes, i) {
			shape = append(shape, 1)
		} else {
			shape = append(shape, rest[0])
			rest = rest[1:]
		}
	}
	return []Value{{DType: in.DType, Shape: shape}}, nil
}

func inferExpand(c *Call) ([]Value, error) {
	if err := c.wantConst(1); err != nil {
		return nil, err
	}
	shape, ok := Broadcast(c.In[0].Shape, c.Const(1))
	if !ok {
		return nil, c.bad(0, "of shape %v does not broadcast with %v", c.In[0].Shape, c.Const(1))
	}
	return []Value{{DType: c.In[0].DType, Shape: shape}}, nil
}

func inferConcat(c *Call) ([]Value, error) {
	first := c.In[0]
	at, err := axis(c.Int("axis"), len(first.Shape))
	if err != nil {
		return nil, err
	}
	shape := slices.Clone(first.Shape)
	for i, v := range c.In[1:] {
		if err := c.want(i+1, first.DType); err != nil {
			return nil, err
		}
		if len(v.Shape) != len(shape) {
			return nil, c.bad(i+1, "has rank %d, want %d", len(v.Shape), len(shape))
		}
		for j, d := range v.Shape {
			if j == at {
				shape[j] += d
			} else if d != shape[j] {
				return nil, c.bad(i+1, "has shape %v, which differs from %v outside axis %d", v.Shape, first.Shape, at)
			}
		}
	}
	return []Value{{DType: first.DType, Shape: shape}}, nil
}

// Range is what a Slice takes along one axis: Len elements from Start on, Step apart (backwards if negative).
type Range struct{ Start, Step, Len int }

func inferSlice(c *Call) ([]Value, error) {
	for i := 1; i < 5; i++ {
		if err := c.wantConst(i); err != nil {
			return nil, err
		}
	}
	ranges, err := sliceRanges(c, c.In[0].Shape)
	if err != nil {
		return nil, err
	}
	shape := make([]int, len(ranges))
	for i, r := range ranges {
		shape[i] = r.Len
	}
	return []Value{{DType: c.In[0].DType, Shape: shape}}, nil
}

// Ranges is what a valid Slice or SliceGrad takes along each axis of the tensor that is sliced.
func (c *Call) Ranges() []Range {
	shape := c.In[0].Shape
	if c.Node.Op == "SliceGrad" {
		shape = c.Ints("shape")
	}
	ranges, err := sliceRanges(c, shape)
	if err != nil {
		panic("graph: ranges of an invalid slice: " + err.Error())
	}
	return ranges
}

// sliceRanges reads inputs starts, ends, axes and steps as ONNX defines them: negative counts from the end, both ends are
// clamped. An empty result is an error because no tensor here is empty.
func sliceRanges(c *Call, shape []int) ([]Range, error) {
	starts, ends, axes, steps := c.Const(1), c.Const(2), c.Const(3), c.Const(4)
	if axes == nil {
		axes = make([]int, len(starts))
		for i := range axes {
			axes[i] = i
		}
	}
	if steps == nil {
		steps = make([]int, len(starts))
		for i := range steps {
			steps[i] = 1
		}
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return nil, fmt.Errorf("starts %v, ends %v, axes %v and steps %v differ in length", starts, ends, axes, steps)
	}
	if _, err := Axes(axes, len(shape)); err != nil {
		return nil, err
	}
	ranges := make([]Range, len(shape))
	for i, d := range shape {
		ranges[i] = Range{0, 1, d}
	}
	for i, a := range axes {
		a, _ = axis(a, len(shape))
		r, ok := sliceRange(starts[i], ends[i], steps[i], shape[a])
		if !ok {
			return nil, fmt.Errorf("slice %d:%d:%d of axis %d with %d entries is empty", starts[i], ends[i], steps[i], a, shape[a])
		}
		ranges[a] = r
	}
	return ranges, nil
}

func sliceRange(start, end, step, dim int) (Range, bool) {
	lo, hi := 0, dim // where start and end may lie: [0, dim] forwards, [-1, dim-1] backwards
	if step < 0 {
		lo, hi = -1, dim-1
	}
	clamp := func(x int) int {
		if x < 0 {
			x += dim // cannot overflow: x is negative, dim positive
			if x < 0 {
				return lo
			}
		}
		return min(x, hi)
	}
	start, end = clamp(start), clamp(end)
	switch {
	case step > 0 && end > start:
		return Range{start, step, (end-start-1)/step + 1}, true
	case step < -MaxElements && start > end:
		return Range{start, -MaxElements, 1}, true // as far as any axis reaches; -step could overflow
	case step < 0 && start > end:
		return Range{start, step, (start-end-1)/-step + 1}, true
	}
	return Range{}, false
}

func inferSplit(c *Call) ([]Value, error) {
	if err := c.wantConst(1); err != nil {
		return nil, err
	}
	in := c.In[0]
	at, err := axis(c.Int("axis"), len(in.Shape))
	if err != nil {
		return nil, err
	}
	n := len(c.Node.Outputs)
	parts := c.Const(1)
	switch {
	case c.Has(1) == c.HasAttr("num_outputs"):
		return nil, fmt.Errorf("either input \"split\" or attribute \"num_outputs\" must be given")
	case c.HasAttr("num_outputs"):
		if c.Int("num_outputs") != n {
			return nil, fmt.Errorf("num_outputs is %d, the node has %d outputs", c.Int("num_outputs"), n)
		}
		size := (in.Shape[at] + n - 1) / n // ONNX-18: equal chunks, the last one may be smaller
		parts = slices.Repeat([]int{size}, n)
		parts[n-1] = in.Shape[at] - size*(n-1)
	}
	if len(parts) != n {
		return nil, c.bad(1, "has %d entries for %d outputs", len(parts), n)
	}
	sum, out := 0, make([]Value, n)
	for i, p := range parts {
		if p < 1 || p > in.Shape[at] {
			return nil, fmt.Errorf("part %d has size %d of %d", i, p, in.Shape[at])
		}
		sum += p
		shape := slices.Clone(in.Shape)
		shape[at] = p
		out[i] = Value{DType: in.DType, Shape: shape}
	}
	if sum != in.Shape[at] {
		return nil, fmt.Errorf("parts %v do not add up to the %d entries of axis %d", parts, in.Shape[at], at)
	}
	return out, nil
}
