package exec

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// Between convolutions values may have their channels last: then what an output reads at one place of the window is one piece of memory,
// and nothing has to be packed. Inputs, outputs and what other operators read have them first, as the graph says. Which elements a value
// has and how each is computed stays the same, so no bit depends on it.

// planes is how many images, channels and places a value has, for the layouts of kernel.Layout.
type planes struct{ batch, channels, places int }

// trivial reports whether both layouts are the same bytes.
func (s planes) trivial() bool { return s.channels == 1 || s.places == 1 }

// planesOf are those of a shape [batch, channels, spatial...].
func planesOf(shape []int) planes {
	return planes{shape[0], shape[1], (graph.Value{Shape: shape[2:]}).Len()}
}

// relayout is an instruction that copies a value into the other layout.
type relayout struct {
	planes
	to kernel.Layout
}

// layouts is the state of channelsLast.
type layouts struct {
	c      *compiler
	needed map[int]bool   // outputs of the graph
	last   map[int]int    // storages that have a copy with channels last, and that copy
	shape  map[int]planes // of those
	first  map[int]bool   // storages that an instruction writes only later, if something needs them with channels first
	code   []instruction
}

// channelsLast chooses layouts, if it is worth it: for several convolutions, unless one in groups is faster with channels first.
func (c *compiler) channelsLast(outputs []int) {
	c.joinTakes(outputs)
	dense := 0
	for i := range c.code {
		in := &c.code[i]
		if in.call.Node.Op != "Conv" || in.group != nil {
			continue
		}
		s := convShape(in.call)
		switch {
		case kernel.ChannelsLastIsFast(&s, kernel.ChannelsLast):
			dense++
		case s.Groups > 1:
			return
		}
	}
	if dense < 2 {
		return
	}
	f := &layouts{c: c, needed: map[int]bool{}, last: map[int]int{}, shape: map[int]planes{}, first: map[int]bool{}}
	for _, id := range outputs {
		f.needed[id] = true
	}
	for _, in := range c.code {
		if !f.convolution(&in) && !f.elementwise(&in) && !f.moving(&in) {
			for _, id := range in.in {
				f.asFirst(id)
			}
			f.code = append(f.code, in)
		}
	}
	c.code = f.code
	c.setMakers()
}

// asFirst makes sure that a storage is written.
func (f *layouts) asFirst(id int) {
	if id >= 0 && f.first[id] {
		delete(f.first, id)
		f.copy(f.last[id], id, relayout{f.shape[id], kernel.ChannelsFirst})
	}
}

// asLast is the storage that has a value with channels last.
func (f *layouts) asLast(id int, s planes) int {
	if s.trivial() {
		f.asFirst(id)
		return id
	}
	if last, ok := f.last[id]; ok && f.shape[id] == s {
		return last
	}
	f.asFirst(id)
	last := f.another(id)
	f.last[id], f.shape[id] = last, s
	f.copy(id, last, relayout{s, kernel.ChannelsLast})
	return last
}

// another makes a storage for a copy.
func (f *layouts) another(id int) int {
	s := f.c.storages[id]
	f.c.storages = append(f.c.storages, storage{s.dtype, s.len, planned, -1})
	return len(f.c.storages) - 1
}

// layoutName is the name of a node that no graph has: of a copy from one layout to the other.
const layoutName = "layout"

// copy adds a copy from one layout to the other.
func (f *layouts) copy(from, to int, how relayout) {
	call := &graph.Call{Node: &graph.Node{Op: "Transpose", Name: layoutName}}
	f.code = append(f.code, instruction{call: call, in: []int{from}, out: []int{to}, relayout: &how})
}

// writes is the storage to which an instruction writes an output with channels last.
func (f *layouts) writes(id int, s planes) int {
	if s.trivial() {
		return id
	}
	last := f.another(id)
	f.last[id], f.shape[id], f.first[id] = last, s, true
	return last
}

// add adds an instruction and copies of its outputs that must have their channels first.
func (f *layouts) add(in instruction, outputs []int) {
	f.code = append(f.code, in)
	for _, id := range outputs {
		if f.needed[id] {
			f.asFirst(id)
		}
	}
}

// has reports whether a value, read under a shape, has a copy with channels last.
func (f *layouts) has(id int, shape []int) bool {
	_, ok := f.last[id]
	return ok && len(shape) > 2 && f.shape[id] == planesOf(shape)
}

// fewChannels is how many channels of a network's input are read where they are.
const fewChannels = 8

// convolution gives a convolution channels last if it is faster so. One whose result is an output is left alone if its input is not there.
func (f *layouts) convolution(in *instruction) bool {
	if in.call.Node.Op != "Conv" || in.group != nil {
		return false
	}
	x, y, shape := in.in[0], in.out[0], in.call.In[0].Shape
	there := f.has(x, shape)
	s := convShape(in.call)
	from := kernel.ChannelsLast
	if !there && s.Groups == 1 && s.Channels <= fewChannels {
		from = kernel.ChannelsFirst
	}
	if !there && f.needed[y] || !kernel.ChannelsLastIsFast(&s, from) {
		return false
	}
	out := planesOf(in.call.Out[0].Shape)
	moved := map[int]int{} // what it reads with channels last
	if t := in.conv; t != nil {
		own := *t
		own.channels, own.steps = out.channels, slices.Clone(t.steps)
		if t.add >= 0 {
			own.add = f.asLast(t.add, out)
			moved[t.add] = own.add
		}
		for i := range own.steps {
			if s := &own.steps[i]; s.apply == nil && s.whole >= 0 {
				old := s.whole
				s.whole = f.asLast(old, out)
				moved[old] = s.whole
			}
		}
		in.conv = &own
	}
	list := slices.Clone(in.in)
	for i, id := range list {
		if to, ok := moved[id]; ok && i > 0 {
			list[i] = to
		} else if i > 0 || from == kernel.ChannelsFirst {
			f.asFirst(id)
		} else {
			list[i] = f.asLast(id, planesOf(shape))
		}
	}
	outputs := in.out
	in.in, in.out, in.from, in.to = list, []int{f.writes(y, out)}, from, kernel.ChannelsLast
	f.add(*in, outputs)
	return true
}

