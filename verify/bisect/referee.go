package bisect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/split"
	"github.com/mutirao/mutirao/verify/trace"
)

// Answer takes the defender's answer to what the stage asks for. On an error, which wraps ErrAnswer, g is as before: who cannot
// prove what is asked for has not answered, and its clock runs on.
func (g *Game) Answer(b []byte, src Source) error {
	next := g.Clone()
	if err := next.answer(b, src); err != nil {
		if !errors.Is(err, ErrAnswer) {
			err = fmt.Errorf("%w: %w", ErrAnswer, err)
		}
		return err
	}
	*g = *next
	return nil
}

func (g *Game) answer(b []byte, src Source) error {
	if len(b) > MaxAnswer {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrAnswer, len(b), MaxAnswer)
	}
	if g.Stage.Picks() || g.Stage == Over {
		return fmt.Errorf("%w: nothing is asked of the defender at %q", ErrAnswer, g.Stage)
	}
	r := &reader{rest: b}
	for first := true; !g.Stage.Picks() && g.Stage != Over && (first || len(r.rest) > 0 || g.knownLength()); first = false {
		if err := g.take(r, src); err != nil {
			return err
		}
	}
	return r.end()
}

// knownLength reports whether the length of the payload is in question, of which nothing is left to show.
func (g *Game) knownLength() bool { return g.Stage == AskPiece && g.Low == 0 }

// take reads what one stage asks for off the front of an answer.
func (g *Game) take(r *reader, src Source) error {
	switch g.Stage {
	case AskPoints:
		return read(r, func(a *points) error {
			if trace.TraceRoot(*a, g.Payload) != g.Trace {
				return fmt.Errorf("%w: the points do not lead to the trace", ErrAnswer)
			}
			g.Points, g.Stage = slices.Clone(a[:]), PickSegment
			return nil
		})
	case AskTranscript:
		return g.takeStep(r)
	case AskStates:
		return read(r, g.takeStates)
	case AskBranches:
		return read(r, func(a *hashes) error { return g.reveal(*a) })
	case AskOrigin:
		return read(r, func(a *origin) error { return g.takeOrigin(a, src) })
	case AskTile:
		return read(r, g.takeTile)
	case AskFinal:
		return g.takeOperation(r)
	case AskDatum:
		return read(r, func(a *datum) error { return g.takeDatum(a, src) })
	case AskNext:
		return read(r, g.takeNext)
	case AskStart:
		return read(r, func(a *start) error { return g.takeStart(a, src) })
	case AskPiece:
		return read(r, func(a *tileBytes) error { return g.takePiece(*a, src) })
	case AskBlock:
		return read(r, func(a *block) error { return g.takeBlock(a, src) })
	case AskRoots:
		return read(r, func(a *roots) error { return g.takeRoots(*a, src) })
	}
	return fmt.Errorf("%w: nothing is asked of the defender at %q", ErrAnswer, g.Stage)
}

// read reads a part of an answer and hands it over.
func read[T any, A interface {
	*T
	answer
}](r *reader, take func(A) error) error {
	a := A(new(T))
	if a.decode(r); r.err != nil {
		return r.err
	}
	return take(a)
}

// takeStep goes to the part of the steps that both begin with one state and the challenger ends with another than the defender, and, if
// that is one step, into it.
func (g *Game) takeStep(r *reader) error {
	if g.To-g.From > 1 {
		if err := read(r, g.narrowSteps); err != nil || g.Stage == PickStep {
			return err
		}
	}
	return read(r, g.takeTranscript)
}

func (g *Game) narrowSteps(a *border) error {
	borders := cuts(g.From, g.To)
	last := len(borders) - 2
	switch {
	case a.part > last:
		return fmt.Errorf("%w: part %d of %d", ErrAnswer, a.part, last+1)
	case a.part == last && a.after != g.After:
		return fmt.Errorf("%w: another state than the claim's after step %d", ErrAnswer, g.To)
	case a.part < last && a.after == g.Hashes[a.part]:
		return fmt.Errorf("%w: the challenger has that state after step %d", ErrAnswer, borders[a.part+1])
	}
	if a.part > 0 {
		g.Before = g.Hashes[a.part-1]
	}
	g.From, g.To, g.After, g.Hashes = borders[a.part], borders[a.part+1], a.after, nil
	if g.To-g.From > 1 {
		g.Stage = PickStep
	}
	return nil
}

