package replay

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/trace"
)

// StateDifference says where two states part: at the first entry, in the order of a state root, that one of them lacks or
// that differs in type, shape or an element.
type StateDifference struct {
	Name, Role string
	Reason     Reason
	Element    int // of DifferentElement: its row-major index
	Tile       int // of DifferentElement: the leaf under the tensor root that a proof opens
}

// Reason says in what an entry differs.
type Reason uint8

const (
	MissingEntry     Reason = iota + 1 // one state has no entry of this name and role
	DifferentType                      // the element types differ
	DifferentShape                     // the shapes differ
	DifferentElement                   // the bytes of an element differ
)

// String names the entry and the place in it.
func (d StateDifference) String() string {
	at := d.Name + " (" + d.Role + ")"
	switch d.Reason {
	case MissingEntry:
		return at + " is in one state only"
	case DifferentType:
		return at + " has two types"
	case DifferentShape:
		return at + " has two shapes"
	}
	return fmt.Sprintf("%s differs first at element %d, tile %d", at, d.Element, d.Tile)
}

// LocateState returns the first difference of two states and whether there is one. There is one exactly if their state roots
// differ, provided that no state has two entries of one name and role. The arguments are left as they are.
func LocateState(a, b []trace.Entry) (StateDifference, bool) {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortStableFunc(a, trace.Entry.Compare)
	slices.SortStableFunc(b, trace.Entry.Compare)
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		switch c := x.Compare(y); {
		case c < 0:
			return StateDifference{Name: x.Name, Role: x.Role, Reason: MissingEntry}, true
		case c > 0:
			return StateDifference{Name: y.Name, Role: y.Role, Reason: MissingEntry}, true
		}
		d := StateDifference{Name: x.Name, Role: x.Role}
		switch {
		case x.Tensor.DType() != y.Tensor.DType():
			d.Reason = DifferentType
		case !slices.Equal(x.Tensor.Shape(), y.Tensor.Shape()):
			d.Reason = DifferentShape
		default:
			e, found := firstElement(x.Tensor, y.Tensor)
			if !found {
				continue
			}
			d.Reason, d.Element, d.Tile = DifferentElement, e, trace.TileOf(x.Tensor.Shape(), e)
		}
		return d, true
	}
	if rest := append(a[min(len(a), len(b)):], b[min(len(a), len(b)):]...); len(rest) > 0 {
		return StateDifference{Name: rest[0].Name, Role: rest[0].Role, Reason: MissingEntry}, true
	}
	return StateDifference{}, false
}

// firstElement compares the encodings of two tensors of one type and shape, a block at a time.
func firstElement(x, y *tensor.Tensor) (int, bool) {
	const block = 4096
	size := x.DType().Size()
	var p, q []byte
	for lo := 0; lo < x.Len(); lo += block {
		hi := min(lo+block, x.Len())
		p, q = x.Append(p[:0], lo, hi), y.Append(q[:0], lo, hi)
		if bytes.Equal(p, q) {
			continue
		}
		for i := range p {
			if p[i] != q[i] {
				return lo + i/size, true
			}
		}
	}
	return 0, false
}