// elementwise leaves an operation on values of one size in the layout of one of them.
func (f *layouts) elementwise(in *instruction) bool {
	if in.then != nil || in.conv != nil || in.scores != nil || in.rescale != nil || in.take != nil {
		return false
	}
	if in.group == nil {
		op := in.call.Node.Op
		_, one := fusedUnary[op]
		if !one && fusedBinary[op] == nil || len(in.in) > 2 || in.call.Out[0].DType != tensor.Float32 {
			return false
		}
	}
	n := f.c.storages[in.out[0]].len
	var s planes
	for _, id := range in.in {
		switch f.c.storages[id].len {
		case n:
			if _, ok := f.last[id]; ok {
				s = f.shape[id]
			}
		case 1:
		default:
			return false
		}
	}
	if s.trivial() || s.channels == 0 {
		return false
	}
	outputs, moved := in.out, map[int]int{}
	in.in, in.out = slices.Clone(in.in), slices.Clone(in.out)
	for i, id := range in.in {
		if f.c.storages[id].len == n {
			in.in[i] = f.asLast(id, s)
			moved[id] = in.in[i]
		} else {
			f.asFirst(id)
		}
	}
	for i, id := range in.out {
		in.out[i] = f.writes(id, s)
		moved[id] = in.out[i]
	}
	if in.group != nil {
		in.group = in.group.with(moved)
	}
	f.add(*in, outputs)
	return true
}

// with is a fused instruction on other storages.
func (f *fused) with(moved map[int]int) *fused {
	own := *f
	own.stages = slices.Clone(f.stages)
	for i := range own.stages {
		s := &own.stages[i]
		if to, ok := moved[s.dst]; ok {
			s.dst = to
		}
		s.in = slices.Clone(s.in)
		for j, id := range s.in {
			if to, ok := moved[id]; ok {
				s.in[j] = to
			}
		}
	}
	return &own
}

// moving gives operators that move or reduce whole channels those that are last, if one of their operands has them so.
func (f *layouts) moving(in *instruction) bool {
	data := 1 // operands that are divided into channels
	switch op := in.call.Node.Op; op {
	case "MaxPool", "Slice":
	case "Gather":
		if in.take == nil {
			return false
		}
	case "Concat":
		if in.call.Axis() == 0 {
			return false
		}
		data = len(in.in)
	case "ReduceMean", "ReduceSum":
		axes := in.call.ReducedAxes()
		if len(axes) != len(in.call.In[0].Shape)-2 || slices.Contains(axes, 0) || slices.Contains(axes, 1) || planesOf(in.call.In[0].Shape).places > chunk {
			return false
		}
	default:
		return false
	}
	if in.group != nil || in.call.Out[0].DType != tensor.Float32 {
		return false
	}
	shapes := in.dataShapes(data)
	any := false
	for i := range data {
		if len(shapes[i]) < 3 {
			return false
		}
		any = any || f.has(in.in[i], shapes[i])
	}
	if !any {
		return false
	}
	outputs := in.out
	in.in, in.out = slices.Clone(in.in), slices.Clone(in.out)
	for i := range in.in {
		if i < data {
			in.in[i] = f.asLast(in.in[i], planesOf(shapes[i]))
		} else {
			f.asFirst(in.in[i])
		}
	}
	out := in.call.Out[0].Shape
	if in.take != nil {
		out = in.take.out
	}
	if len(out) > 2 {
		in.out[0] = f.writes(in.out[0], planesOf(out))
	}
	in.from, in.to = kernel.ChannelsLast, kernel.ChannelsLast
	f.add(*in, outputs)
	return true
}

// dataShapes are the shapes of the first operands.
func (in *instruction) dataShapes(n int) [][]int {
	if in.take != nil {
		return [][]int{in.take.in}
	}
	var list [][]int
	for _, v := range in.call.In[:n] {
		list = append(list, v.Shape)
	}
	return list
}

// emitRelayout copies a value into the other layout.
func emitRelayout(in *instruction) func(*Program) error {
	x, y, s := in.in[0], in.out[0], *in.relayout
	move := kernel.ToChannelsFirst
	if s.to == kernel.ChannelsLast {
		move = kernel.ToChannelsLast
	}
	return func(p *Program) error {
		move(p.f32[y], p.f32[x], s.batch, s.channels, s.places)
		return nil
	}
}

// laid is a shape [batch, channels, spatial...] as it is in memory.
func (in *instruction) laid(shape []int) []int {
	if in.to == kernel.ChannelsFirst {
		return shape
	}
	moved := append([]int{shape[0]}, shape[2:]...)
	return append(moved, shape[1])
}

// laidAxis is where an axis is in memory.
func (in *instruction) laidAxis(axis, rank int) int {
	switch {
	case in.to == kernel.ChannelsFirst || axis == 0:
		return axis
	case axis == 1:
		return rank - 1
	}
	return axis - 1
}
