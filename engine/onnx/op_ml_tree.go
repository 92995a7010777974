package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// treeRules are ensembles of decision trees, of which the graph's TreeEnsemble gives the sums.
var treeRules = map[string]rule{
	mlDomain + ".TreeEnsembleRegressor": one(treeRegressor), mlDomain + ".TreeEnsembleClassifier": treeClassifier,
	mlDomain + ".TreeEnsemble": one(treeEnsemble),
}

// mode is how a node compares its feature with its value, numbered as in TreeEnsemble of operator set 5.
type mode int

const (
	atMost mode = iota
	below
	atLeast
	greater
	equal
	notEqual
	member // of a set; version 5 only
)

var modes = map[string]mode{"BRANCH_LEQ": atMost, "BRANCH_LT": below, "BRANCH_GTE": atLeast, "BRANCH_GT": greater, "BRANCH_EQ": equal, "BRANCH_NEQ": notEqual}

// fileTree is a node as a file has it: an inner node, or a leaf with weights.
type fileTree struct {
	leaf      bool
	mode      mode
	feature   int64
	value     float32
	set       []float32 // of a member node
	nanTrue   bool      // NaN counts as a comparison that holds
	yes, no   int       // places of the children
	targets   []int32
	weights   []float32
	isVisited bool
}

// side is where a node's child is to be written: the column of a row of treeParts.nodes.
type side struct{ at int }

// treeParts are the inputs of a TreeEnsemble in the making: the one comparison that it has is "at most".
type treeParts struct {
	thresholds             []float32
	nodes                  []int32
	roots, starts, targets []int32
	weights                []float32
}

// add writes a node that goes to the first child if x ≤ threshold and returns where its children belong.
func (p *treeParts) add(feature int64, threshold float32, nanFirst bool) (first, second side) {
	flag := int32(0)
	if nanFirst {
		flag = 1
	}
	at := len(p.nodes)
	p.thresholds = append(p.thresholds, threshold)
	p.nodes = append(p.nodes, int32(feature), 0, 0, flag)
	return side{at + 1}, side{at + 2}
}

// node writes the node or nodes that a comparison becomes and returns where the children for yes and no belong.
func (p *treeParts) node(f *fileTree) (yes, no []side) {
	if f.mode == member {
		return p.member(f)
	}
	m, nanTrue := f.mode, f.nanTrue || f.mode == notEqual // NaN equals nothing
	if f.value != f.value {                               // nothing compares with NaN, so that only "not equal" holds
		never, always := p.add(f.feature, f.value, (m == notEqual) != nanTrue)
		if m == notEqual {
			never, always = always, never
		}
		return []side{never}, []side{always}
	}
	swap := m == atLeast || m == greater || m == notEqual
	nanFirst := nanTrue != swap
	switch m {
	case atMost, greater:
		a, b := p.add(f.feature, f.value, nanFirst)
		yes, no = []side{a}, []side{b}
	case below, atLeast:
		a, b := p.add(f.feature, before(f.value), nanFirst)
		yes, no = []side{a}, []side{b}
	default:
		yes, no = p.equal(f.feature, f.value, nanFirst)
	}
	if swap {
		yes, no = no, yes
	}
	return yes, no
}

// equal is x ≤ v and not x ≤ the number before v.
func (p *treeParts) equal(feature int64, v float32, nanYes bool) (yes, no []side) {
	then, no1 := p.add(feature, v, nanYes)
	p.nodes[then.at] = int32(len(p.thresholds))
	no2, hit := p.add(feature, before(v), false)
	return []side{hit}, []side{no1, no2}
}

// member asks for one element of the set after the other.
func (p *treeParts) member(f *fileTree) (yes, no []side) {
	for _, v := range f.set {
		for _, s := range no {
			p.nodes[s.at] = int32(len(p.thresholds))
		}
		var hit []side
		hit, no = p.equal(f.feature, v, f.nanTrue)
		yes = append(yes, hit...)
	}
	return yes, no
}

// before is the greatest float32 below v: x < v is x ≤ before(v). Below -Inf there is none, so NaN, which nothing is at most.
func before(v float32) float32 {
	bits := math.Float32bits(v)
	switch {
	case v == float32(math.Inf(-1)):
		return float32(math.NaN())
	case v == 0:
		return math.Float32frombits(1<<31 | 1)
	case bits>>31 == 0:
		return math.Float32frombits(bits - 1)
	}
	return math.Float32frombits(bits + 1)
}

