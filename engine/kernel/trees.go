package kernel

import "math"

// Trees is an ensemble of binary decision trees. A row of features starts at a tree's root and at each node goes on to the first child if
// its feature is at most the node's threshold, else to the second; NaN goes to the child that the node says. It ends at a leaf, which
// holds weights for targets. Build it with NewTrees, which does not check: graph.Infer does.
type Trees struct {
	nodes   []treeNode // the inner nodes, then one for each leaf
	inner   uint32     // how many inner nodes
	roots   []uint32
	scores  []scoreTree // of all roots, or nil
	starts  []int32     // of each leaf's weights, and after the last leaf their number
	targets []int32
	weights []float32
	count   int     // targets
	combine Combine // what is done with the weights of all trees
	dense   bool    // sums, of leaves that have one weight for each target, in their order
}

// treeNode is a node. A leaf's children are itself, so that rows whose walk has ended can go on beside others.
type treeNode struct {
	threshold float32
	feature   uint32    // times treeLanes; the top bit says that NaN goes to the first child
	next      [2]uint32 // second and first child
}

// Combine says how the weights for a target become one number.
type Combine uint8

// The ways to combine weights.
const (
	TreeSum Combine = iota
	TreeMin
	TreeMax
)

// treeLanes is how many walks go on at the same time: one waits for memory while others compute.
const treeLanes = 8

const nanFirst = 1 << 31

// NewTrees makes an ensemble. An inner node has four numbers in nodes: feature, first child, second child, and 1 if NaN goes to the first
// child, else 0. A child or root c is inner node c, or leaf -1-c if negative. Leaf i has the weights from starts[i] to before starts[i+1].
// The slices starts, targets and weights are kept.
func NewTrees(thresholds []float32, nodes, roots, starts, targets []int32, weights []float32, count int, combine Combine) *Trees {
	inner, leaves := len(thresholds), len(starts)-1
	t := &Trees{nodes: make([]treeNode, inner+leaves), inner: uint32(inner), starts: starts, targets: targets, weights: weights, count: count, combine: combine}
	place := func(c int32) uint32 {
		if c < 0 {
			return uint32(inner) + uint32(-1-c)
		}
		return uint32(c)
	}
	for i := range inner {
		n := nodes[4*i : 4*i+4]
		t.nodes[i] = treeNode{thresholds[i], uint32(n[0]) * treeLanes, [2]uint32{place(n[2]), place(n[1])}}
		if n[3] != 0 {
			t.nodes[i].feature |= nanFirst
		}
	}
	t.dense = combine == TreeSum && len(targets) == leaves*count
	for i := range leaves {
		self := uint32(inner + i)
		t.nodes[self] = treeNode{0, 0, [2]uint32{self, self}}
		t.dense = t.dense && int(starts[i]) == i*count
	}
	for i, to := range targets {
		t.dense = t.dense && int(to) == i%count
	}
	for _, r := range roots {
		t.roots = append(t.roots, place(r))
	}
	t.scores = t.scoreTrees()
	return t
}

// TreesScratch is how many elements of scratch Predict needs for that many rows.
func TreesScratch(rows, features int) int { return (rows + treeLanes) * features }

// Predict sets dst [rows, targets] to the combined weights of the leaves that each row of x [rows, features] ends at: trees in order, a
// leaf's weights in order, each added to, or compared with, what the target has so far, from +0, +Inf (min) or -Inf (max). A target
// still at that infinity in the end becomes +0. dst must not alias x. Order: spec/numerics.md §14.
func (t *Trees) Predict(dst, x []float32, rows, features int, scratch []float32) {
	checkLen("x", len(x), rows*features)
	checkLen("dst", len(dst), rows*t.count)
	start := [...]float32{TreeSum: 0, TreeMin: float32(math.Inf(1)), TreeMax: float32(math.Inf(-1))}[t.combine]
	for i := range dst {
		dst[i] = start
	}
	done := t.score(dst, x, rows, features, scratch)
	whole := rows / treeLanes * treeLanes
	t.batches(dst[done*t.count:], x[done*features:whole*features], whole-done, features, scratch)
	for r := whole; r < rows; r++ {
		t.single(dst[r*t.count:(r+1)*t.count], x[r*features:(r+1)*features], scratch[whole*features:])
	}
	if t.combine != TreeSum {
		for i, v := range dst {
			if v == start {
				dst[i] = 0
			}
		}
	}
}

