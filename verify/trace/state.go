package trace

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
)

// Domains of merkle.Digest. The number changes with the meaning of the bytes.
const (
	domainEntry   = "mutirao/state-entry/1"
	domainProgram = "mutirao/program/1"
)

// Entry is one tensor of a state. Name and Role together name it: the weights and both moments of a parameter share a name
// and differ in role.
type Entry struct {
	Name, Role string
	Tensor     *tensor.Tensor
}

// Compare orders entries by name, then role, byte by byte: the order in which a state is committed to.
func (e Entry) Compare(o Entry) int {
	return cmp.Or(cmp.Compare(e.Name, o.Name), cmp.Compare(e.Role, o.Role))
}

// Leaf returns the hash that stands for e in a state root: merkle.Digest, domain "mutirao/state-entry/1", of the parts name,
// role, type (its ONNX number, one byte), dimensions (uint64 little endian each) and tensor root.
func (e Entry) Leaf() merkle.Hash {
	var dims []byte
	for _, d := range e.Tensor.Shape() {
		dims = binary.LittleEndian.AppendUint64(dims, uint64(d))
	}
	root := TensorRoot(e.Tensor)
	return merkle.Digest(domainEntry, []byte(e.Name), []byte(e.Role), []byte{byte(e.Tensor.DType())}, dims, root[:])
}

// StateRoot returns merkle.Root over the entries' leaves in the order of Entry.Compare; should two entries have one name
// and role, their leaves decide. The order of the argument, which is left as it is, does not matter.
func StateRoot(entries []Entry) merkle.Hash {
	type leaf struct {
		entry Entry
		hash  merkle.Hash
	}
	leaves := make([]leaf, len(entries))
	for i, e := range entries {
		leaves[i] = leaf{e, e.Leaf()}
	}
	slices.SortFunc(leaves, func(a, b leaf) int {
		return cmp.Or(a.entry.Compare(b.entry), bytes.Compare(a.hash[:], b.hash[:]))
	})
	hashes := make([]merkle.Hash, len(leaves))
	for i, l := range leaves {
		hashes[i] = l.hash
	}
	return merkle.Root(hashes)
}

// ProgramHash returns merkle.Digest, domain "mutirao/program/1", of the one encoding of g: operators, attributes, shapes,
// order, operator set and initializers. g must be valid (graph.Infer).
func ProgramHash(g *graph.Graph) merkle.Hash { return merkle.Digest(domainProgram, graph.Encode(g)) }

// Points is the number of states of one unit that its trace commits to: the start, 15 inner points and the end.
const Points = 17

// TraceRoot returns merkle.Root over the 17 state roots in order and the payload's root as the last leaf. It is the one hash
// of an execution that goes on the ledger.
func TraceRoot(points [Points]merkle.Hash, payload merkle.Hash) merkle.Hash {
	return merkle.Root(append(points[:], payload))
}
