package exec

import (
	"fmt"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var indexingOps = map[string]operation{
	"Gather":    {emitGather, nil},
	"GatherND":  {emitGather, nil},
	"ScatterND": {emitScatterND, []int{0}},
}

// rowIndex turns tuples of indices into the places where rows of data begin. Negative indices count from the end.
type rowIndex struct {
	dims, strides []int // of the leading axes that a tuple names
	row           int   // elements in what a tuple selects
	where         string
}

func newRowIndex(data graph.Value, depth int, where string) rowIndex {
	strides := contiguous(data.Shape)
	row := 1
	for _, d := range data.Shape[depth:] {
		row *= d
	}
	return rowIndex{data.Shape[:depth], strides[:depth], row, where}
}

// each calls f with the number of each tuple and the place of its row, in order.
func (r *rowIndex) each(indices []int64, f func(i, at int)) error {
	depth := len(r.dims)
	for i := 0; i*depth < len(indices); i++ {
		at := 0
		for axis, v := range indices[i*depth:][:depth] {
			d := int64(r.dims[axis])
			if v < -d || v >= d {
				return fmt.Errorf("%w: %s: index %d at position %d is outside [%d, %d)", ErrIndex, r.where, v, i*depth+axis, -d, d)
			}
			if v < 0 {
				v += d
			}
			at += int(v) * r.strides[axis]
		}
		f(i, at)
	}
	return nil
}

// emitGather runs Gather along axis 0, whose indices are tuples of one, and GatherND.
func emitGather(_ *compiler, in *instruction) func(*Program) error {
	data, indices := in.call.In[0], in.call.In[1]
	depth := 1
	if in.call.Node.Op == "GatherND" {
		depth = indices.Shape[len(indices.Shape)-1]
	}
	rows := newRowIndex(data, depth, fmt.Sprintf("input 1 %q", indices.Name))
	switch data.DType {
	case tensor.Float32:
		return gather[float32](in, rows)
	case tensor.Uint8:
		return gather[uint8](in, rows)
	case tensor.Int8:
		return gather[int8](in, rows)
	case tensor.Int32:
		return gather[int32](in, rows)
	case tensor.Int64:
		return gather[int64](in, rows)
	}
	return gather[bool](in, rows)
}

func gather[T tensor.Element](in *instruction, rows rowIndex) func(*Program) error {
	x, indices, y := in.in[0], in.in[1], in.out[0]
	return func(p *Program) error {
		src, dst := tensor.Data[T](p.values[x]), tensor.Data[T](p.values[y])
		return rows.each(p.values[indices].Int64(), func(i, at int) {
			copy(dst[i*rows.row:(i+1)*rows.row], src[at:at+rows.row])
		})
	}
}

// emitScatterND applies updates to a copy of data, one tuple after the other in index order (spec/numerics.md §8).
func emitScatterND(_ *compiler, in *instruction) func(*Program) error {
	indices := in.call.In[1]
	rows := newRowIndex(in.call.In[0], indices.Shape[len(indices.Shape)-1], fmt.Sprintf("input 1 %q", indices.Name))
	switch in.call.String("reduction") {
	case "add":
		return scatterReduce(in, rows, kernel.Add)
	case "mul":
		return scatterReduce(in, rows, kernel.Mul)
	case "max":
		return scatterReduce(in, rows, kernel.Maximum)
	case "min":
		return scatterReduce(in, rows, kernel.Minimum)
	}
	switch in.call.In[0].DType {
	case tensor.Float32:
		return scatter[float32](in, rows)
	case tensor.Uint8:
		return scatter[uint8](in, rows)
	case tensor.Int8:
		return scatter[int8](in, rows)
	case tensor.Int32:
		return scatter[int32](in, rows)
	case tensor.Int64:
		return scatter[int64](in, rows)
	}
	return scatter[bool](in, rows)
}

// scatterReduce sets a row to f(row, update).
func scatterReduce(in *instruction, rows rowIndex, f func(dst, a, b []float32)) func(*Program) error {
	x, at, updates, y := in.in[0], in.in[1], in.in[2], in.out[0]
	return func(p *Program) error {
		dst, src := p.f32[y], p.f32[updates]
		copy(dst, p.f32[x])
		return rows.each(p.values[at].Int64(), func(i, at int) {
			row := dst[at : at+rows.row]
			f(row, row, src[i*rows.row:(i+1)*rows.row])
		})
	}
}

// scatter replaces rows: of several updates to one row the last stays.
func scatter[T tensor.Element](in *instruction, rows rowIndex) func(*Program) error {
	x, at, updates, y := in.in[0], in.in[1], in.in[2], in.out[0]
	return func(p *Program) error {
		dst, src := tensor.Data[T](p.values[y]), tensor.Data[T](p.values[updates])
		copy(dst, tensor.Data[T](p.values[x]))
		return rows.each(p.values[at].Int64(), func(i, at int) {
			copy(dst[at:at+rows.row], src[i*rows.row:(i+1)*rows.row])
		})
	}
}
