// Package bisect is the game that finds the one wrong micro-operation of an execution: what one player, the defender of a claimed
// execution, must reveal, where the other, its challenger, may point, and how it ends. The game itself (Game) is a state machine in
// integers and hashes that a ledger can keep and advance; money, clocks and signatures are package dispute's. The players (Defend,
// Challenge) answer from a re-execution. It executes at most one micro-operation, by package split, to decide a game.
// It imports verify/trace, verify/split, verify/merkle and the engine. Source: spec/dispute.md.
package bisect

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/split"
	"github.com/mutirao/mutirao/verify/trace"
)

// Terms are what both players accept: what the unit is, and what the defender claims.
type Terms struct {
	Program merkle.Hash `json:"program"` // of a step
	Model   merkle.Hash `json:"model"`   // state root of the weights before the unit
	Dataset merkle.Hash `json:"dataset"` // root over the leaves of the records
	Records int         `json:"records"`
	Steps   int         `json:"steps"`
	Trace   merkle.Hash `json:"trace"`
	Payload merkle.Hash `json:"payload"`
}

// Stage is what is asked for now: an answer of the defender or a choice of the challenger.
type Stage string

// The stages. After each answer that reveals more than one part stands the choice of a part.
const (
	AskPoints       Stage = "points"       // the 17 points of the trace
	PickSegment     Stage = "segment"      // the first wrong point, or 17 for the payload
	AskSteps        Stage = "steps"        // states inside a range of steps
	PickStep        Stage = "step"         // the part of the range that begins right and ends wrong
	AskTranscript   Stage = "transcript"   // the values of a step, as a tree, beside the state after it
	AskStates       Stage = "states"       // the state before the first step, as a tree
	AskBranches     Stage = "branches"     // the branches of a tree
	PickBranch      Stage = "branch"       // the first wrong one
	AskOrigin       Stage = "origin"       // where a value comes from
	AskTile         Stage = "tile"         // the elements of a tile
	PickElement     Stage = "element"      // the first wrong one
	AskAccumulators Stage = "accumulators" // accumulators inside a range of micro-operations
	PickOperation   Stage = "operation"    // the part of the range that begins right and ends wrong
	AskFinal        Stage = "final"        // what the one micro-operation reads
	AskDatum        Stage = "datum"        // the record that an input is read from
	AskNext         Stage = "next"         // why an entry of the state after the step is what it is
	AskStart        Stage = "start"        // why an entry of the state before the first step is what it is
	AskPiece        Stage = "piece"        // a piece of the payload
	PickByte        Stage = "byte"         // the first wrong byte
	AskBlock        Stage = "block"        // the weights that a block of the payload encodes
	AskRoots        Stage = "roots"        // the tensors of the last state, by their roots, which the payload names
	Over            Stage = "over"
)

// Picks reports whether the challenger is to move.
func (s Stage) Picks() bool {
	return slices.Contains([]Stage{PickSegment, PickStep, PickBranch, PickElement, PickOperation, PickByte}, s)
}

// Judged reports whether the answer makes the referee compute: a micro-operation, an element of a record, a part of the payload.
func (s Stage) Judged() bool { return s == AskFinal || s == AskDatum || s == AskBlock || s == AskRoots }

// Verdict is how a game ended.
type Verdict string

// The verdicts.
const (
	Undecided Verdict = ""
	Upheld    Verdict = "upheld"  // the defender has justified what the challenger pointed at
	Refuted   Verdict = "refuted" // what the challenger pointed at is wrong
)

// Tree says what a game descends.
type Tree string

// The trees.
const (
	TreeValues  Tree = "values"  // of a step
	TreeAfter   Tree = "after"   // the state after a step
	TreeStart   Tree = "start"   // the state before the first step
	TreeTiles   Tree = "tiles"   // of a tensor
	TreePayload Tree = "payload" // pieces
)

// ErrChoice reports a choice out of range.
var ErrChoice = errors.New("not a choice")