// takeOperation goes to the part of the micro-operations that both begin with one accumulator and the challenger, as the defender says,
// ends with a wrong one, and, if that is one micro-operation, carries it out.
func (g *Game) takeOperation(r *reader) error {
	if g.OpHigh-g.OpLow > 1 {
		if err := read(r, g.narrowOperations); err != nil || g.Stage == PickOperation {
			return err
		}
	}
	return read(r, g.takeFinal)
}

func (g *Game) narrowOperations(a *part) error {
	borders := cuts(g.OpLow, g.OpHigh)
	i, last := int(*a), len(borders)-2
	if i > last {
		return fmt.Errorf("%w: part %d of %d", ErrAnswer, i, last+1)
	}
	if i < last {
		g.AccHigh = g.Hashes[i]
	}
	if i > 0 {
		g.AccLow = g.Hashes[i-1]
	}
	g.OpLow, g.OpHigh, g.Hashes = borders[i], borders[i+1], nil
	if g.OpHigh-g.OpLow > 1 {
		g.Stage = PickOperation
	}
	return nil
}

func (g *Game) takeHeader(r Record) error {
	h, err := trace.ParseHeader(r.Bytes)
	if err != nil {
		return err
	}
	if r.At != 0 {
		return fmt.Errorf("%w: record %d is not the header", ErrAnswer, r.At)
	}
	g.Header = h
	return r.check(g.Program, h.Records())
}

func (g *Game) takeTranscript(a *transcript) error {
	if err := g.takeHeader(a.header); err != nil {
		return err
	}
	for _, tree := range []struct {
		name   string
		count  int
		root   merkle.Hash
		hashes []merkle.Hash
	}{{"values", g.Header.Values, a.root, a.values}, {"state", g.Header.States, g.After, a.state}} {
		h, err := merkle.Join(tree.count, tree.hashes)
		if err != nil || merkle.Bind(tree.count, h) != tree.root {
			return fmt.Errorf("%w: the branches are of another tree of the %s", ErrAnswer, tree.name)
		}
	}
	g.Transcript = a.root
	g.begin(TreeValues, g.Header.Values, a.root, true)
	g.Hashes, g.Stage = append(a.values, a.state...), PickBranch
	return nil
}

func (g *Game) takeStates(a *states) error {
	if err := g.takeHeader(a.header); err != nil {
		return err
	}
	if g.Header.States == 0 {
		return fmt.Errorf("%w: a program without a state", ErrAnswer)
	}
	g.begin(TreeStart, g.Header.States, g.Before, true)
	return g.reveal(a.branches)
}

// takeInput checks the record of an input of the program and makes it the tensor in question.
func (g *Game) takeInput(r Record, at int) error {
	if r.At != g.Header.InputAt(at) {
		return fmt.Errorf("%w: record %d is not that of input %d", ErrAnswer, r.At, at)
	}
	if err := r.check(g.Program, g.Header.Records()); err != nil {
		return err
	}
	v, err := trace.ParseInput(r.Bytes)
	if err != nil {
		return err
	}
	g.Record, g.Input, g.DType, g.Shape = nil, v.Name, v.DType, v.Shape
	return nil
}

// takePart checks the record of entry e of the state.
func (g *Game) takePart(r Record) (trace.StateRecord, int, error) {
	e := r.At - g.Header.StateAt(0)
	if e < 0 || e >= g.Header.States {
		return trace.StateRecord{}, 0, fmt.Errorf("%w: record %d is not that of a state", ErrAnswer, r.At)
	}
	if err := r.check(g.Program, g.Header.Records()); err != nil {
		return trace.StateRecord{}, 0, err
	}
	s, err := trace.ParseState(r.Bytes)
	return s, e, err
}

// openTiles begins the descent into the tiles of the tensor in question.
func (g *Game) openTiles(branches []merkle.Hash) error {
	n := trace.Tiles(g.Shape)
	h, err := merkle.Join(n, branches)
	if err != nil || trace.TypeRoot(g.DType, g.Shape, merkle.Bind(n, h)) != g.Tensor {
		return fmt.Errorf("%w: the branches are not of the tensor's tiles", ErrAnswer)
	}
	g.begin(TreeTiles, n, merkle.Bind(n, h), true)
	return g.reveal(branches)
}

