package bisect

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/split"
	"github.com/mutirao/mutirao/verify/trace"
)

// Machine is an execution that can be looked into again: the player's own.
type Machine interface {
	Source
	Program() *trace.Program
	Constant(i int) *tensor.Tensor             // initializer i of the program
	State(step int) ([]trace.Entry, error)     // after so many steps
	Values(step int) ([]*tensor.Tensor, error) // of the step after so many, in the order of the program
	Payload() ([]byte, error)                  // what the unit sends
	Model() ([]trace.Entry, error)             // weights before the unit
	Datum(i int) ([]byte, merkle.Proof, error) // record i of the data set
}

// Defend returns the answer to what a game asks of the defender. It is the same after a restart: it follows from the game and
// the machine alone. It goes as far as the machine has proofs; a defender whose claim is wrong at the very place in question gets an answer
// that the game does not accept.
func Defend(g *Game, m Machine) ([]byte, error) {
	if g.Stage.Picks() || g.Stage == Over {
		return nil, fmt.Errorf("%w: nothing is asked of the defender at %q", ErrAnswer, g.Stage)
	}
	g = g.Clone()
	var b []byte
	for !g.Stage.Picks() && g.Stage != Over {
		part, err := defender{g, m}.reply()
		taken := err == nil && g.take(&reader{rest: part}, m) == nil
		if !taken && len(b) > 0 {
			break // the next answer has none of it
		}
		if !taken {
			return part, err
		}
		b = append(b, part...)
	}
	return b, nil
}

// reply is what one stage asks for.
func (d defender) reply() ([]byte, error) {
	switch d.Stage {
	case AskPoints:
		return encoded(d.points())
	case AskTranscript:
		return d.step()
	case AskStates:
		return encoded(d.states())
	case AskBranches:
		return encoded(d.branches())
	case AskOrigin:
		return encoded(d.origin())
	case AskTile:
		return encoded(d.tile())
	case AskFinal:
		return d.operation()
	case AskDatum:
		return encoded(d.datum())
	case AskNext:
		return encoded(d.next())
	case AskStart:
		return encoded(d.start())
	case AskPiece:
		return encoded(d.piece())
	case AskBlock:
		return encoded(d.block())
	case AskRoots:
		return encoded(d.lastRoots())
	}
	return nil, fmt.Errorf("%w: nothing is asked of the defender at %q", ErrAnswer, d.Stage)
}

func encoded(a answer, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return a.encode(), nil
}

// step goes into the first part of the steps that ends with another state than the challenger's.
func (d defender) step() ([]byte, error) {
	if d.To-d.From == 1 {
		return encoded(d.transcript())
	}
	own, err := inside(d.From, d.To, d.state)
	if err != nil {
		return nil, err
	}
	at := &border{d.firstWrong(own), d.After}
	if at.part < len(own) {
		at.after = own[at.part]
	}
	d.Game = d.Clone()
	if d.narrowSteps(at) != nil || d.Stage == PickStep {
		return at.encode(), nil
	}
	rest, err := encoded(d.transcript())
	return append(at.encode(), rest...), err
}

// operation goes into the first part of the micro-operations that ends with another accumulator than the challenger's.
func (d defender) operation() ([]byte, error) {
	if d.OpHigh-d.OpLow == 1 {
		return encoded(d.final())
	}
	own, err := d.accumulators()
	if err != nil {
		return nil, err
	}
	at := part(d.firstWrong(own))
	d.Game = d.Clone()
	if d.narrowOperations(&at) != nil || d.Stage == PickOperation {
		return at.encode(), nil
	}
	rest, err := encoded(d.final())
	return append(at.encode(), rest...), err
}

// defender is a player's machine at the place where the game is.
type defender struct {
	*Game
	m Machine
}

func (d defender) state(step int) (merkle.Hash, error) {
	s, err := d.m.State(step)
	return trace.StateRoot(s), err
}

func (d defender) points() (answer, error) {
	var a points
	for p := range a {
		if p > 0 && d.m.PointStep(p) == d.m.PointStep(p-1) {
			a[p] = a[p-1]
			continue
		}
		var err error
		if a[p], err = d.state(d.m.PointStep(p)); err != nil {
			return nil, err
		}
	}
	return &a, nil
}

// inside are the player's own hashes at the inner borders of a range.
func inside(from, to int, at func(int) (merkle.Hash, error)) ([]merkle.Hash, error) {
	var list []merkle.Hash
	borders := cuts(from, to)
	for _, b := range borders[1 : len(borders)-1] {
		h, err := at(b)
		if err != nil {
			return nil, err
		}
		list = append(list, h)
	}
	return list, nil
}

// firstWrong is the part that ends with the first of the challenger's hashes that is not the player's own; the last part if all are.
func (d defender) firstWrong(own []merkle.Hash) int {
	for i, h := range own {
		if h != d.Hashes[i] {
			return i
		}
	}
	return len(own)
}

