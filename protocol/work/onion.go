package work

import "github.com/mutirao/mutirao/protocol"

// Domains of the hashes in this file.
const (
	domainOnion = "mutirao/work/onion"
	domainMix   = "mutirao/work/mix"
)

// Layer returns a layer of an onion: a chain of hashes of which each layer is the hash of the one below it. Its owner names layer 0 before its
// first round and opens one layer in every round, after the workers' reveals: it has fixed all of them before it knew any unit, and
// can only open the next or be missing. The innermost layer, number last, follows from a secret. Rule: spec/work.md §13.
func Layer(secret protocol.Hash, last, number uint32) protocol.Hash {
	h := secret
	for range last - min(number, last) + 1 {
		h = new(protocol.Preimage).Hash(h).Digest(domainOnion)
	}
	return h
}

// Opens reports whether inner is the layer below outer.
func Opens(outer, inner protocol.Hash) bool {
	return new(protocol.Preimage).Hash(inner).Digest(domainOnion) == outer
}

// MixDraw is the randomness of a round's audits from that of its workers and from the layers that its verifiers have opened, in the order of
// seats. Nobody knows it before the last layer is open, so a worker whom all other workers help still cannot choose it while one
// verifier does not. Rule: spec/work.md §13.
func MixDraw(draw protocol.Hash, layers []protocol.Hash) protocol.Hash {
	p := new(protocol.Preimage).Hash(draw).Uint32(uint32(len(layers)))
	for _, l := range layers {
		p.Hash(l)
	}
	return p.Digest(domainMix)
}