// leaf writes a leaf and returns its name.
func (p *treeParts) leaf(f *fileTree) int32 {
	p.starts = append(p.starts, int32(len(p.targets)))
	p.targets, p.weights = append(p.targets, f.targets...), append(p.weights, f.weights...)
	return -int32(len(p.starts))
}

// tree writes the tree from a root on, parents before children. It fails if an inner node has two parents, as in a cycle.
func (p *treeParts) tree(list []fileTree, root int) error {
	type visit struct {
		node int
		to   []side
	}
	todo := []visit{{root, nil}}
	p.roots = append(p.roots, 0)
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		f := &list[v.node]
		if f.isVisited && !f.leaf {
			return fmt.Errorf("%w: tree node %d has two parents", ErrInvalid, v.node)
		}
		f.isVisited = true
		name := int32(len(p.thresholds))
		if f.leaf {
			name = p.leaf(f)
		}
		for _, s := range v.to {
			p.nodes[s.at] = name
		}
		if v.to == nil {
			p.roots[len(p.roots)-1] = name
		}
		if !f.leaf {
			yes, no := p.node(f)
			todo = append(todo, visit{f.no, no}, visit{f.yes, yes})
		}
		if len(p.thresholds) > madeLimit {
			unsupported("more than %d nodes of trees", madeLimit)
		}
	}
	return nil
}

// sums adds the TreeEnsemble for the features of input 0.
func (n *node) sums(list []fileTree, roots []int, targets int, aggregate string) graph.Ref {
	x := n.features()
	p := &treeParts{}
	for _, r := range roots {
		if err := p.tree(list, r); err != nil {
			panic(stop{err})
		}
	}
	if i := slices.IndexFunc(list, func(f fileTree) bool { return !f.leaf && !f.isVisited }); i >= 0 {
		unsupported("tree node %d is reached from no root", i)
	}
	if len(p.roots) == 0 || len(p.weights) == 0 {
		unsupported("%d trees with %d weights", len(p.roots), len(p.weights))
	}
	if len(p.thresholds) == 0 { // trees of leaves alone: a graph has no empty tensors
		p.add(0, 0, false)
		p.nodes[1], p.nodes[2] = -1, -1
	}
	p.starts = append(p.starts, int32(len(p.targets)))
	n.spend(5*len(p.thresholds) + len(p.roots) + len(p.starts) + 2*len(p.weights))
	ints := func(list []int32, shape ...int) graph.Ref { return n.constant(tensor.From(list, shape...)) }
	floats := func(list []float32) graph.Ref { return n.constant(tensor.FromFloat32(list, len(list))) }
	for i, t := range p.thresholds {
		if t != t {
			p.thresholds[i] = float32(math.NaN())
		}
	}
	if aggregate != "MIN" && aggregate != "MAX" {
		aggregate = "SUM"
	}
	return n.op("TreeEnsemble", graph.Attrs{"targets": targets, "aggregate": aggregate}, x, floats(p.thresholds), ints(p.nodes, len(p.thresholds), 4),
		ints(p.roots, len(p.roots)), ints(p.starts, len(p.starts)), ints(p.targets, len(p.targets)), floats(p.weights))
}

// treeNode is what identifies a node of a file of operator sets 1 and 3.
type treeNode struct{ tree, node int64 }

