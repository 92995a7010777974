package onnx

import (
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// einsumRules are sums of products written with a letter for each axis.
var einsumRules = map[string]rule{"Einsum": one(einsum), "MatMul": one(matMul)}

// term is an operand of Einsum: a tensor and the letters of its axes, each once.
type term struct {
	ref    graph.Ref
	labels []rune
}

// ellipsis is the first of the runes that stand for the axes under "...", counted from the last axis.
const ellipsis = rune(1 << 16)

// einsum multiplies the operands from left to right as matrices: letters of both that are still needed are batch axes, letters of both
// that are not are contracted. A letter of one operand only that nothing needs is summed before.
func einsum(n *node) graph.Ref {
	equation := strings.ReplaceAll(n.text("equation", ""), " ", "")
	left, right, explicit := strings.Cut(equation, "->")
	parts := strings.Split(left, ",")
	if len(parts) != len(n.in) {
		unsupported("equation %q for %d inputs", equation, len(n.in))
	}
	sizes := map[rune]int{}
	var terms []term
	for i, part := range parts {
		terms = append(terms, n.term(n.need(i), part, sizes))
	}
	var out []rune
	if explicit {
		out = n.outputLabels(right, sizes)
	} else {
		out = implicitLabels(terms)
	}
	for i := range terms {
		terms[i] = n.stretched(terms[i], sizes)
	}
	total := terms[0]
	for i := 1; ; i++ {
		needed := slices.Clone(out)
		for _, t := range terms[min(i, len(terms)):] {
			needed = append(needed, t.labels...)
		}
		total = n.sumOut(total, needed)
		if i == len(terms) {
			break
		}
		rest := slices.Clone(out)
		for _, t := range terms[i+1:] {
			rest = append(rest, t.labels...)
		}
		total = n.contracted(total, n.sumOut(terms[i], append(slices.Clone(rest), total.labels...)), rest)
	}
	if len(total.labels) != len(out) {
		unsupported("equation %q", equation)
	}
	return n.op("Identity", nil, n.ordered(total, out))
}

// term reads the letters of an operand; of a letter that stands twice the diagonal is taken.
func (n *node) term(x graph.Ref, letters string, sizes map[rune]int) term {
	labels := n.labels(letters, len(n.shape(x)))
	for i := 0; i < len(labels); i++ {
		if j := slices.Index(labels[:i], labels[i]); j >= 0 {
			x = n.diagonal(x, j, i)
			labels = slices.Delete(slices.Clone(labels), i, i+1)
			i--
		}
	}
	for i, l := range labels {
		d := n.shape(x)[i]
		switch have := sizes[l]; {
		case have == 0 || have == 1:
			sizes[l] = d
		case d != have && d != 1:
			unsupported("sizes %d and %d of one letter", have, d)
		}
	}
	return term{x, labels}
}

func (n *node) labels(letters string, rank int) []rune {
	var labels []rune
	before, after, dots := strings.Cut(letters, "...")
	for _, l := range before {
		labels = append(labels, l)
	}
	if dots {
		for k := rank - len(before) - len(after); k > 0; k-- {
			labels = append(labels, ellipsis+rune(k))
		}
		for _, l := range after {
			labels = append(labels, l)
		}
	}
	for _, l := range labels {
		if l < ellipsis && (l < 'A' || l > 'z' || l > 'Z' && l < 'a') {
			unsupported("letter %q", l)
		}
	}
	if len(labels) != rank {
		unsupported("letters %q for %d axes", letters, rank)
	}
	return labels
}

// outputLabels are those of the result; its "..." stands for all axes that stood under one.
func (n *node) outputLabels(letters string, sizes map[rune]int) []rune {
	most := 0
	for l := range sizes {
		most = max(most, int(l-ellipsis))
	}
	rank := len(letters)
	if strings.Contains(letters, "...") {
		rank += most - 3
	}
	out := n.labels(letters, rank)
	for i, l := range out {
		if sizes[l] == 0 || slices.Contains(out[:i], l) {
			unsupported("letters %q of the result", letters)
		}
	}
	return out
}

// implicitLabels are the axes under "...", then the letters that stand once, in the order of the alphabet.
func implicitLabels(terms []term) []rune {
	counts := map[rune]int{}
	var all []rune
	for _, t := range terms {
		for _, l := range t.labels {
			if counts[l]++; counts[l] == 1 {
				all = append(all, l)
			}
		}
	}
	slices.SortFunc(all, func(a, b rune) int {
		if a > ellipsis || b > ellipsis {
			return int(b - a)
		}
		return int(a - b)
	})
	return slices.DeleteFunc(all, func(l rune) bool { return l < ellipsis && counts[l] > 1 })
}

// diagonal takes the elements at which two axes have the same index, along the first of them.
func (n *node) diagonal(x graph.Ref, a, b int) graph.Ref {
	s := n.shape(x)
	if s[a] != s[b] {
		unsupported("a diagonal of %d by %d", s[a], s[b])
	}
	x = n.moved(n.moved(x, b, 0), a+1, 1)
	index := n.iota(s[a], 0, 2, tensor.Int64)
	return n.moved(n.op("GatherND", nil, x, n.concat(1, index, index)), 0, a)
}

// stretched gives axes of size 1 the size that their letter has elsewhere.
func (n *node) stretched(t term, sizes map[rune]int) term {
	shape := make([]int, len(t.labels))
	for i, l := range t.labels {
		shape[i] = sizes[l]
	}
	return term{n.expand(t.ref, shape...), t.labels}
}

// sumOut adds up the axes that are not needed.
func (n *node) sumOut(t term, needed []rune) term {
	var axes []int
	var kept []rune
	for i, l := range t.labels {
		if slices.Contains(needed, l) {
			kept = append(kept, l)
		} else {
			axes = append(axes, i)
		}
	}
	return term{n.total(t.ref, false, axes...), kept}
}

// contracted is the product of two terms, with the letters that rest does not hold summed over.
func (n *node) contracted(a, b term, rest []rune) term {
	var batch, inner, left, right []rune
	for _, l := range a.labels {
		switch {
		case !slices.Contains(b.labels, l):
			left = append(left, l)
		case slices.Contains(rest, l):
			batch = append(batch, l)
		default:
			inner = append(inner, l)
		}
	}
	for _, l := range b.labels {
		if !slices.Contains(a.labels, l) {
			right = append(right, l)
		}
	}
	size := func(t term, labels []rune) int {
		count := 1
		for _, l := range labels {
			count *= n.shape(t.ref)[slices.Index(t.labels, l)]
		}
		return count
	}
	nb, nl, ni, nr := size(a, batch), size(a, left), size(a, inner), size(b, right)
	var shape []int
	for _, l := range batch {
		shape = append(shape, size(a, []rune{l}))
	}
	for _, l := range left {
		shape = append(shape, size(a, []rune{l}))
	}
	for _, l := range right {
		shape = append(shape, size(b, []rune{l}))
	}
	x := n.ordered(a, slices.Concat(batch, left, inner))
	y := n.ordered(b, slices.Concat(batch, inner, right))
	product := n.matrices(n.reshape(x, nb, nl, ni), n.reshape(y, nb, ni, nr))
	return term{n.reshape(product, shape...), slices.Concat(batch, left, right)}
}

// matrices is a product of matrices of floats or integers, [batch, m, k] by [batch, k, n].
func (n *node) matrices(x, y graph.Ref) graph.Ref {
	if n.dtype(x) == tensor.Float32 {
		return n.op("MatMul", nil, x, y)
	}
	s, t := n.shape(x), n.shape(y)
	all := n.mul(n.reshape(x, s[0], s[1], s[2], 1), n.reshape(y, t[0], 1, t[1], t[2]))
	return n.total(all, false, 2)
}

func (n *node) ordered(t term, labels []rune) graph.Ref {
	perm := make([]int, len(labels))
	for i, l := range labels {
		perm[i] = slices.Index(t.labels, l)
	}
	if slices.IsSorted(perm) {
		return t.ref
	}
	return n.transpose(t.ref, perm...)
}

// total is the sum over axes, of floats or integers.
func (n *node) total(x graph.Ref, keep bool, axes ...int) graph.Ref {
	if n.dtype(x) == tensor.Float32 {
		return n.reduce("ReduceSum", x, keep, axes...)
	}
	return n.folded("Add", x, keep, axes...)
}

// matMul is the engine's product of matrices for floats; integers are multiplied and added up in int64.
func matMul(n *node) graph.Ref {
	x, y := n.need(0), n.need(1)
	dt := n.dtype(x)
	if dt == tensor.Float32 || dt == tensor.Bool || n.dtype(y) != dt {
		return n.op("MatMul", nil, x, y)
	}
	sx, sy := slices.Clone(n.shape(x)), slices.Clone(n.shape(y))
	if len(sx) == 0 || len(sy) == 0 || max(len(sx), len(sy)) > graph.MaxRank-1 {
		unsupported("a product of shapes %v and %v", sx, sy)
	}
	row, column := len(sx) == 1, len(sy) == 1
	if row {
		sx = append([]int{1}, sx...)
	}
	if column {
		sy = append(sy, 1)
	}
	if sx[len(sx)-1] != sy[len(sy)-2] {
		unsupported("a product of shapes %v and %v", sx, sy)
	}
	x = n.reshape(n.cast(x, tensor.Int64), append(slices.Clone(sx), 1)...)
	y = n.reshape(n.cast(y, tensor.Int64), slices.Insert(slices.Clone(sy), len(sy)-2, 1)...)
	all := n.mul(x, y) // [..., rows, inner, columns]
	rank := len(n.shape(all))
	sum := n.folded("Add", all, false, rank-2)
	shape := slices.Clone(n.shape(sum))
	at := len(shape) - 2
	if column {
		shape = shape[:at+1]
	}
	if row {
		shape = slices.Delete(shape, at, at+1)
	}
	return n.cast(n.reshape(sum, shape...), dt)
}