func (g *Game) takeOrigin(a *origin, src Source) error {
	if g.Value >= g.Header.Inputs {
		if err := a.record.check(g.Program, g.Header.Records()); err != nil {
			return err
		}
		g.Record = slices.Clone(a.record.Bytes)
		c, output, err := g.node()
		if err != nil {
			return err
		}
		g.Input, g.DType, g.Shape = c.Node.Name, c.Out[output].DType, slices.Clone(c.Out[output].Shape)
		return g.openTiles(a.tiles)
	}
	if err := g.takeInput(a.record, g.Value); err != nil {
		return err
	}
	if !a.isPart {
		if _, err := src.Input(g.From, g.Input, 0); err != nil {
			return fmt.Errorf("%w: %s is no input from outside: %w", ErrAnswer, g.Input, err)
		}
		return g.openTiles(a.tiles)
	}
	s, e, err := g.takePart(a.part)
	if err != nil {
		return err
	}
	if s.Input != g.Value {
		return fmt.Errorf("%w: state %q is not input %d", ErrAnswer, s.Name, g.Value)
	}
	if err := a.proof.Verify(g.Before, trace.EntryLeaf(s.Name, trace.RoleState, g.Tensor), e, g.Header.States); err != nil {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	g.end(Upheld, "input %s is that of the state before step %d", s.Name, g.From+1)
	return nil
}

func (g *Game) takeTile(a *tileBytes) error {
	if merkle.Leaf(*a) != g.Node {
		return fmt.Errorf("%w: other bytes than those of tile %d", ErrAnswer, g.Tile)
	}
	g.Bytes, g.Stage = slices.Clone(*a), PickElement
	if _, err := trace.OpenTile(g.DType, g.Shape, g.Tile, g.Bytes); err != nil {
		g.end(Refuted, "the bytes under tile %d are no tile: %v", g.Tile, err)
	}
	return nil
}

func (g *Game) takeDatum(a *datum, src Source) error {
	d, err := src.Input(g.From, g.Input, g.Element)
	if err != nil {
		return err
	}
	at := d.leaf(g.Terms)
	if err := a.proof.Verify(at.Root, merkle.Leaf(a.bytes), at.At, at.Count); err != nil {
		return fmt.Errorf("%w: record %d of the data: %w", ErrAnswer, d.Record, err)
	}
	bits, err := d.Find(a.bytes)
	if err != nil {
		return err
	}
	g.judge(bits, "element %s of input %s, from record %d", g.at(), g.Input, d.Record)
	return nil
}

func (g *Game) takeNext(a *next) error {
	s, e, err := g.takePart(a.part)
	if err != nil {
		return err
	}
	if e != g.Low || trace.EntryLeaf(s.Name, trace.RoleState, a.root) != g.Node {
		return fmt.Errorf("%w: not entry %d of the state", ErrAnswer, g.Low)
	}
	skipped, err := g.skipped(a)
	if err != nil {
		return err
	}
	if skipped {
		err = a.proof.Verify(g.Before, trace.EntryLeaf(s.Name, trace.RoleState, a.root), e, g.Header.States)
	} else {
		err = a.proof.Verify(g.Transcript, a.root, int(s.Next), g.Header.Values)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrAnswer, s.Name, err)
	}
	g.end(Upheld, "%s after step %d is what the step put out", s.Name, g.From+1)
	return nil
}

// skipped reports whether the guard says that the step leaves the state as it is.
func (g *Game) skipped(a *next) (bool, error) {
	if g.Header.Guard == trace.NoRef {
		return false, nil
	}
	root := trace.TypeRoot(tensor.Float32, []int{}, a.guard.Tree)
	if err := a.guards.Verify(g.Transcript, root, int(g.Header.Guard), g.Header.Values); err != nil {
		return false, fmt.Errorf("%w: the guard: %w", ErrAnswer, err)
	}
	tiles, err := a.guard.open(tensor.Float32, []int{}, root)
	if err != nil {
		return false, err
	}
	bits, err := tiles.Element(0)
	return uint32(bits)&0x7f800000 == 0x7f800000, err
}

func (g *Game) takeStart(a *start, src Source) error {
	s, e, err := g.takePart(a.part)
	if err != nil {
		return err
	}
	if e != g.Low || trace.EntryLeaf(s.Name, trace.RoleState, a.root) != g.Node {
		return fmt.Errorf("%w: not entry %d of the state", ErrAnswer, g.Low)
	}
	if from, given := g.origin(src, s.Name); given {
		if err := a.proof.Verify(from.State, trace.EntryLeaf(from.Name, from.Role, a.root), a.at, a.count); err != nil {
			return fmt.Errorf("%w: %s of the model: %w", ErrAnswer, s.Name, err)
		}
		g.end(Upheld, "%s before the first step is that of the model", s.Name)
		return nil
	}
	if err := g.takeInput(a.input, s.Input); err != nil {
		return err
	}
	g.Tensor = a.root
	return g.openTiles(a.tiles)
}