// Game is a game as far as it has come. It is JSON without maps, so its bytes are deterministic.
type Game struct {
	Terms   `json:"terms"`
	Stage   Stage         `json:"stage"`
	Verdict Verdict       `json:"verdict"`
	Reason  string        `json:"reason"` // of the verdict, for people
	Points  []merkle.Hash `json:"points"`
	// Steps From to To: they agree on the state Before and not on the state After.
	From   int         `json:"from"`
	To     int         `json:"to"`
	Before merkle.Hash `json:"before"`
	After  merkle.Hash `json:"after"`
	// What the defender has revealed for the challenger to choose from.
	Hashes []merkle.Hash `json:"hashes"`
	// The descent: leaves Low to Low + Count - 1 of a tree, whose hash is Node; Root says that Node is a root, which binds the count.
	Tree  Tree        `json:"tree"`
	Low   int         `json:"low"`
	Count int         `json:"count"`
	Node  merkle.Hash `json:"node"`
	Root  bool        `json:"root"`
	// The step in question.
	Transcript merkle.Hash  `json:"transcript"`
	Header     trace.Header `json:"header"`
	Value      int          `json:"value"`
	Tensor     merkle.Hash  `json:"tensor"` // root of the value
	Record     []byte       `json:"record"` // of its node; nil for an input
	Input      string       `json:"input"`  // name of the input or state
	DType      tensor.DType `json:"dtype"`
	Shape      []int        `json:"shape"`
	Tile       int          `json:"tile"`
	Bytes      []byte       `json:"bytes"` // of the tile or piece
	Element    int          `json:"element"`
	Byte       int          `json:"byte"`
	// Micro-operations Low to High of Operations.
	OpLow   int         `json:"op_low"`
	OpHigh  int         `json:"op_high"`
	Ops     int         `json:"ops"`
	AccLow  merkle.Hash `json:"acc_low"`
	AccHigh merkle.Hash `json:"acc_high"` // the zero hash at the end: there the element decides
}

// New begins a game about a claim.
func New(t Terms) *Game { return &Game{Terms: t, Stage: AskPoints} }

func (g *Game) end(v Verdict, format string, args ...any) {
	g.Stage, g.Verdict, g.Reason = Over, v, fmt.Sprintf(format, args...)
	g.Hashes, g.Bytes = nil, nil
}

// Clone returns an independent copy.
func (g *Game) Clone() *Game {
	c := *g
	c.Points, c.Hashes, c.Shape = slices.Clone(g.Points), slices.Clone(g.Hashes), slices.Clone(g.Shape)
	c.Record, c.Bytes = slices.Clone(g.Record), slices.Clone(g.Bytes)
	return &c
}

// cuts divides a range into at most 16 parts of nearly equal length and returns their borders, both ends included.
func cuts(from, to int) []int {
	parts := min(merkle.Arity, to-from)
	list := make([]int, parts+1)
	for i := range list {
		list[i] = from + i*(to-from)/parts
	}
	return list
}

