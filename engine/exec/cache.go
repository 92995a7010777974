package exec

import (
	"fmt"

	"github.com/mutirao/mutirao/engine/tensor"
)

// emitTensorScatter writes an update into a cache, each batch entry from an index of its own on. If the caller gives one tensor
// as the cache and as the result, only the update is written (see Program.RunInto).
func emitTensorScatter(_ *compiler, in *instruction) func(*Program) error {
	switch in.call.In[0].DType {
	case tensor.Float32:
		return tensorScatter[float32](in)
	case tensor.Uint8:
		return tensorScatter[uint8](in)
	case tensor.Int8:
		return tensorScatter[int8](in)
	case tensor.Int32:
		return tensorScatter[int32](in)
	case tensor.Int64:
		return tensorScatter[int64](in)
	}
	return tensorScatter[bool](in)
}

func tensorScatter[T tensor.Element](in *instruction) func(*Program) error {
	shape, axis := in.call.In[0].Shape, in.call.Axis()
	length, fresh := shape[axis], in.call.In[1].Shape[axis]
	outer, inner := 1, 1 // elements between the batch and the axis, and after it
	for _, d := range shape[1:axis] {
		outer *= d
	}
	for _, d := range shape[axis+1:] {
		inner *= d
	}
	circular := in.call.String("mode") == "circular"
	cache, update, y, at := in.in[0], in.in[1], in.out[0], -1
	if in.call.Has(2) {
		at = in.in[2]
	}
	return func(p *Program) error {
		src, dst := tensor.Data[T](p.values[update]), tensor.Data[T](p.values[y])
		if old := tensor.Data[T](p.values[cache]); &old[0] != &dst[0] {
			copy(dst, old)
		}
		for b := range shape[0] {
			var first int64
			if at >= 0 {
				first = p.values[at].Int64()[b]
			}
			if first < 0 || !circular && first > int64(length-fresh) {
				return fmt.Errorf("%w: input 2 %q: index %d at position %d for %d of %d places", ErrIndex, in.call.In[2].Name, first, b, fresh, length)
			}
			for o := b * outer; o < (b+1)*outer; o++ {
				for i := range fresh {
					place := (int(first%int64(length)) + i) % length
					copy(dst[(o*length+place)*inner:][:inner], src[(o*fresh+i)*inner:])
				}
			}
		}
		return nil
	}
}