func (d defender) record(at int) Record {
	b, proof := d.m.Program().Record(at)
	return Record{at, b, proof}
}

// roots are the tensor roots of the values of the step in question.
func (d defender) roots() ([]merkle.Hash, error) {
	values, err := d.m.Values(d.From)
	if err != nil {
		return nil, err
	}
	return trace.TensorRoots(values), nil
}

// entries are the leaves of a state.
func (d defender) entries(step int) ([]merkle.Hash, error) {
	s, err := d.m.State(step)
	return trace.StateLeaves(s), err
}

func (d defender) transcript() (answer, error) {
	values, err := d.roots()
	if err != nil {
		return nil, err
	}
	state, err := d.entries(d.To)
	if err != nil {
		return nil, err
	}
	return &transcript{merkle.Root(values), d.record(0), merkle.Split(values), merkle.Split(state)}, nil
}

func (d defender) states() (answer, error) {
	s, err := d.entries(0)
	if err != nil {
		return nil, err
	}
	return &states{d.record(0), merkle.Split(s)}, nil
}

// leaves are the leaves of the tree that is descended.
func (d defender) leaves() ([]merkle.Hash, error) {
	switch d.Tree {
	case TreeValues:
		return d.roots()
	case TreeAfter:
		return d.entries(d.To)
	case TreeStart:
		return d.entries(0)
	case TreeTiles:
		t, err := d.tensor()
		if err != nil {
			return nil, err
		}
		return trace.TileLeaves(t), nil
	}
	b, err := d.m.Payload()
	return trace.PayloadLeaves(b), err
}

func (d defender) branches() (answer, error) {
	own, err := d.split()
	a := hashes(own)
	return &a, err
}

// split are the branches of the tree that is descended, as the player has them.
func (d defender) split() ([]merkle.Hash, error) {
	leaves, err := d.leaves()
	if err != nil {
		return nil, err
	}
	if d.Low+d.Count > len(leaves) {
		return nil, fmt.Errorf("%w: %d leaves of %s, the game is at %d", ErrAnswer, len(leaves), d.Tree, d.Low+d.Count)
	}
	return merkle.Split(leaves[d.Low : d.Low+d.Count]), nil
}

// tensor is the tensor in question.
func (d defender) tensor() (*tensor.Tensor, error) {
	if d.Transcript.IsZero() {
		s, err := d.m.State(0)
		if err != nil {
			return nil, err
		}
		return findEntry(s, d.Input)
	}
	values, err := d.m.Values(d.From)
	if err != nil {
		return nil, err
	}
	return values[d.Value], nil
}

func findEntry(s []trace.Entry, name string) (*tensor.Tensor, error) {
	for _, e := range s {
		if e.Name == name {
			return e.Tensor, nil
		}
	}
	return nil, fmt.Errorf("%w: the state has no %q", ErrAnswer, name)
}

// part returns the record of the state's entry that meets a condition, and its place.
func (d defender) part(is func(e int, s trace.StateRecord) bool) (Record, trace.StateRecord, int) {
	p := d.m.Program()
	for e := range p.States {
		r := d.record(p.StateAt(e))
		if s, err := trace.ParseState(r.Bytes); err == nil && is(e, s) {
			return r, s, e
		}
	}
	return Record{}, trace.StateRecord{}, -1
}

func (d defender) origin() (answer, error) {
	values, err := d.m.Values(d.From)
	if err != nil {
		return nil, err
	}
	tiles := merkle.Split(trace.TileLeaves(values[d.Value]))
	p := d.m.Program()
	if node := p.Maker(d.Value); node >= 0 {
		return &origin{record: d.record(p.NodeAt(node)), tiles: tiles}, nil
	}
	record := d.record(p.InputAt(d.Value))
	part, _, e := d.part(func(_ int, s trace.StateRecord) bool { return s.Input == d.Value })
	if e < 0 {
		return &origin{record: record, tiles: tiles}, nil
	}
	state, err := d.entries(d.From)
	if err != nil {
		return nil, err
	}
	return &origin{record: record, isPart: true, part: part, proof: merkle.Prove(state, e)}, nil
}

func (d defender) tile() (answer, error) {
	t, err := d.tensor()
	if err != nil {
		return nil, err
	}
	a := tileBytes(trace.TileBytes(t, d.Tile))
	return &a, nil
}