// fileTrees reads the nodes of operator sets 1 and 3, with the weights of lists that begin with prefix ("target" or "class"), and
// finds the roots, in the order in which the trees begin.
func (n *node) fileTrees(prefix string) ([]fileTree, []int) {
	trees, ids := n.int64s("nodes_treeids"), n.int64s("nodes_nodeids")
	features, values := n.int64s("nodes_featureids"), n.thresholds("nodes_values", "nodes_values_as_tensor")
	kinds := n.texts("nodes_modes")
	yes, no, missing := n.int64s("nodes_truenodeids"), n.int64s("nodes_falsenodeids"), n.int64s("nodes_missing_value_tracks_true")
	count := len(trees)
	for name, have := range map[string]int{"nodes_nodeids": len(ids), "nodes_featureids": len(features), "nodes_values": len(values), "nodes_modes": len(kinds),
		"nodes_truenodeids": len(yes), "nodes_falsenodeids": len(no)} {
		if have != count {
			unsupported("%d of %s for %d nodes", have, name, count)
		}
	}
	if len(missing) != 0 && len(missing) != count {
		unsupported("%d of nodes_missing_value_tracks_true for %d nodes", len(missing), count)
	}
	at := make(map[treeNode]int, count)
	for i := range trees {
		if _, twice := at[treeNode{trees[i], ids[i]}]; twice {
			unsupported("node %d of tree %d is there twice", ids[i], trees[i])
		}
		at[treeNode{trees[i], ids[i]}] = i
	}
	list := make([]fileTree, count)
	child := make([]bool, count)
	for i := range list {
		f := &list[i]
		if kinds[i] == "LEAF" {
			f.leaf = true
			continue
		}
		var known, first, second bool
		f.mode, known = modes[kinds[i]]
		f.feature, f.value = features[i], f.mode.threshold(values[i])
		f.nanTrue = len(missing) != 0 && missing[i] != 0
		f.yes, first = at[treeNode{trees[i], yes[i]}]
		f.no, second = at[treeNode{trees[i], no[i]}]
		if !known || !first || !second || f.feature < 0 || f.feature > math.MaxInt32 {
			unsupported("node %d of tree %d: mode %q, feature %d, children %d and %d", ids[i], trees[i], kinds[i], f.feature, yes[i], no[i])
		}
		child[f.yes], child[f.no] = true, true
	}
	n.leafWeights(prefix, list, at)
	return list, rootsOf(trees, child)
}

// rootsOf are the nodes that are no child, one for each tree.
func rootsOf(trees []int64, child []bool) []int {
	var roots []int
	have := map[int64]bool{}
	for i, t := range trees {
		if child[i] {
			continue
		}
		if have[t] {
			unsupported("tree %d has two roots", t)
		}
		have[t] = true
		roots = append(roots, i)
	}
	for i, t := range trees {
		if !have[t] {
			unsupported("node %d: tree %d has no root", i, t)
		}
	}
	return roots
}

// leafWeights gives leaves their weights.
func (n *node) leafWeights(prefix string, list []fileTree, at map[treeNode]int) {
	trees, nodes, ids, weights := n.int64s(prefix+"_treeids"), n.int64s(prefix+"_nodeids"), n.int64s(prefix+"_ids"), n.either(prefix+"_weights")
	if len(trees) != len(weights) || len(nodes) != len(weights) || len(ids) != len(weights) {
		unsupported("%d weights for %d trees, %d nodes and %d ids", len(weights), len(trees), len(nodes), len(ids))
	}
	for i, w := range weights {
		j, ok := at[treeNode{trees[i], nodes[i]}]
		if !ok || ids[i] < 0 || ids[i] > math.MaxInt32 {
			unsupported("weight %d is of node %d of tree %d for %d", i, nodes[i], trees[i], ids[i])
		}
		if list[j].leaf {
			list[j].targets, list[j].weights = append(list[j].targets, int32(ids[i])), append(list[j].weights, w)
		}
	}
}

// either reads a list of floats, or of a tensor in the attribute of that name with _as_tensor.
func (n *node) either(name string) []float32 {
	if list := n.floatList(name); list != nil {
		return list
	}
	return n.tensorList(name + "_as_tensor")
}

// thresholds reads a list of floats, or of the tensor attribute, which may be of float64. Inputs of float64 are rounded to float32, and then
// so are thresholds, for what is equal to one to stay so.
func (n *node) thresholds(name, tensorName string) []float64 {
	list := slices.Clone(n.wideThresholds(name, tensorName))
	if n.element(0) == Float64 {
		for i, v := range list {
			list[i] = float64(float32(v))
		}
	}
	return list
}

func (n *node) wideThresholds(name, tensorName string) []float64 {
	if a := n.attr(tensorName); a != nil && a.tensor != nil && Element(a.tensor.dtype) == Float64 {
		if len(a.tensor.doubles) > 0 {
			return a.tensor.doubles
		}
		list := make([]float64, len(a.tensor.raw)/8)
		for i := range list {
			list[i] = math.Float64frombits(binary.LittleEndian.Uint64(a.tensor.raw[8*i:]))
		}
		return list
	}
	list := n.floatList(name)
	if list == nil {
		list = n.tensorList(tensorName)
	}
	wide := make([]float64, len(list))
	for i, v := range list {
		wide[i] = float64(v)
	}
	return wide
}