// Choose lets the challenger point at a part. On an error, which wraps ErrChoice, g is as before.
func (g *Game) Choose(i int, src Source) error {
	if !g.Stage.Picks() || i < 0 || i >= g.Choices() {
		return fmt.Errorf("%w: %d of %d at %q", ErrChoice, i, g.Choices(), g.Stage)
	}
	switch g.Stage {
	case PickSegment:
		return g.chooseSegment(i, src)
	case PickStep:
		borders := cuts(g.From, g.To)
		if i+1 < len(borders)-1 {
			g.After = g.Hashes[i]
		}
		if i > 0 {
			g.Before = g.Hashes[i-1]
		}
		g.From, g.To = borders[i], borders[i+1]
		g.enterSteps()
	case PickBranch:
		g.descend(i)
	case PickElement:
		g.Element = trace.TileElement(g.Shape, g.Tile, i)
		return g.chooseElement(src)
	case PickOperation:
		borders := cuts(g.OpLow, g.OpHigh)
		if i+1 < len(borders)-1 {
			g.AccHigh = g.Hashes[i]
		}
		if i > 0 {
			g.AccLow = g.Hashes[i-1]
		}
		g.OpLow, g.OpHigh = borders[i], borders[i+1]
		g.enterOperations()
	case PickByte:
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
	return nil
}

// Choices is the number of parts to choose from; 0 if the challenger is not to move.
func (g *Game) Choices() int {
	switch g.Stage {
	case PickSegment:
		return trace.Points + 1
	case PickStep:
		return len(cuts(g.From, g.To)) - 1
	case PickBranch:
		return len(g.Hashes)
	case PickElement:
		return trace.TileLen(g.Shape, g.Tile)
	case PickOperation:
		return len(cuts(g.OpLow, g.OpHigh)) - 1
	case PickByte:
		return len(g.Bytes)
	}
	return 0
}

func (g *Game) chooseSegment(k int, src Source) error {
	switch k {
	case 0:
		g.Before, g.Stage = g.Points[0], AskStates
		return nil
	case trace.Points:
		g.begin(TreePayload, 1+(src.PayloadSize()+trace.PieceSize-1)/trace.PieceSize, g.Payload, true)
		g.Stage = AskBranches
		return nil
	}
	g.From, g.To, g.Before, g.After = src.PointStep(k-1), src.PointStep(k), g.Points[k-1], g.Points[k]
	switch {
	case g.From == g.To && g.Before == g.After:
		return fmt.Errorf("%w: there is no step between points %d and %d", ErrChoice, k-1, k)
	case g.From == g.To:
		g.end(Refuted, "points %d and %d differ though there is no step between them", k-1, k)
	default:
		g.enterSteps()
	}
	return nil
}

func (g *Game) enterSteps() {
	g.Hashes, g.Stage = nil, AskSteps
	if g.To-g.From == 1 {
		g.Stage = AskTranscript
	}
}

func (g *Game) enterOperations() {
	g.Hashes, g.Stage = nil, AskAccumulators
	if g.OpHigh-g.OpLow == 1 {
		g.Stage = AskFinal
	}
}

// begin starts the descent of a tree.
func (g *Game) begin(t Tree, count int, node merkle.Hash, root bool) {
	g.Tree, g.Low, g.Count, g.Node, g.Root, g.Hashes = t, 0, count, node, root, nil
}

// reveal takes the branches of the tree that is descended.
func (g *Game) reveal(list []merkle.Hash) error {
	h, err := merkle.Join(g.Count, list)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if g.Root {
		h = merkle.Bind(g.Count, h)
	}
	if h != g.Node {
		return fmt.Errorf("%w: the branches are of another tree of %s", ErrAnswer, g.Tree)
	}
	g.Hashes, g.Stage = list, PickBranch
	if len(list) == 1 {
		g.descend(0)
	}
	return nil
}

// descend goes to a branch, and at a leaf on to what it stands for.
func (g *Game) descend(i int) {
	if g.Tree == TreeValues && g.Count == g.Header.Values { // the branches of two trees are revealed together
		if values := len(merkle.Branches(g.Header.Values)); i >= values {
			i, g.Hashes = i-values, g.Hashes[values:]
			g.Tree, g.Count = TreeAfter, g.Header.States
		}
	}
	sizes := merkle.Branches(g.Count)
	for _, n := range sizes[:i] {
		g.Low += n
	}
	g.Count, g.Node, g.Root, g.Stage = sizes[i], g.Hashes[i], false, AskBranches
	g.Hashes = nil
	if g.Count > 1 {
		return
	}
	switch g.Tree {
	case TreeValues:
		g.Value, g.Tensor, g.Stage = g.Low, g.Node, AskOrigin
	case TreeAfter:
		g.Stage = AskNext
	case TreeStart:
		g.Stage = AskStart
	case TreeTiles:
		g.Tile, g.Stage = g.Low, AskTile
	case TreePayload:
		g.Stage = AskPiece
	}
}

// chooseElement goes on with one element of a tile that the defender has shown.
func (g *Game) chooseElement(src Source) error {
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
			return err
		}
		s, err := split.Of(call, output, g.Element)
		if err != nil {
			return err
		}
		start := merkle.Leaf(accBytes(s.Start()))
		g.OpLow, g.OpHigh, g.Ops, g.AccLow, g.AccHigh = 0, s.Ops, s.Ops, start, merkle.Hash{}
		g.enterOperations()
	}
	return nil
}

// claimed is the element in question as the defender has shown it.
func (g *Game) claimed() (uint64, error) {
	t, err := trace.OpenTile(g.DType, g.Shape, g.Tile, g.Bytes)
	if err != nil {
		return 0, err
	}
	bits, _ := t.Element(g.Element)
	return bits, nil
}

// judge ends the game by the right value of the element in question.
func (g *Game) judge(want uint64, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	got, err := g.claimed()
	switch {
	case err != nil:
		g.end(Refuted, "%s: %v", what, err)
	case got == want:
		g.end(Upheld, "%s is right", what)
	default:
		g.end(Refuted, "%s is %#x, not %#x", what, got, want)
	}
}

// node is the call in question and which of its outputs is.
func (g *Game) node() (c *graph.Call, output int, err error) {
	c, _, err = trace.ParseNode(g.Record)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	for i, name := range c.Node.Outputs {
		if r, err := trace.ParseRef(name); err == nil && int(r) == g.Value {
			return c, i, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: node %q does not put out value %d", ErrAnswer, c.Node.Name, g.Value)
}

// accBytes is an accumulator as it is hashed and sent.
func accBytes(a split.Acc) []byte {
	var w writer
	for _, v := range a {
		w.u32(int(v))
	}
	return w
}
