package kernel

import (
	"math/bits"
	"sync"
)

// A tree of at most 64 leaves has another way than walking, which has no step that waits for the one before: all its nodes are tested for many rows at
// once, and a test that fails takes away the leaves of the first child. The first leaf that is left, in the order of the tree, is the one
// that the walk ends at. Source: Lucchese et al., "QuickScorer", 2015.

// scoreLanes is how many rows are tested at once.
const scoreLanes = 16

// scoreNode is an inner node.
type scoreNode struct {
	at        uint32 // of its feature in a group of rows, in bytes
	threshold float32
	keep      uint64 // the leaves that are left if the test fails
}

// scoreTree is a tree of few leaves: its inner nodes in any order, and its leaves from the first to the last.
type scoreTree struct {
	nodes  []scoreNode
	leaves []uint32
}

// newScoreTree is the tree of a root. It reports false if that has more leaves than a word has bits.
func (t *Trees) newScoreTree(root uint32) (scoreTree, bool) {
	var s scoreTree
	var add func(at uint32) bool
	add = func(at uint32) bool {
		if at >= t.inner {
			s.leaves = append(s.leaves, at)
			return len(s.leaves) <= 64
		}
		if len(s.nodes) >= 63 {
			return false
		}
		n, place, first := &t.nodes[at], len(s.nodes), len(s.leaves)
		s.nodes = append(s.nodes, scoreNode{at: n.feature &^ nanFirst / treeLanes * scoreLanes * 4, threshold: n.threshold})
		if !add(n.next[1]) {
			return false
		}
		for i := first; i < len(s.leaves); i++ {
			s.nodes[place].keep |= 1 << i
		}
		s.nodes[place].keep = ^s.nodes[place].keep
		return add(n.next[0])
	}
	return s, add(root)
}

// scoreTrees are those of all roots, nil if one has too many leaves.
func (t *Trees) scoreTrees() []scoreTree {
	var list []scoreTree
	for _, root := range t.roots {
		s, ok := t.newScoreTree(root)
		if !ok {
			return nil
		}
		list = append(list, s)
	}
	return list
}

var leavesLeft = sync.Pool{New: func() any { return new([]uint64) }}

// score does what batches does for groups of sixteen rows, and reports how many rows those are: none if there is no assembly, a tree has too many leaves,
// or a feature is NaN.
func (t *Trees) score(dst, x []float32, rows, features int, scratch []float32) int {
	groups := rows / scoreLanes
	if t.scores == nil || groups == 0 || !canScore() {
		return 0
	}
	group := scoreLanes * features
	for g := range groups {
		out := scratch[g*group:][:group]
		for l := range scoreLanes {
			for f, v := range x[(g*scoreLanes+l)*features:][:features] {
				if v != v {
					return 0
				}
				out[f*scoreLanes+l] = v
			}
		}
	}
	buffer := leavesLeft.Get().(*[]uint64)
	if cap(*buffer) < groups*scoreLanes {
		*buffer = make([]uint64, groups*scoreLanes)
	}
	left := (*buffer)[:groups*scoreLanes]
	for i := range t.scores {
		s := &t.scores[i]
		scoreTreeActive(left, scratch, s.nodes, groups, group)
		if t.dense && t.count == 1 {
			for r, word := range left {
				dst[r] += t.weights[s.leaves[bits.TrailingZeros64(word)]-t.inner]
			}
			continue
		}
		for r, word := range left {
			t.add(dst[r*t.count:], s.leaves[bits.TrailingZeros64(word)])
		}
	}
	leavesLeft.Put(buffer)
	return groups * scoreLanes
}