// origin is where an entry of the state before the first step is taken from, if it is from a state that the ledger names.
func (g *Game) origin(src Source, name string) (Origin, bool) {
	if from, given := src.Origin(name); given {
		return from, true
	}
	_, model := src.Initial(name)
	return Origin{g.Model, name, trace.RoleWeights}, model
}

func (g *Game) takePiece(b []byte, src Source) error {
	if g.Low == 0 {
		if len(b) > 0 {
			return fmt.Errorf("%w: the length needs no bytes", ErrAnswer)
		}
		if g.Node == trace.PayloadSize(src.PayloadSize()) {
			g.end(Upheld, "the payload has as many bytes as it must")
		} else {
			g.end(Refuted, "the payload has another length than %d bytes", src.PayloadSize())
		}
		return nil
	}
	if merkle.Leaf(b) != g.Node {
		return fmt.Errorf("%w: other bytes than those of piece %d", ErrAnswer, g.Low)
	}
	if want := min(trace.PieceSize, src.PayloadSize()-(g.Low-1)*trace.PieceSize); len(b) != want {
		g.end(Refuted, "piece %d of the payload has %d bytes, not %d", g.Low, len(b), want)
		return nil
	}
	g.Bytes, g.Stage = slices.Clone(b), PickByte
	return nil
}

func (g *Game) takeBlock(a *block, src Source) error {
	slot := src.Slot(g.Byte)
	before, err := a.before.open(slot, trace.RoleWeights, g.Model)
	if err != nil {
		return err
	}
	after, err := a.after.open(slot, trace.RoleState, g.Points[trace.Points-1])
	if err != nil {
		return err
	}
	b, err := slot.Encode(before, after)
	switch {
	case err != nil:
		g.end(Refuted, "elements %d to %d of %s cannot be encoded: %v", slot.First, slot.First+slot.Count-1, slot.Name, err)
	case slot.Index < len(b) && b[slot.Index] == g.Bytes[g.Byte%trace.PieceSize]:
		g.end(Upheld, "byte %d of the payload is right", g.Byte)
	default:
		g.end(Refuted, "byte %d of the payload, of elements %d to %d of %s, is wrong", g.Byte, slot.First, slot.First+slot.Count-1, slot.Name)
	}
	return nil
}

// takeRoots judges a byte that names the last state.
func (g *Game) takeRoots(list []merkle.Hash, src Source) error {
	slot := src.Slot(g.Byte)
	if len(list) != len(slot.Entries) {
		return fmt.Errorf("%w: %d roots of %d entries", ErrAnswer, len(list), len(slot.Entries))
	}
	leaves := make([]merkle.Hash, len(list))
	for i, name := range slot.Entries {
		leaves[i] = trace.EntryLeaf(name, trace.RoleState, list[i])
	}
	if merkle.Root(leaves) != g.Points[trace.Points-1] {
		return fmt.Errorf("%w: roots of another state than the last", ErrAnswer)
	}
	if slot.Right(list, g.Bytes, g.Byte%trace.PieceSize) {
		g.end(Upheld, "byte %d of the payload is right", g.Byte)
	} else {
		g.end(Refuted, "byte %d of the payload does not follow from the last state", g.Byte)
	}
	return nil
}

// open reads the elements of a slot from a tensor of a state.
func (w weights) open(slot Slot, role string, state merkle.Hash) ([]float32, error) {
	root := trace.TypeRoot(tensor.Float32, slot.Shape, w.opening.Tree)
	if err := w.proof.Verify(state, trace.EntryLeaf(slot.Name, role, root), w.at, w.count); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrAnswer, slot.Name, err)
	}
	tiles, err := w.opening.open(tensor.Float32, slot.Shape, root)
	if err != nil {
		return nil, err
	}
	list := make([]float32, slot.Count)
	for i := range list {
		bits, err := tiles.Element(slot.First + i)
		if err != nil {
			return nil, err
		}
		list[i] = math.Float32frombits(uint32(bits))
	}
	return list, nil
}

// tiles are opened tiles of one tensor.
type tiles []trace.Tile

