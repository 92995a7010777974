package split

import "math"

var treeRules = map[string]func(*plan) stage{"TreeEnsemble": trees}

// The inputs of a TreeEnsemble, spec/graph.md §3.
const (
	treeX = iota
	treeThresholds
	treeNodes
	treeRoots
	treeStarts
	treeTargets
	treeWeights
)

// trees walks the element's row through one tree after the other and combines what each leaf has for the element's target. Trees that
// end early wait where they are until the longest would have ended.
func trees(p *plan) stage {
	features, targets := p.In[treeX].Shape[1], p.Out[0].Shape[1]
	row, target := p.element/targets, int64(p.element%targets)
	longest, most := p.TreeBounds()
	at := p.word(1) // node, or leaf -1-at if negative
	start, combine := float32(0), func(s, w float32) float32 { return s + w }
	switch p.String("aggregate") {
	case "MIN":
		start, combine = float32(math.Inf(1)), minimum
	case "MAX":
		start, combine = float32(math.Inf(-1)), maximum
	}
	walk := func(_ int, a Acc, in *inputs) {
		node := int(int32(a[at]))
		if node < 0 {
			return
		}
		v := in.float(treeX, row*features+int(in.int(treeNodes, 4*node)))
		child := 4*node + 2
		if v <= in.float(treeThresholds, node) || v != v && in.int(treeNodes, 4*node+3) != 0 {
			child = 4*node + 1
		}
		a[at] = uint32(in.bits(treeNodes, child))
	}
	weigh := func(i int, a Acc, in *inputs) {
		leaf := int(-1 - int32(a[at]))
		w := int(in.int(treeStarts, leaf)) + i
		if w < int(in.int(treeStarts, leaf+1)) && in.int(treeTargets, w) == target {
			a.setFloat(0, combine(a.float(0), in.float(treeWeights, w)))
		}
	}
	return seq(
		once(func(a Acc, _ *inputs) { a.setFloat(0, start) }),
		times(p.In[treeRoots].Len(), func(tree int) stage {
			return seq(once(func(a Acc, in *inputs) { a[at] = uint32(in.bits(treeRoots, tree)) }), overall(longest, walk), overall(most, weigh))
		}),
		once(func(a Acc, _ *inputs) {
			if s := a.float(0); s == start {
				a.done(0)
			} else {
				a.done(s)
			}
		}))
}