// batches walks eight rows through one tree at a time, tree by tree, so that a tree is read from memory once for all rows.
func (t *Trees) batches(dst, x []float32, rows, features int, scratch []float32) {
	group := treeLanes * features
	nan := false
	for g := 0; g < rows; g += treeLanes { // feature f of lane l of a group is at f·treeLanes + l
		out := scratch[g*features:][:group]
		for l := range treeLanes {
			for f, v := range x[(g+l)*features:][:features] {
				out[f*treeLanes+l] = v
				nan = nan || v != v
			}
		}
	}
	var at [treeLanes]uint32
	for _, root := range t.roots {
		for g := 0; g < rows; g += treeLanes {
			for l := range at {
				at[l] = root
			}
			t.walk(scratch[g*features:][:group], &at, nan)
			for l, leaf := range at {
				t.add(dst[(g+l)*t.count:], leaf)
			}
		}
	}
}

// single walks one row through eight trees at a time.
func (t *Trees) single(dst, x, scratch []float32) {
	nan := false
	for f, v := range x {
		for l := range treeLanes {
			scratch[f*treeLanes+l] = v
		}
		nan = nan || v != v
	}
	var at [treeLanes]uint32
	for first := 0; first < len(t.roots); first += treeLanes {
		n := min(treeLanes, len(t.roots)-first)
		for l := range at {
			at[l] = t.roots[first+min(l, n-1)]
		}
		t.walk(scratch[:treeLanes*len(x)], &at, nan)
		for _, leaf := range at[:n] {
			t.add(dst, leaf)
		}
	}
}

// add combines the weights of a leaf with what a row has so far.
func (t *Trees) add(row []float32, leaf uint32) {
	leaf -= t.inner
	if t.dense {
		row = row[:t.count]
		for i, w := range t.weights[int(leaf)*t.count:][:len(row)] {
			row[i] += w
		}
		return
	}
	lo, hi := t.starts[leaf], t.starts[leaf+1]
	targets := t.targets[lo:hi]
	for i, w := range t.weights[lo:hi] {
		to := &row[targets[i]]
		switch t.combine {
		case TreeSum:
			*to += w
		case TreeMin:
			*to = minimumGeneric(*to, w)
		default:
			*to = maximumGeneric(*to, w)
		}
	}
}

// walk takes each lane from the node at[lane] to its leaf; feature f of lane l is x[f·treeLanes+l]. With nan false, x holds none.
func (t *Trees) walk(x []float32, at *[treeLanes]uint32, nan bool) {
	if nan {
		t.walkGeneric(x, at)
		return
	}
	nodes, inner := t.nodes, t.inner
	a, b, c, d, e, f, g, h := at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7]
	for a < inner || b < inner || c < inner || d < inner || e < inner || f < inner || g < inner || h < inner {
		a = nodes[a].step(x, 0)
		b = nodes[b].step(x, 1)
		c = nodes[c].step(x, 2)
		d = nodes[d].step(x, 3)
		e = nodes[e].step(x, 4)
		f = nodes[f].step(x, 5)
		g = nodes[g].step(x, 6)
		h = nodes[h].step(x, 7)
	}
	*at = [treeLanes]uint32{a, b, c, d, e, f, g, h}
}

// step is the child for a feature that is no NaN.
func (n *treeNode) step(x []float32, lane uint32) uint32 {
	first := 0
	if x[n.feature&^nanFirst+lane] <= n.threshold {
		first = 1
	}
	return n.next[first]
}

// walkGeneric is the definition.
func (t *Trees) walkGeneric(x []float32, at *[treeLanes]uint32) {
	for l, i := range at {
		for i < t.inner {
			n := &t.nodes[i]
			v := x[n.feature&^nanFirst+uint32(l)]
			switch {
			case v != v && n.feature&nanFirst != 0, v <= n.threshold:
				i = n.next[1]
			default:
				i = n.next[0]
			}
		}
		at[l] = i
	}
}
