package bisect

import (
	"bytes"
	"fmt"

	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// Challenge returns the first part of what the defender has revealed that differs from the challenger's own execution. Found says
// whether there is one; if not, part is one that can be chosen, and the claim is right as far as this machine can tell. Before
// the place in question both executions agree, so the challenger's own values are the defender's.
func Challenge(g *Game, m Machine) (part int, found bool, err error) {
	d := defender{g, m}
	switch g.Stage {
	case PickSegment:
		return d.segment()
	case PickStep:
		return d.differs(d.cuts(g.From, g.To, d.state))
	case PickOperation:
		return d.differs(d.accumulators())
	case PickBranch:
		return d.branch()
	case PickElement:
		return d.element()
	case PickByte:
		return d.byte()
	}
	return 0, false, fmt.Errorf("%w: nothing is asked of the challenger at %q", ErrChoice, g.Stage)
}

func (d defender) segment() (int, bool, error) {
	a, err := d.points()
	if err != nil {
		return 0, false, err
	}
	own := a.(*points)
	for p := range own {
		if own[p] != d.Points[p] {
			return p, true, nil
		}
	}
	b, err := d.m.Payload()
	return trace.Points, trace.PayloadRoot(b) != d.Payload, err
}

// differs is the first part that ends differently; if all inner borders agree it is the last, which ends wrong by assumption.
func (d defender) differs(a answer, err error) (int, bool, error) {
	if err != nil {
		return 0, false, err
	}
	own := *a.(*hashes)
	for i, h := range own {
		if h != d.Hashes[i] {
			return i, true, nil
		}
	}
	return len(own), true, nil
}

func (d defender) branch() (int, bool, error) {
	var own []merkle.Hash
	if d.Tree == TreeValues && d.Count == d.Header.Values {
		a, err := d.transcript()
		if err != nil {
			return 0, false, err
		}
		own = append(a.(*transcript).values, a.(*transcript).state...)
	} else {
		a, err := d.branches()
		if err != nil { // of another size than the claim: whatever is there is wrong
			return 0, true, nil
		}
		own = *a.(*hashes)
	}
	for i := range d.Hashes {
		if i >= len(own) || own[i] != d.Hashes[i] {
			return i, true, nil
		}
	}
	return 0, false, nil
}

func (d defender) element() (int, bool, error) {
	t, err := d.tensor()
	if err != nil {
		return 0, false, err
	}
	own := trace.TileBytes(t, d.Tile)
	size := t.DType().Size()
	for i := range trace.TileLen(d.Shape, d.Tile) {
		if !bytes.Equal(own[i*size:(i+1)*size], d.Bytes[i*size:(i+1)*size]) {
			return i, true, nil
		}
	}
	return 0, false, nil
}

func (d defender) byte() (int, bool, error) {
	b, err := d.m.Payload()
	if err != nil {
		return 0, false, err
	}
	from := (d.Low - 1) * trace.PieceSize
	for i, v := range d.Bytes {
		if from+i >= len(b) || b[from+i] != v {
			return i, true, nil
		}
	}
	return 0, false, nil
}