// operands are the inputs of the node in question, by their places in the node.
func (d defender) operands(c *graph.Call, record *graph.Graph) ([]*tensor.Tensor, error) {
	values, err := d.m.Values(d.From)
	if err != nil {
		return nil, err
	}
	list := make([]*tensor.Tensor, len(c.Node.Inputs))
	for i, name := range c.Node.Inputs {
		if at := slices.IndexFunc(record.Initializers, func(t tensor.Named) bool { return t.Name == name }); at >= 0 {
			list[i] = record.Initializers[at].Tensor
			continue
		}
		ref, err := trace.ParseRef(name)
		switch {
		case name == "":
		case err != nil:
			return nil, err
		case ref >= trace.FirstConstant:
			list[i] = d.m.Constant(int(ref - trace.FirstConstant))
		default:
			list[i] = values[ref]
		}
	}
	return list, nil
}

// whole reads whole tensors and notes the tiles.
type whole struct {
	list  []*tensor.Tensor
	tiles map[[2]int]bool
}

// Element implements split.Reader.
func (r whole) Element(input, i int) (uint64, error) {
	x := r.list[input]
	if r.tiles != nil {
		r.tiles[[2]int{input, trace.TileOf(x.Shape(), i)}] = true
	}
	return trace.Element(x, i), nil
}

// chain is the split of the element in question, with what it reads.
func (d defender) chain() (split.Split, whole, *graph.Call, *graph.Graph, error) {
	call, record, err := trace.ParseNode(d.Record)
	if err != nil {
		return split.Split{}, whole{}, nil, nil, err
	}
	_, output, err := d.node()
	if err != nil {
		return split.Split{}, whole{}, nil, nil, err
	}
	s, err := split.Of(call, output, d.Element)
	if err != nil {
		return split.Split{}, whole{}, nil, nil, err
	}
	list, err := d.operands(call, record)
	return s, whole{list: list}, call, record, err
}

// accumulate runs a chain and calls at with the accumulator at each of some ascending borders.
func accumulate(s split.Split, in whole, borders []int, at func(split.Acc)) error {
	a, op := s.Start(), 0
	for _, b := range borders {
		for ; op < b; op++ {
			if err := s.Run(op, a, in); err != nil {
				return err
			}
		}
		at(a)
	}
	return nil
}

// accumulators are hashes of those at the inner borders of the range of micro-operations.
func (d defender) accumulators() (list []merkle.Hash, err error) {
	s, in, _, _, err := d.chain()
	if err != nil {
		return nil, err
	}
	borders := cuts(d.OpLow, d.OpHigh)
	err = accumulate(s, in, borders[1:len(borders)-1], func(acc split.Acc) { list = append(list, merkle.Leaf(accBytes(acc))) })
	return list, err
}

func (d defender) final() (answer, error) {
	s, in, call, record, err := d.chain()
	if err != nil {
		return nil, err
	}
	a := &final{}
	var acc split.Acc
	if err := accumulate(s, in, []int{d.OpLow}, func(x split.Acc) { a.acc, acc = accBytes(x), slices.Clone(x) }); err != nil {
		return nil, err
	}
	in.tiles = map[[2]int]bool{}
	_ = s.Run(d.OpLow, acc, in) // its error is for the referee to find
	roots, err := d.roots()
	if err != nil {
		return nil, err
	}
	for _, v := range record.Inputs {
		touched := map[int]bool{}
		var x *tensor.Tensor
		for i, name := range call.Node.Inputs {
			if name != v.Name {
				continue
			}
			x = in.list[i]
			for t := range in.tiles {
				if t[0] == i {
					touched[t[1]] = true
				}
			}
		}
		a.inputs = append(a.inputs, d.open(v.Name, x, roots, touched))
	}
	return a, nil
}

// open opens the touched tiles of an input.
func (d defender) open(name string, x *tensor.Tensor, roots []merkle.Hash, touched map[int]bool) input {
	if len(touched) == 0 {
		return input{}
	}
	in := input{opening: openTiles(x, touched)}
	ref, _ := trace.ParseRef(name) // of our own program
	if ref < trace.FirstConstant {
		in.root, in.proof = roots[ref], merkle.Prove(roots, int(ref))
		return in
	}
	in.constant = d.record(d.m.Program().ConstantAt(int(ref - trace.FirstConstant)))
	in.root = trace.TensorRoot(x)
	return in
}

func openTiles(x *tensor.Tensor, touched map[int]bool) Opening {
	leaves := trace.TileLeaves(x)
	o := Opening{Tree: merkle.Root(leaves)}
	for t := range leaves {
		if touched[t] {
			o.Tiles = append(o.Tiles, TileOpening{t, trace.TileBytes(x, t), merkle.Prove(leaves, t)})
		}
	}
	return o
}

func (d defender) datum() (answer, error) {
	at, err := d.m.Input(d.From, d.Input, d.Element)
	if err != nil {
		return nil, err
	}
	b, proof, err := d.m.Datum(at.Record)
	return &datum{b, proof}, err
}

