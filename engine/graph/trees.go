package graph

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/mutirao/mutirao/engine/tensor"
)

// treeOps are ensembles of decision trees.
var treeOps = map[string]operator{
	"TreeEnsemble": {exactly(7), exactly(1), []attribute{stringAttr("aggregate", "SUM"), requiredAttr(intAttr("targets", 0))}, inferTrees, costTrees},
}

// The inputs of a TreeEnsemble. All but x are initializers. A child or root c is inner node c, or leaf -1-c if negative.
const (
	treeX          = iota // [rows, features]
	treeThresholds        // [nodes] float32, of the inner nodes of all trees
	treeNodes             // [nodes, 4] int32: feature, child if at most the threshold, child if not, 1 if NaN goes to the first of these, else 0
	treeRoots             // [trees] int32
	treeStarts            // [leaves+1] int32: where a leaf's weights begin, and their number
	treeTargets           // [weights] int32
	treeWeights           // [weights] float32
)

// maxFeatures bounds the features of a TreeEnsemble, so that places in its kernel fit into 32 bits.
const maxFeatures = 1 << 24

// inferTrees: x [rows, features] -> [rows, targets]. A node's children come after it, so every walk ends.
func inferTrees(c *Call) ([]Value, error) {
	if err := checkTreeTypes(c); err != nil {
		return nil, err
	}
	targets, aggregate := c.Int("targets"), c.String("aggregate")
	if targets < 1 || targets > MaxElements {
		return nil, fmt.Errorf("%d targets", targets)
	}
	if aggregate != "SUM" && aggregate != "MIN" && aggregate != "MAX" {
		return nil, fmt.Errorf("unknown aggregate %q", aggregate)
	}
	e := newEnsemble(c)
	if err := e.checkNodes(c, c.In[treeX].Shape[1]); err != nil {
		return nil, err
	}
	if err := e.checkLeaves(c, targets); err != nil {
		return nil, err
	}
	return []Value{{DType: tensor.Float32, Shape: []int{c.In[treeX].Shape[0], targets}}}, nil
}

func checkTreeTypes(c *Call) error {
	ranks := [...]int{treeX: 2, treeThresholds: 1, treeNodes: 2, treeRoots: 1, treeStarts: 1, treeTargets: 1, treeWeights: 1}
	for i := range c.In {
		want := tensor.Int32
		if i == treeX || i == treeThresholds || i == treeWeights {
			want = tensor.Float32
		}
		if err := c.want(i, want); err != nil {
			return err
		}
		if len(c.In[i].Shape) != ranks[i] {
			return c.bad(i, "has shape %v, want %d axes", c.In[i].Shape, ranks[i])
		}
		if i != treeX && c.consts[i] == nil {
			return c.bad(i, "must be an initializer: trees are static")
		}
	}
	if f := c.In[treeX].Shape[1]; f > maxFeatures {
		return c.bad(treeX, "has %d features, at most %d are supported", f, maxFeatures)
	}
	if err := c.wantShape(treeNodes, []int{c.In[treeThresholds].Shape[0], 4}); err != nil {
		return err
	}
	return c.wantShape(treeWeights, c.In[treeTargets].Shape)
}

// ensemble is the structure of the trees.
type ensemble struct {
	inner, leaves                 int
	nodes, roots, starts, targets []int32
}

func newEnsemble(c *Call) ensemble {
	ints := func(i int) []int32 { return tensor.Data[int32](c.consts[i]) }
	return ensemble{c.In[treeThresholds].Shape[0], c.In[treeStarts].Shape[0] - 1, ints(treeNodes), ints(treeRoots), ints(treeStarts), ints(treeTargets)}
}

// has reports whether there is an inner node at or after the given one, or a leaf, of that name.
func (e *ensemble) has(child int32, from int) bool {
	if child < 0 {
		return int(-1-child) < e.leaves
	}
	return int(child) >= from && int(child) < e.inner
}

func (e *ensemble) checkNodes(c *Call, features int) error {
	for i := range e.inner {
		n := e.nodes[4*i : 4*i+4]
		switch {
		case n[0] < 0 || int(n[0]) >= features:
			return c.bad(treeNodes, "node %d reads feature %d of %d", i, n[0], features)
		case !e.has(n[1], i+1) || !e.has(n[2], i+1):
			return c.bad(treeNodes, "node %d has children %d and %d, want later nodes of %d or leaves of %d", i, n[1], n[2], e.inner, e.leaves)
		case n[3] != 0 && n[3] != 1:
			return c.bad(treeNodes, "node %d has %d for NaN, want 0 or 1", i, n[3])
		}
	}
	for i, r := range e.roots {
		if !e.has(r, 0) {
			return c.bad(treeRoots, "tree %d begins at %d, of %d nodes and %d leaves", i, r, e.inner, e.leaves)
		}
	}
	return nil
}

func (e *ensemble) checkLeaves(c *Call, targets int) error {
	last := int32(0)
	for i, s := range e.starts {
		if s < last || i == 0 && s != 0 || int(s) > len(e.targets) {
			return c.bad(treeStarts, "the weights of leaf %d begin at %d of %d, after %d", i, s, len(e.targets), last)
		}
		last = s
	}
	if int(last) != len(e.targets) {
		return c.bad(treeStarts, "leaves have %d of %d weights", last, len(e.targets))
	}
	for i, t := range e.targets {
		if t < 0 || int(t) >= targets {
			return c.bad(treeTargets, "weight %d is for target %d of %d", i, t, targets)
		}
	}
	return nil
}

// bounds are, for each tree, the most nodes on a way from its root to a leaf and the most weights of a leaf below.
func (e *ensemble) bounds(each func(nodes, weights int32)) {
	longest := make([]int32, e.inner) // from a node on
	most := make([]int32, e.inner)
	below := func(child int32) (int32, int32) {
		if child < 0 {
			return 0, e.starts[-child] - e.starts[-1-child]
		}
		return longest[child], most[child]
	}
	for i := e.inner - 1; i >= 0; i-- {
		l1, m1 := below(e.nodes[4*i+1])
		l2, m2 := below(e.nodes[4*i+2])
		longest[i], most[i] = 1+max(l1, l2), max(m1, m2)
	}
	for _, r := range e.roots {
		each(below(r))
	}
}

// TreeBounds are, of a valid TreeEnsemble, the most nodes on a way from a root to a leaf and the most weights of a leaf.
func (c *Call) TreeBounds() (nodes, weights int) {
	e := newEnsemble(c)
	e.bounds(func(l, m int32) { nodes, weights = max(nodes, int(l)), max(weights, int(m)) })
	return nodes, weights
}

// costTrees is, for each row, 2 for each node on the longest way through each tree and 1 for each weight of the leaf with the most.
func costTrees(c *Call) uint64 {
	e := newEnsemble(c)
	var row uint64
	e.bounds(func(l, m int32) { row += 2*uint64(l) + uint64(m) })
	high, low := bits.Mul64(row, uint64(c.In[treeX].Shape[0]))
	if high != 0 {
		return math.MaxUint64
	}
	return low
}