// threshold is the float32 with which every float32 compares as it does with v.
func (m mode) threshold(v float64) float32 {
	r := float32(v)
	switch {
	case float64(r) == v || v != v:
	case m == equal || m == notEqual:
		return float32(math.NaN()) // no float32 is v
	case (m == atMost || m == greater) && float64(r) > v:
		return before(r)
	case (m == below || m == atLeast) && float64(r) < v:
		return -before(-r)
	}
	return r
}

// tensorList are the elements of a tensor attribute as float32, nil if it is not set.
func (n *node) tensorList(name string) []float32 {
	a := n.attr(name)
	if a == nil || a.tensor == nil {
		return nil
	}
	t, err := a.tensor.tensor(n.l.open)
	if err != nil {
		panic(stop{fmt.Errorf("attribute %q: %w", name, err)})
	}
	if t.DType() != tensor.Float32 {
		unsupported("attribute %q of %v", name, t.DType())
	}
	return t.Float32()
}

// based adds base values, one for all targets or one for each.
func (n *node) based(s graph.Ref, base []float32) graph.Ref {
	switch d := n.shape(s)[1]; len(base) {
	case 0:
		return s
	case 1, d:
		return n.add(s, n.row(base))
	default:
		unsupported("%d base values for %d targets", len(base), d)
	}
	return graph.None
}

// average divides sums by the number of trees if that is the aggregate.
func (n *node) average(s graph.Ref, aggregate string, trees int) graph.Ref {
	if aggregate != "AVERAGE" {
		return s
	}
	return n.div(s, n.f(float32(trees)))
}

func treeRegressor(n *node) graph.Ref {
	list, roots := n.fileTrees("target")
	aggregate := n.text("aggregate_function", "SUM")
	s := n.sums(list, roots, n.integer("n_targets", 1), aggregate)
	s = n.based(n.average(s, aggregate, len(roots)), n.either("base_values"))
	if post := n.text("post_transform", "NONE"); post == "PROBIT" || n.shape(s)[1] > 1 {
		return n.transform(s, post)
	}
	return s
}

// treeClassifier has a sum for each class. If there are two classes and all weights are for one, their sum is the score of the second: it wins above 0, or
// above 1/2 if no weight is negative. The first class's score is then the opposite if the weights are for class 0, and 0 if they are for class 1.
func treeClassifier(n *node) []*value {
	labels := n.classLabels("classlabels_int64s")
	list, roots := n.fileTrees("class")
	classes, used := labels.Len(), map[int32]bool{}
	probability := true
	for _, f := range list {
		for i, c := range f.targets {
			used[c] = true
			probability = probability && f.weights[i] >= 0
		}
	}
	post, base := n.text("post_transform", "NONE"), n.either("base_values")
	threshold := float32(0)
	if probability {
		threshold = 0.5
	}
	if classes == 2 && len(used) == 1 && used[0] && len(base) < 2 {
		s := n.based(n.sums(list, roots, 1, "SUM"), base)
		return []*value{n.choose(labels, n.above(s, threshold)), {ref: n.complement(s, post, probability)}}
	}
	s := n.based(n.sums(list, roots, classes, "SUM"), base)
	if classes == 2 && len(used) == 1 && used[1] {
		return []*value{n.choose(labels, n.above(n.slice(s, 1, 1, 2, 1), threshold)), {ref: n.transform(s, post)}}
	}
	return []*value{n.choose(labels, n.best(s)), {ref: n.transform(s, post)}}
}

// treeEnsemble is the operator of set 5: inner nodes and leaves in lists of their own.
func treeEnsemble(n *node) graph.Ref {
	aggregates := []string{"AVERAGE", "SUM", "MIN", "MAX"}
	posts := []string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}
	aggregate, post := n.integer("aggregate_function", 1), n.integer("post_transform", 0)
	if aggregate < 0 || aggregate >= len(aggregates) || post < 0 || post >= len(posts) {
		unsupported("aggregate_function %d, post_transform %d", aggregate, post)
	}
	list, roots := n.fileTrees5()
	s := n.sums(list, roots, n.integer("n_targets", 1), aggregates[aggregate])
	return n.transform(n.average(s, aggregates[aggregate], len(roots)), posts[post])
}

