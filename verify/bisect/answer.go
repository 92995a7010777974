package bisect

import (
	"fmt"

	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/split"
	"github.com/mutirao/mutirao/verify/trace"
)

// Record opens a record of the program.
type Record struct {
	At    int
	Bytes []byte
	Proof merkle.Proof
}

func (w *writer) record(r Record) {
	w.u32(r.At)
	w.bytes(r.Bytes)
	w.proof(r.Proof)
}

func (r *reader) record() Record {
	return Record{r.u32(), r.bytes(maxRecord), r.proof()}
}

// check verifies that the record stands under a program's hash.
func (r Record) check(program merkle.Hash, records int) error {
	if err := r.Proof.Verify(program, merkle.Leaf(r.Bytes), r.At, records); err != nil {
		return fmt.Errorf("%w: record %d of the program: %w", ErrAnswer, r.At, err)
	}
	return nil
}

// Opening opens tiles of a tensor: the tree over its tiles, and some of them with their proofs.
type Opening struct {
	Tree  merkle.Hash
	Tiles []TileOpening
}

// TileOpening is one tile.
type TileOpening struct {
	Tile  int
	Bytes []byte
	Proof merkle.Proof
}

func (w *writer) opening(o Opening) {
	w.hash(o.Tree)
	w.u32(len(o.Tiles))
	for _, t := range o.Tiles {
		w.u32(t.Tile)
		w.bytes(t.Bytes)
		w.proof(t.Proof)
	}
}

func (r *reader) opening() Opening {
	o := Opening{Tree: r.hash()}
	for range r.count(maxList) {
		if r.err != nil {
			break
		}
		o.Tiles = append(o.Tiles, TileOpening{r.u32(), r.bytes(trace.MaxTileBytes), r.proof()})
	}
	return o
}

// parts of the defender's answers, by what is asked.

// points are the 17 state roots.
type points [trace.Points]merkle.Hash

// border points at the first of the challenger's states inside a range of steps that the defender has otherwise, by the part that it ends,
// and says what state the defender has there; the last part ends with the claimed one.
type border struct {
	part  int
	after merkle.Hash
}

// part points at the first of the challenger's accumulators that is wrong, by the part that it ends; the last part ends with the element.
type part int

// transcript is the root over the values of a step, with the header of the program that says how many there are, and the
// branches of the tree over the values and of that over the state after the step.
type transcript struct {
	root          merkle.Hash
	header        Record
	values, state []merkle.Hash
}

// states are the branches of the tree over the state before the first step, with the header that says how many entries it has.
type states struct {
	header   Record
	branches []merkle.Hash
}

// origin says where a value comes from: the record of its input or node, and the branches of the tree over its tiles; for an
// input that is part of the state, the record of that and the proof in the state before the step instead of branches.
type origin struct {
	record Record
	isPart bool
	part   Record
	proof  merkle.Proof
	tiles  []merkle.Hash
}

// input opens what a micro-operation reads of one input: the tensor's root, as a value of the transcript or as a constant of the
// program, and tiles of it.
type input struct {
	root     merkle.Hash
	constant Record // of a constant
	proof    merkle.Proof
	opening  Opening
}

// final is the accumulator before the micro-operation, and what it reads: one input for each of the node's that is not in its
// record, in the record's order. An input of which nothing is read has no tiles, and nothing else is looked at.
type final struct {
	acc    []byte
	inputs []input
}

// next justifies an entry of the state after a step: the tensor is the value that the program says, or, in a step that is
// skipped, the tensor from before.
type next struct {
	part   Record
	root   merkle.Hash  // of the entry's tensor
	proof  merkle.Proof // of the root: in the transcript, or in the state before
	guard  Opening      // of the guard's value, if the program has one
	guards merkle.Proof // of the guard's root in the transcript
}

// start justifies an entry of the state before the first step: weights by their proof in the model, the rest by the branches
// over the tiles.
type start struct {
	part      Record
	root      merkle.Hash
	at, count int // in the model
	proof     merkle.Proof
	input     Record // the input of the program, which says type and shape
	tiles     []merkle.Hash
}

// datum opens a record of the data set.
type datum struct {
	bytes []byte
	proof merkle.Proof
}

// weights open elements of one tensor of the model or of the last state.
type weights struct {
	at, count int
	proof     merkle.Proof
	opening   Opening
}

// block justifies a block of the payload by the weights before and after the unit.
type block struct{ before, after weights }

