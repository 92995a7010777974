package bisect

import (
	"fmt"

	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/split"
	"github.com/mutirao/mutirao/verify/trace"
)

// Choice is a move of the challenger: it points at a part, and shows what its own execution has inside that part, so that the defender's
// answer can go on from the first difference. It binds the challenger in nothing but micro-operations: there the defender points, at the first
// accumulator that is wrong.
type Choice struct {
	Part  int
	Shown []byte // hashes one after the other, as many as Game.Shows says
}

// Choose lets the challenger point at a part. On an error, which wraps ErrChoice, g is as before.
func (g *Game) Choose(c Choice, src Source) error {
	if !g.Stage.Picks() || c.Part < 0 || c.Part >= g.Choices() {
		return fmt.Errorf("%w: %d of %d at %q", ErrChoice, c.Part, g.Choices(), g.Stage)
	}
	next := g.Clone()
	n, err := next.choose(c.Part, src)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChoice, err)
	}
	if len(c.Shown) != n*merkle.Size {
		return fmt.Errorf("%w: %d bytes are shown where %d hashes are asked for at %q", ErrChoice, len(c.Shown), n, g.Stage)
	}
	if n > 0 {
		next.Hashes = unpack(c.Shown)
	}
	if next.Stage == AskBranches && n > 0 && next.join(next.Hashes) == nil {
		return fmt.Errorf("%w: what is shown is what branch %d stands for", ErrChoice, c.Part)
	}
	*g = *next
	return nil
}

// Shows is the number of hashes that the choice of a part must show.
func (g *Game) Shows(part int, src Source) (int, error) {
	if !g.Stage.Picks() || part < 0 || part >= g.Choices() {
		return 0, fmt.Errorf("%w: %d of %d at %q", ErrChoice, part, g.Choices(), g.Stage)
	}
	return g.Clone().choose(part, src)
}

func unpack(b []byte) []merkle.Hash {
	list := make([]merkle.Hash, len(b)/merkle.Size)
	for i := range list {
		copy(list[i][:], b[i*merkle.Size:])
	}
	return list
}

func pack(list []merkle.Hash) []byte {
	b := make([]byte, 0, len(list)*merkle.Size)
	for _, h := range list {
		b = append(b, h[:]...)
	}
	return b
}

// Choices is the number of parts to choose from; 0 if the challenger is not to move.
func (g *Game) Choices() int {
	switch g.Stage {
	case PickSegment:
		return trace.Points + 1
	case PickStep, PickOperation:
		return 1 // the defender has chosen, the challenger only shows
	case PickBranch:
		return len(g.Hashes)
	case PickElement:
		return trace.TileLen(g.Shape, g.Tile)
	case PickByte:
		return len(g.Bytes)
	}
	return 0
}

// choose goes to a part and returns how many hashes of it must be shown.
func (g *Game) choose(i int, src Source) (shows int, err error) {
	switch g.Stage {
	case PickSegment:
		return g.chooseSegment(i, src)
	case PickStep:
		g.Stage = AskTranscript
		return inner(g.From, g.To), nil
	case PickBranch:
		g.descend(i)
		if g.Stage == AskBranches {
			return len(merkle.Branches(g.Count)), nil
		}
	case PickElement:
		g.Element = trace.TileElement(g.Shape, g.Tile, i)
		return g.chooseElement(src)
	case PickOperation:
		g.Stage = AskFinal
		return inner(g.OpLow, g.OpHigh), nil
	case PickByte:
		g.chooseByte(i, src)
	}
	return 0, nil
}

func (g *Game) chooseSegment(k int, src Source) (shows int, err error) {
	switch k {
	case 0:
		g.Before, g.Stage = g.Points[0], AskStates
		return 0, nil
	case trace.Points:
		g.begin(TreePayload, 1+(src.PayloadSize()+trace.PieceSize-1)/trace.PieceSize, g.Payload, true)
		g.Stage = AskBranches
		return len(merkle.Branches(g.Count)), nil
	}
	g.From, g.To, g.Before, g.After = src.PointStep(k-1), src.PointStep(k), g.Points[k-1], g.Points[k]
	switch {
	case g.From == g.To && g.Before == g.After:
		return 0, fmt.Errorf("there is no step between points %d and %d", k-1, k)
	case g.From == g.To:
		g.end(Refuted, "points %d and %d differ though there is no step between them", k-1, k)
		return 0, nil
	}
	g.Stage = AskTranscript
	return inner(g.From, g.To), nil
}

// chooseElement goes on with one element of a tile that the defender has shown.
func (g *Game) chooseElement(src Source) (shows int, err error) {
	switch {
	case g.Tree == TreeTiles && g.Transcript.IsZero(): // of the state before the first step
		bits, _ := src.Initial(g.Input)
		g.judge(bits, "element %s of %s before the first step", g.at(), g.Input)
	case g.Record == nil:
		d, err := src.Input(g.From, g.Input, g.Element)
		switch {
		case err != nil:
			g.end(Refuted, "element %s of input %s: %v", g.at(), g.Input, err)
		case d.Record < 0:
			g.judge(d.Bits, "element %s of input %s", g.at(), g.Input)
		default:
			g.Stage = AskDatum
		}
	default:
		call, output, err := g.node()
		if err != nil {
			return 0, err
		}
		s, err := split.Of(call, output, g.Element)
		if err != nil {
			return 0, err
		}
		start := merkle.Leaf(accBytes(s.Start()))
		g.OpLow, g.OpHigh, g.Ops, g.AccLow, g.AccHigh = 0, s.Ops, s.Ops, start, merkle.Hash{}
		g.Hashes, g.Stage = nil, AskFinal
		return inner(0, s.Ops), nil
	}
	return 0, nil
}

// chooseByte goes on with a byte of a piece of the payload.
func (g *Game) chooseByte(i int, src Source) {
	g.Byte = (g.Low-1)*trace.PieceSize + i
	slot := src.Slot(g.Byte)
	switch {
	case slot.Right != nil:
		g.Stage = AskRoots
	case !slot.Known:
		g.Stage = AskBlock
	case slot.Byte == g.Bytes[i]:
		g.end(Upheld, "byte %d of the payload is right", g.Byte)
	default:
		g.end(Refuted, "byte %d of the payload is %d, not %d", g.Byte, g.Bytes[i], slot.Byte)
	}
}
