package bisect

import (
	"bytes"
	"fmt"

	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// Challenge returns the first part of what the defender has revealed that differs from the challenger's own execution, with what that
// execution has inside. Found says whether there is one; if not, the choice is one that the game takes, and the claim is right as far as
// this machine can tell. Before the place in question both executions agree, so the challenger's own values are the defender's.
func Challenge(g *Game, m Machine) (c Choice, found bool, err error) {
	d := defender{g, m}
	part := 0
	switch g.Stage {
	case PickSegment:
		part, found, err = d.segment()
	case PickStep, PickOperation:
		found = true
	case PickBranch:
		part, found, err = d.branch()
	case PickElement:
		part, found, err = d.element()
	case PickByte:
		part, found, err = d.byte()
	default:
		err = fmt.Errorf("%w: nothing is asked of the challenger at %q", ErrChoice, g.Stage)
	}
	if err != nil {
		return Choice{}, false, err
	}
	c, err = Show(g, m, part)
	return c, found, err
}

// Show returns the choice of a part, with what the challenger's own execution has inside. Where that is what the defender has, something
// else is shown, since the game takes nothing else.
func Show(g *Game, m Machine, part int) (Choice, error) {
	n, err := g.Shows(part, m)
	if err != nil || n == 0 {
		return Choice{Part: part}, err
	}
	next := g.Clone()
	if _, err := next.choose(part, m); err != nil {
		return Choice{}, err
	}
	d := defender{next, m}
	var own []merkle.Hash
	switch next.Stage {
	case AskTranscript:
		own, err = inside(next.From, next.To, d.state)
	case AskFinal:
		own, err = d.accumulators()
	default:
		if own, err = d.split(); err != nil || len(own) != n { // of another size than the claim: whatever is there is wrong
			own, err = make([]merkle.Hash, n), nil
		}
		if next.join(own) == nil {
			own[len(own)-1][0] ^= 1
		}
	}
	return Choice{part, pack(own)}, err
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

func (d defender) branch() (int, bool, error) {
	var own []merkle.Hash
	if d.Tree == TreeValues && d.Count == d.Header.Values {
		a, err := d.transcript()
		if err != nil {
			return 0, false, err
		}
		own = append(a.(*transcript).values, a.(*transcript).state...)
	} else {
		var err error
		if own, err = d.split(); err != nil { // of another size than the claim: whatever is there is wrong
			return 0, true, nil
		}
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