// open checks an opening against the tensor's root.
func (o Opening) open(dt tensor.DType, shape []int, root merkle.Hash) (tiles, error) {
	if trace.TypeRoot(dt, shape, o.Tree) != root {
		return nil, fmt.Errorf("%w: tiles of another tensor", ErrAnswer)
	}
	n := trace.Tiles(shape)
	var list tiles
	for _, t := range o.Tiles {
		if err := t.Proof.Verify(o.Tree, merkle.Leaf(t.Bytes), t.Tile, n); err != nil {
			return nil, fmt.Errorf("%w: tile %d: %w", ErrAnswer, t.Tile, err)
		}
		tile, err := trace.OpenTile(dt, shape, t.Tile, t.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
		list = append(list, tile)
	}
	return list, nil
}

// Element returns an element of an opened tile.
func (t tiles) Element(i int) (uint64, error) {
	for _, tile := range t {
		if bits, ok := tile.Element(i); ok {
			return bits, nil
		}
	}
	return 0, fmt.Errorf("%w: the tile of element %d is not opened", ErrAnswer, i)
}

// operands are the inputs of the node in question, as far as they are opened.
type operands []tiles

// Element implements split.Reader.
func (o operands) Element(input, i int) (uint64, error) {
	if input >= len(o) {
		return 0, fmt.Errorf("%w: input %d is not opened", ErrAnswer, input)
	}
	return o[input].Element(i)
}

// takeFinal carries out the one micro-operation.
func (g *Game) takeFinal(a *final) error {
	call, output, err := g.node()
	if err != nil {
		return err
	}
	s, err := split.Of(call, output, g.Element)
	if err != nil {
		return err
	}
	acc := s.Start()
	if len(a.acc) != 4*len(acc) || merkle.Leaf(a.acc) != g.AccLow {
		return fmt.Errorf("%w: another accumulator", ErrAnswer)
	}
	for i := range acc {
		acc[i] = binary.LittleEndian.Uint32(a.acc[4*i:])
	}
	in, err := g.operands(a)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("micro-operation %d of %d of element %s of %s (%s)", g.OpLow+1, g.Ops, g.at(), g.Input, call.Node.Op)
	switch err := s.Run(g.OpLow, acc, in); {
	case errors.Is(err, split.ErrValue):
		g.end(Refuted, "%s: %v", what, err)
		return nil
	case err != nil:
		return err
	}
	if g.OpHigh == g.Ops {
		g.judge(acc.Result(), "%s", what)
		return nil
	}
	if merkle.Leaf(accBytes(acc)) == g.AccHigh {
		g.end(Refuted, "%s is right, and the defender has called it wrong", what)
	} else {
		g.end(Upheld, "the challenger has %s wrong", what)
	}
	return nil
}

// operands checks what the micro-operation reads: constants in the record, values of the transcript, constants of the program.
func (g *Game) operands(a *final) (operands, error) {
	call, record, err := trace.ParseNode(g.Record)
	if err != nil {
		return nil, err
	}
	if len(a.inputs) != len(record.Inputs) {
		return nil, fmt.Errorf("%w: %d inputs opened of %d", ErrAnswer, len(a.inputs), len(record.Inputs))
	}
	list := make(operands, len(call.Node.Inputs))
	for i, v := range record.Inputs {
		t, err := g.operand(v, a.inputs[i])
		if err != nil {
			return nil, err
		}
		for j, name := range call.Node.Inputs {
			if name == v.Name {
				list[j] = t
			}
		}
	}
	for _, c := range record.Initializers {
		var t tiles
		for tile := range trace.Tiles(c.Tensor.Shape()) {
			opened, err := trace.OpenTile(c.Tensor.DType(), c.Tensor.Shape(), tile, trace.TileBytes(c.Tensor, tile))
			if err != nil {
				return nil, err
			}
			t = append(t, opened)
		}
		for j, name := range call.Node.Inputs {
			if name == c.Name {
				list[j] = t
			}
		}
	}
	return list, nil
}

// operand checks one input that is not in the record.
func (g *Game) operand(v graph.Value, in input) (tiles, error) {
	if len(in.opening.Tiles) == 0 {
		return nil, nil
	}
	ref, err := trace.ParseRef(v.Name)
	if err != nil {
		return nil, err
	}
	if ref < trace.FirstConstant {
		err = in.proof.Verify(g.Transcript, in.root, int(ref), g.Header.Values)
	} else {
		at := int(ref - trace.FirstConstant)
		root, bad := trace.ParseConstant(in.constant.Bytes)
		if bad != nil || at >= g.Header.Constants || in.constant.At != g.Header.ConstantAt(at) || root != in.root {
			return nil, fmt.Errorf("%w: not the record of constant %d", ErrAnswer, at)
		}
		err = in.constant.check(g.Program, g.Header.Records())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: input %s: %w", ErrAnswer, v.Name, err)
	}
	return in.opening.open(v.DType, v.Shape, in.root)
}
