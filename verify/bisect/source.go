package bisect

import "github.com/mutirao/mutirao/verify/merkle"

// Source is what a game must know about a unit besides its program: how the recipe cuts it into points, what its states start
// from, what a step reads from the data set, and how the payload follows from the weights. It is a pure function of the run's terms,
// the same for both players and the referee. Its methods must not panic for arguments in range.
type Source interface {
	// PointStep is the number of steps done at a point.
	PointStep(point int) int
	// Initial is the value of every element of an entry of the state before the first step, or says that the entry is a tensor of
	// the model.
	Initial(state string) (bits uint64, model bool)
	// Origin is the entry that an entry of the state before the first step is taken from, if that is in another state than the model that
	// the Terms name; else given is false and Initial says.
	Origin(state string) (o Origin, given bool)
	// Input is an element of an input of a step that is not part of the state.
	Input(step int, name string, element int) (Datum, error)
	// PayloadSize is the length of the payload.
	PayloadSize() int
	// Slot says what stands at a byte of the payload.
	Slot(offset int) Slot
}

// Origin is an entry of a state that the ledger names.
type Origin struct {
	State      merkle.Hash // root
	Name, Role string
}

// Datum is an element that a step reads: known by itself, or found in a record of the data set.
type Datum struct {
	Record int                                 // the record, or -1
	Bits   uint64                              // without a record
	Find   func(record []byte) (uint64, error) // with one
	Leaf   *Leaf                               // where the record stands; nil: under the Terms' data set, by its number
}

// Leaf is a place in a list of which the ledger knows the root: a piece of a payload.
type Leaf struct {
	Root      merkle.Hash
	At, Count int
}

// leaf is where the record of a datum stands.
func (d Datum) leaf(t Terms) Leaf {
	if d.Leaf != nil {
		return *d.Leaf
	}
	return Leaf{t.Dataset, d.Record, t.Records}
}

// Slot is a byte of a payload: known by itself, or byte Index of the encoding of some elements of a tensor of the model, or one that
// follows from the tensor roots of the state after the last step.
type Slot struct {
	Known  bool
	Byte   byte
	Name   string // of the tensor
	Shape  []int
	First  int // elements First to First + Count - 1, row-major
	Count  int
	Index  int
	Encode func(before, after []float32) ([]byte, error)
	// Right says whether a byte of a piece is right, from the roots of all entries of the last state, whose names are Entries, ascending.
	// It is nil for a byte of another kind.
	Right   func(roots []merkle.Hash, piece []byte, at int) bool
	Entries []string
}
