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

// The stages. An answer shows what one Ask stage after the other asks for, until the challenger must choose; a defender that has no more
// to show may end it before, and is then asked for the rest.
const (
	AskPoints     Stage = "points"     // the 17 points of the trace
	PickSegment   Stage = "segment"    // the first wrong point, or 17 for the payload; with the states inside the segment
	PickStep      Stage = "step"       // the states inside a range of steps
	AskTranscript Stage = "transcript" // the first step that the challenger has wrong; of one step its values, as a tree, beside the state after it
	AskStates     Stage = "states"     // the state before the first step, as a tree
	AskBranches   Stage = "branches"   // the branches of a tree, down to those below the first that the challenger has wrong
	PickBranch    Stage = "branch"     // the first wrong one, with the branches that it should have
	AskOrigin     Stage = "origin"     // where a value comes from
	AskTile       Stage = "tile"       // the elements of a tile
	PickElement   Stage = "element"    // the first wrong one; of a node with the accumulators on the way to the right one
	PickOperation Stage = "operation"  // the accumulators inside a range of micro-operations
	AskFinal      Stage = "final"      // the first accumulator that the challenger has wrong, and what that micro-operation reads
	AskDatum      Stage = "datum"      // the record that an input is read from
	AskNext       Stage = "next"       // why an entry of the state after the step is what it is
	AskStart      Stage = "start"      // why an entry of the state before the first step is what it is
	AskPiece      Stage = "piece"      // a piece of the payload
	PickByte      Stage = "byte"       // the first wrong byte
	AskBlock      Stage = "block"      // the weights that a block of the payload encodes
	AskRoots      Stage = "roots"      // the tensors of the last state, by their roots, which the payload names
	Over          Stage = "over"
)

// Picks reports whether the challenger is to move.
func (s Stage) Picks() bool {
	return slices.Contains([]Stage{PickSegment, PickStep, PickBranch, PickElement, PickOperation, PickByte}, s)
}

// Judged reports whether the answer may make the referee compute: a micro-operation, an element of a record, a part of the payload.
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
	// What one side has shown for the other to find the first difference in: branches of the defender while the challenger is to choose
	// one; otherwise the challenger's states, branches or accumulators inside the part that it has chosen.
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
	// Micro-operations OpLow to OpHigh of Ops: both sides have the accumulator AccLow before them, and only the challenger has AccHigh after
	// them.
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

// parts bounds the parts into which a range of steps or of micro-operations is cut at one time.
const parts = 128

// cuts divides a range into at most 128 parts of nearly equal length and returns their borders, both ends included.
func cuts(from, to int) []int {
	n := min(parts, to-from)
	list := make([]int, n+1)
	for i := range list {
		list[i] = from + i*(to-from)/n
	}
	return list
}

// inner is the number of borders inside a range that is cut.
func inner(from, to int) int { return max(min(parts, to-from)-1, 0) }

// begin starts the descent of a tree.
func (g *Game) begin(t Tree, count int, node merkle.Hash, root bool) {
	g.Tree, g.Low, g.Count, g.Node, g.Root, g.Hashes = t, 0, count, node, root, nil
}

// join checks that some branches are of the tree that is descended.
func (g *Game) join(list []merkle.Hash) error {
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
	return nil
}

// reveal takes the branches of the tree that is descended. Where the challenger has shown its own, the first difference leads on.
func (g *Game) reveal(list []merkle.Hash) error {
	if err := g.join(list); err != nil {
		return err
	}
	theirs := g.Hashes
	g.Hashes, g.Stage = list, PickBranch
	switch {
	case theirs != nil:
		g.descend(difference(list, theirs))
	case len(list) == 1:
		g.descend(0)
	}
	return nil
}

// difference is the first place in which two lists of one length differ; the last if they are equal.
func difference(a, b []merkle.Hash) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a) - 1
}

// branch is where the descent of a branch leads: the tree that it is of, its first leaf, the number of its leaves and its place in the
// branches of that tree, which begin at Hashes[skip].
func (g *Game) branch(i int) (t Tree, low, count, skip int) {
	t, low, sizes := g.Tree, g.Low, merkle.Branches(g.Count)
	if g.Tree == TreeValues && g.Count == g.Header.Values && i >= len(sizes) { // the branches of two trees are revealed together
		skip = len(sizes)
		t, low, sizes = TreeAfter, 0, merkle.Branches(g.Header.States)
	}
	for _, n := range sizes[:i-skip] {
		low += n
	}
	return t, low, sizes[i-skip], skip
}

// descend goes to a branch, and at a leaf on to what it stands for.
func (g *Game) descend(i int) {
	g.Node, g.Root, g.Stage = g.Hashes[i], false, AskBranches
	g.Tree, g.Low, g.Count, _ = g.branch(i)
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
