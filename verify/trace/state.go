package trace

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
)

// Domains of merkle.Digest. The number changes with the meaning of the bytes.
const (
	domainTensor  = "mutirao/tensor/1"
	domainEntry   = "mutirao/state-entry/2"
	domainProgram = "mutirao/program/2"
)

// Roles of entries: a model's weights, as the ledger names a model, and whatever passes from one step of a unit to the next.
const (
	RoleWeights = "theta"
	RoleState   = "state"
)

// Entry is one tensor of a state. Name and Role together name it: the weights and both moments of a parameter share a name
// and differ in role.
type Entry struct {
	Name, Role string
	Tensor     *tensor.Tensor
}

// Compare orders entries by name, then role, byte by byte: the order in which a state is committed to.
func (e Entry) Compare(o Entry) int {
	if c := strings.Compare(e.Name, o.Name); c != 0 {
		return c
	}
	return strings.Compare(e.Role, o.Role)
}

// Leaf returns the hash that stands for e in a state root.
func (e Entry) Leaf() merkle.Hash { return EntryLeaf(e.Name, e.Role, TensorRoot(e.Tensor)) }

// EntryLeaf returns the leaf of an entry whose tensor has a root: merkle.Digest, domain "mutirao/state-entry/2", of the parts
// name, role and tensor root.
func EntryLeaf(name, role string, root merkle.Hash) merkle.Hash {
	return merkle.Digest(domainEntry, []byte(name), []byte(role), root[:])
}

// StateRoot returns merkle.Root over StateLeaves(entries).
func StateRoot(entries []Entry) merkle.Hash { return merkle.Root(StateLeaves(entries)) }

// StateLeaves returns the entries' leaves in the order of Entry.Compare; should two entries have one name and role, their
// leaves decide. The order of the argument, which is left as it is, does not matter.
func StateLeaves(entries []Entry) []merkle.Hash {
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return entries[i].Compare(entries[j]) })
	tensors := make([]*tensor.Tensor, len(order))
	for i, at := range order {
		tensors[i] = entries[at].Tensor
	}
	leaves := TensorRoots(tensors)
	b := merkle.NewBatch()
	defer b.Close()
	for i, at := range order {
		b.Digest(&leaves[i], domainEntry, []byte(entries[at].Name), []byte(entries[at].Role), leaves[i][:])
	}
	b.Flush()
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && entries[order[from]].Compare(entries[order[to]]) == 0 {
			to++
		}
		if to > from+1 {
			slices.SortFunc(leaves[from:to], func(a, b merkle.Hash) int { return bytes.Compare(a[:], b[:]) })
		}
		from = to
	}
	return leaves
}

// Points is the number of states of one unit that its trace commits to: the start, 15 inner points and the end.
const Points = 17

// TraceRoot returns merkle.Root over the 17 state roots in order and the payload's root as the last leaf. It is the one hash
// of an execution that goes on the ledger.
func TraceRoot(points [Points]merkle.Hash, payload merkle.Hash) merkle.Hash {
	return merkle.Root(append(points[:], payload))
}