func (d defender) next() (answer, error) {
	part, s, e := d.part(func(e int, _ trace.StateRecord) bool { return e == d.Low })
	if e < 0 {
		return nil, fmt.Errorf("%w: the program has no state %d", ErrAnswer, d.Low)
	}
	values, err := d.m.Values(d.From)
	if err != nil {
		return nil, err
	}
	roots, err := d.roots()
	if err != nil {
		return nil, err
	}
	after, err := d.m.State(d.To)
	if err != nil {
		return nil, err
	}
	x, err := findEntry(after, s.Name)
	if err != nil {
		return nil, err
	}
	a := &next{part: part, root: trace.TensorRoot(x), proof: merkle.Prove(roots, int(s.Next))}
	if guard := d.Header.Guard; guard != trace.NoRef {
		a.guard, a.guards = openTiles(values[guard], map[int]bool{0: true}), merkle.Prove(roots, int(guard))
		if uint32(trace.Element(values[guard], 0))&0x7f800000 == 0x7f800000 {
			before, err := d.entries(d.From)
			if err != nil {
				return nil, err
			}
			a.proof = merkle.Prove(before, e)
		}
	}
	return a, nil
}

func (d defender) start() (answer, error) {
	part, s, e := d.part(func(e int, _ trace.StateRecord) bool { return e == d.Low })
	if e < 0 {
		return nil, fmt.Errorf("%w: the program has no state %d", ErrAnswer, d.Low)
	}
	first, err := d.m.State(0)
	if err != nil {
		return nil, err
	}
	x, err := findEntry(first, s.Name)
	if err != nil {
		return nil, err
	}
	a := &start{part: part, root: trace.TensorRoot(x)}
	if from, given := d.Game.origin(d.m, s.Name); given {
		a.at, a.count, a.proof, err = d.from(from)
		return a, err
	}
	a.input, a.tiles = d.record(d.m.Program().InputAt(s.Input)), merkle.Split(trace.TileLeaves(x))
	return a, nil
}

// Archive is what a Machine must have whose Source names an Origin: the states that the ledger names.
type Archive interface {
	Named(state merkle.Hash) ([]trace.Entry, error)
}

// from proves an entry in the state that it is taken from.
func (d defender) from(o Origin) (at, count int, proof merkle.Proof, err error) {
	var state []trace.Entry
	if archive, ok := d.m.(Archive); ok {
		state, err = archive.Named(o.State)
	} else {
		state, err = d.m.Model()
	}
	if err != nil {
		return 0, 0, nil, err
	}
	return prove(state, o.Name, o.Role)
}

// lastRoots are the tensor roots of the last state, by name.
func (d defender) lastRoots() (answer, error) {
	s, err := d.m.State(d.m.PointStep(trace.Points - 1))
	if err != nil {
		return nil, err
	}
	sorted := slices.Clone(s)
	slices.SortFunc(sorted, trace.Entry.Compare)
	var a roots
	for _, e := range sorted {
		a = append(a, trace.TensorRoot(e.Tensor))
	}
	return &a, nil
}

// prove proves the entry of a name and role in a state.
func prove(s []trace.Entry, name, role string) (at, count int, proof merkle.Proof, err error) {
	sorted := slices.Clone(s)
	slices.SortFunc(sorted, trace.Entry.Compare)
	at = slices.IndexFunc(sorted, func(e trace.Entry) bool { return e.Name == name && e.Role == role })
	if at < 0 {
		return 0, 0, nil, fmt.Errorf("%w: the state has no %q", ErrAnswer, name)
	}
	return at, len(s), merkle.Prove(trace.StateLeaves(s), at), nil
}

func (d defender) piece() (answer, error) {
	b, err := d.m.Payload()
	if err != nil || d.Low == 0 {
		return &tileBytes{}, err
	}
	from := min((d.Low-1)*trace.PieceSize, len(b))
	a := tileBytes(b[from:min(from+trace.PieceSize, len(b))])
	return &a, nil
}

func (d defender) block() (answer, error) {
	slot := d.m.Slot(d.Byte)
	model, err := d.m.Model()
	if err != nil {
		return nil, err
	}
	last, err := d.m.State(d.m.PointStep(trace.Points - 1))
	if err != nil {
		return nil, err
	}
	a := &block{}
	for _, side := range []struct {
		state []trace.Entry
		role  string
		to    *weights
	}{{model, trace.RoleWeights, &a.before}, {last, trace.RoleState, &a.after}} {
		x, err := findEntry(side.state, slot.Name)
		if err != nil {
			return nil, err
		}
		touched := map[int]bool{}
		for i := range slot.Count {
			touched[trace.TileOf(x.Shape(), slot.First+i)] = true
		}
		side.to.at, side.to.count, side.to.proof, err = prove(side.state, slot.Name, side.role)
		if err != nil {
			return nil, err
		}
		side.to.opening = openTiles(x, touched)
	}
	return a, nil
}