// fileTrees5 reads the nodes of operator set 5: leaves come behind the inner nodes.
func (n *node) fileTrees5() ([]fileTree, []int) {
	features, values := n.int64s("nodes_featureids"), n.thresholds("", "nodes_splits")
	yes, no := n.int64s("nodes_truenodeids"), n.int64s("nodes_falsenodeids")
	yesLeaf, noLeaf, missing := n.int64s("nodes_trueleafs"), n.int64s("nodes_falseleafs"), n.int64s("nodes_missing_value_tracks_true")
	kinds := n.bytes("nodes_modes")
	ids, weights := n.int64s("leaf_targetids"), n.tensorList("leaf_weights")
	count := len(features)
	for _, have := range []int{len(values), len(yes), len(no), len(yesLeaf), len(noLeaf), len(kinds)} {
		if have != count {
			unsupported("lists of %d and %d nodes", have, count)
		}
	}
	if len(missing) != 0 && len(missing) != count || len(ids) != len(weights) {
		unsupported("%d of nodes_missing_value_tracks_true for %d nodes, %d leaf_targetids for %d weights", len(missing), count, len(ids), len(weights))
	}
	sets := n.sets(kinds)
	list := make([]fileTree, count+len(ids))
	for i := range count {
		f := &list[i]
		f.mode, f.feature, f.nanTrue = mode(kinds[i]), features[i], len(missing) != 0 && missing[i] != 0
		f.value = f.mode.threshold(values[i])
		f.set = sets[i]
		f.yes, f.no = n.child5(yes[i], yesLeaf[i], count, len(ids)), n.child5(no[i], noLeaf[i], count, len(ids))
		if f.mode > member || f.feature < 0 || f.feature > math.MaxInt32 {
			unsupported("node %d: mode %d, feature %d", i, f.mode, f.feature)
		}
	}
	for i, id := range ids {
		if id < 0 || id > math.MaxInt32 {
			unsupported("leaf %d has target %d", i, id)
		}
		list[count+i] = fileTree{leaf: true, targets: []int32{int32(id)}, weights: weights[i : i+1]}
	}
	var roots []int
	for _, r := range n.int64s("tree_roots") {
		if r < 0 || int(r) >= count {
			unsupported("tree root %d of %d nodes", r, count)
		}
		// A tree of one leaf is written as a node whose children are one leaf.
		if f := &list[r]; f.yes == f.no && list[f.yes].leaf {
			roots, f.isVisited = append(roots, f.yes), true
			continue
		}
		roots = append(roots, int(r))
	}
	return list, roots
}

// child5 is the place of inner node or leaf i.
func (n *node) child5(i, leaf int64, nodes, leaves int) int {
	limit, first := nodes, 0
	if leaf != 0 {
		limit, first = leaves, nodes
	}
	if i < 0 || i >= int64(limit) {
		unsupported("child %d of %d", i, limit)
	}
	return first + int(i)
}

// bytes are the elements of a tensor attribute of uint8.
func (n *node) bytes(name string) []uint8 {
	a := n.attr(name)
	if a == nil || a.tensor == nil {
		return nil
	}
	t, err := a.tensor.tensor(n.l.open)
	if err != nil {
		panic(stop{fmt.Errorf("attribute %q: %w", name, err)})
	}
	if t.DType() != tensor.Uint8 {
		unsupported("attribute %q of %v", name, t.DType())
	}
	return tensor.Data[uint8](t)
}

// sets are those of the member nodes, in the order of these nodes, each ended by NaN in membership_values.
func (n *node) sets(kinds []uint8) [][]float32 {
	values := n.tensorList("membership_values")
	sets := make([][]float32, len(kinds))
	for i, k := range kinds {
		if mode(k) != member {
			continue
		}
		end := slices.IndexFunc(values, func(v float32) bool { return v != v })
		if end < 1 {
			unsupported("node %d has no set, or an empty one", i)
		}
		sets[i], values = values[:end], values[end+1:]
	}
	return sets
}