func (w *writer) weights(x weights) {
	w.u32(x.at)
	w.u32(x.count)
	w.proof(x.proof)
	w.opening(x.opening)
}

func (r *reader) weights() weights { return weights{r.u32(), r.u32(), r.proof(), r.opening()} }

func (a *points) encode() []byte {
	var w writer
	for _, h := range a {
		w.hash(h)
	}
	return w
}

func (a *points) decode(r *reader) {
	for i := range a {
		a[i] = r.hash()
	}
}

type hashes []merkle.Hash

func (a *hashes) encode() []byte {
	var w writer
	w.hashes(*a)
	return w
}

func (a *hashes) decode(r *reader) { *a = r.hashes() }

func (a *border) encode() []byte {
	var w writer
	w.u32(a.part)
	w.hash(a.after)
	return w
}

func (a *border) decode(r *reader) { *a = border{r.u32(), r.hash()} }

func (a *part) encode() []byte {
	var w writer
	w.u32(int(*a))
	return w
}

func (a *part) decode(r *reader) { *a = part(r.u32()) }

func (a *transcript) encode() []byte {
	var w writer
	w.hash(a.root)
	w.record(a.header)
	w.hashes(a.values)
	w.hashes(a.state)
	return w
}

func (a *transcript) decode(r *reader) {
	*a = transcript{r.hash(), r.record(), r.hashes(), r.hashes()}
}

func (a *states) encode() []byte {
	var w writer
	w.record(a.header)
	w.hashes(a.branches)
	return w
}

func (a *states) decode(r *reader) { *a = states{r.record(), r.hashes()} }

func (a *origin) encode() []byte {
	var w writer
	w.record(a.record)
	if a.isPart {
		w.u32(1)
		w.record(a.part)
		w.proof(a.proof)
		return w
	}
	w.u32(0)
	w.hashes(a.tiles)
	return w
}

func (a *origin) decode(r *reader) {
	a.record = r.record()
	switch r.u32() {
	case 0:
		a.tiles = r.hashes()
	case 1:
		a.isPart, a.part, a.proof = true, r.record(), r.proof()
	default:
		r.fail("an origin of no kind")
	}
}

type tileBytes []byte

func (a *tileBytes) encode() []byte   { return *a }
func (a *tileBytes) decode(r *reader) { *a = r.take(len(r.rest)) }

func (a *final) encode() []byte {
	var w writer
	w.bytes(a.acc)
	w.u32(len(a.inputs))
	for _, in := range a.inputs {
		w.hash(in.root)
		w.record(in.constant)
		w.proof(in.proof)
		w.opening(in.opening)
	}
	return w
}

func (a *final) decode(r *reader) {
	a.acc = r.bytes(4 * split.MaxWords)
	for range r.count(maxList) {
		if r.err != nil {
			break
		}
		a.inputs = append(a.inputs, input{r.hash(), r.record(), r.proof(), r.opening()})
	}
}

func (a *next) encode() []byte {
	var w writer
	w.record(a.part)
	w.hash(a.root)
	w.proof(a.proof)
	w.opening(a.guard)
	w.proof(a.guards)
	return w
}

func (a *next) decode(r *reader) {
	*a = next{r.record(), r.hash(), r.proof(), r.opening(), r.proof()}
}

func (a *start) encode() []byte {
	var w writer
	w.record(a.part)
	w.hash(a.root)
	w.u32(a.at)
	w.u32(a.count)
	w.proof(a.proof)
	w.record(a.input)
	w.hashes(a.tiles)
	return w
}

func (a *start) decode(r *reader) {
	*a = start{r.record(), r.hash(), r.u32(), r.u32(), r.proof(), r.record(), r.hashes()}
}

func (a *datum) encode() []byte {
	var w writer
	w.bytes(a.bytes)
	w.proof(a.proof)
	return w
}

func (a *datum) decode(r *reader) { *a = datum{r.bytes(maxData), r.proof()} }

// roots are the tensor roots of all entries of the last state, by name.
type roots []merkle.Hash

func (a *roots) encode() []byte {
	var w writer
	w.hashes(*a)
	return w
}

func (a *roots) decode(r *reader) { *a = r.list(maxRoots) }

func (a *block) encode() []byte {
	var w writer
	w.weights(a.before)
	w.weights(a.after)
	return w
}

func (a *block) decode(r *reader) { *a = block{r.weights(), r.weights()} }

// answer is one of the kinds above.
type answer interface {
	encode() []byte
	decode(*reader)
}
