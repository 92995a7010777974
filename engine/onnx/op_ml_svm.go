package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// supports is K(x, v) for each row x and each support vector v: [rows, vectors].
func (n *node) supports(x graph.Ref, count int) graph.Ref {
	list, features := n.floatList("support_vectors"), n.shape(x)[1]
	vectors := n.matrix("support_vectors", list, count, features)
	p := n.floatList("kernel_params")
	gamma, coef0, degree := float32(0), float32(0), float32(0)
	if len(p) >= 3 {
		gamma, coef0, degree = p[0], p[1], p[2]
	}
	kernel := n.text("kernel_type", "LINEAR")
	if kernel == "RBF" {
		return n.op("Exp", nil, n.mul(n.f(-gamma), n.squaredDistances(x, vectors)))
	}
	dot := n.op("MatMul", nil, x, n.transpose(vectors, 1, 0))
	if kernel == "LINEAR" {
		return dot
	}
	y := n.add(n.mul(n.f(gamma), dot), n.f(coef0))
	switch kernel {
	case "POLY":
		return n.whole(y, degree)
	case "SIGMOID":
		return n.op("Tanh", nil, y)
	}
	unsupported("kernel_type %q", kernel)
	return graph.None
}

// whole is y^degree by repeated multiplication; the exponent must be a whole number of at most 64.
func (n *node) whole(y graph.Ref, degree float32) graph.Ref {
	if !(degree >= 0 && degree <= 64) || float32(int(degree)) != degree {
		unsupported("a polynomial of degree %v", degree)
	}
	if degree == 0 {
		return n.filled(y, 1, n.shape(y)...)
	}
	p := y
	for range int(degree) - 1 {
		p = n.mul(p, y)
	}
	return p
}

// distanceElements bounds the differences that squaredDistances holds at a time.
const distanceElements = 1 << 20

// squaredDistances is Σ(x - v)² of each row of x [rows, d] and of v [count, d], differences first, summed by N §4: [rows, count]. Rows are taken a
// few at a time, which bounds memory and changes no bit.
func (n *node) squaredDistances(x, v graph.Ref) graph.Ref {
	rows, d, count := n.shape(x)[0], n.shape(x)[1], n.shape(v)[0]
	step := max(1, distanceElements/(d*count), rows/1024)
	v = n.reshape(v, 1, count, d)
	var parts []graph.Ref
	for at := 0; at < rows; at += step {
		end := min(at+step, rows)
		part := n.reshape(n.slice(x, 0, at, end, 1), end-at, 1, d)
		parts = append(parts, n.reduce("ReduceSumSquare", n.sub(part, v), false, 2))
	}
	return n.concat(0, parts...)
}

// svmRegressor is Σ coefficient·K(x, v) + rho, with one_class its sign as 1 or -1. Without support vectors it is linear.
func svmRegressor(n *node) graph.Ref {
	x := n.features()
	rho, count := n.floatList("rho"), n.integer("n_supports", 0)
	if len(rho) == 0 {
		unsupported("no rho")
	}
	coefficients := n.floatList("coefficients")
	var y graph.Ref
	if count > 0 {
		y = n.op("MatMul", nil, n.supports(x, count), n.matrix("coefficients", coefficients, count, 1))
	} else {
		y = n.op("MatMul", nil, x, n.matrix("coefficients", coefficients, n.shape(x)[1], 1))
	}
	y = n.add(y, n.f(rho[0]))
	if n.flag("one_class") {
		return n.where(n.compare("Greater", y, n.f(0)), n.f(1), n.f(-1))
	}
	if post := n.text("post_transform", "NONE"); post == "PROBIT" {
		return n.probit(y)
	}
	return y
}

func svmClassifier(n *node) []*value {
	x := n.features()
	labels := n.classLabels("classlabels_ints")
	if labels.Len() < 2 {
		unsupported("%d classes", labels.Len())
	}
	if len(n.int64s("vectors_per_class")) > 0 {
		return n.supportVectorClassifier(x, labels)
	}
	return n.linearSVM(x, labels)
}

// linearSVM has a row of coefficients for each class. Of two classes, the second wins if the greater score is above 0, or reaches 1/2 where
// no coefficient is negative.
func (n *node) linearSVM(x graph.Ref, labels *value) []*value {
	list, rho := n.floatList("coefficients"), n.floatList("rho")
	if len(rho) == 0 {
		unsupported("no rho")
	}
	s := n.add(n.linear(x, labels.Len(), list, nil), n.f(rho[0]))
	at := n.best(s)
	if labels.Len() == 2 {
		high := n.reduce("ReduceMax", s, true, 1)
		wins := n.above(high, 0)
		if !slices.ContainsFunc(list, func(v float32) bool { return v < 0 }) {
			wins = n.reshape(n.cast(n.compare("GreaterOrEqual", high, n.f(0.5)), tensor.Int64), n.shape(s)[0])
		}
		at = n.max(at, wins)
	}
	return []*value{n.choose(labels, at), {ref: n.transform(s, n.text("post_transform", "NONE"))}}
}

// supportVectorClassifier lets every pair of classes vote; of equally many votes the first class wins. Scores are the decisions of the
// pairs, or probabilities of the classes if the file has prob_a and prob_b.
func (n *node) supportVectorClassifier(x graph.Ref, labels *value) []*value {
	classes := labels.Len()
	pairs := classes * (classes - 1) / 2
	starts, count := n.vectorStarts(classes)
	decisions := n.op("MatMul", nil, n.supports(x, count), n.pairCoefficients(starts, pairs))
	rho := n.floatList("rho")
	if len(rho) < pairs {
		unsupported("%d of rho for %d pairs of classes", len(rho), pairs)
	}
	decisions = n.add(decisions, n.row(rho[:pairs]))
	first := n.cast(n.compare("Greater", decisions, n.f(0)), tensor.Float32)
	forFirst, forSecond := make([]float32, pairs*classes), make([]float32, pairs*classes)
	eachPair(classes, func(p, i, j int) { forFirst[p*classes+i], forSecond[p*classes+j] = 1, 1 })
	votes := n.add(n.op("MatMul", nil, first, n.matrix("votes", forFirst, pairs, classes)),
		n.op("MatMul", nil, n.sub(n.f(1), first), n.matrix("votes", forSecond, pairs, classes)))
	label := n.choose(labels, n.best(votes))
	post := n.text("post_transform", "NONE")
	switch {
	case len(n.floatList("prob_a")) > 0:
		return []*value{label, {ref: n.transform(n.coupled(n.pairProbabilities(decisions, pairs), classes), post)}}
	case classes > 2:
		return []*value{label, {ref: n.transform(decisions, post)}}
	}
	return []*value{label, {ref: n.complement(decisions, post, post != "NONE")}}
}

// eachPair calls f with the number of each pair of classes i < j.
func eachPair(classes int, f func(p, i, j int)) {
	p := 0
	for i := range classes {
		for j := i + 1; j < classes; j++ {
			f(p, i, j)
			p++
		}
	}
}

// vectorStarts says where each class's support vectors begin, and after the last class how many there are.
func (n *node) vectorStarts(classes int) ([]int, int) {
	list := n.integers("vectors_per_class")
	if len(list) != classes || classes > 512 {
		unsupported("vectors_per_class of %d classes for %d", len(list), classes)
	}
	starts := []int{0}
	for _, v := range list {
		if v < 0 {
			unsupported("vectors_per_class of %d", v)
		}
		starts = append(starts, starts[len(starts)-1]+v)
	}
	if starts[classes] == 0 {
		unsupported("no support vectors")
	}
	return starts, starts[classes]
}

// pairCoefficients puts the coefficients of a pair's support vectors into a column, zeros for the vectors of other classes. The file has
// [classes - 1, vectors]: for the vectors of class i, row j-1 (j > i) or j (j < i) is against class j.
func (n *node) pairCoefficients(starts []int, pairs int) graph.Ref {
	classes := len(starts) - 1
	count := starts[classes]
	list := n.floatList("coefficients")
	if len(list) != (classes-1)*count {
		unsupported("%d coefficients for %d vectors of %d classes", len(list), count, classes)
	}
	n.spend(count * pairs)
	w := make([]float32, count*pairs)
	eachPair(classes, func(p, i, j int) {
		for v := starts[i]; v < starts[i+1]; v++ {
			w[v*pairs+p] = list[(j-1)*count+v]
		}
		for v := starts[j]; v < starts[j+1]; v++ {
			w[v*pairs+p] = list[i*count+v]
		}
	})
	return n.constant(tensor.FromFloat32(w, count, pairs))
}

// pairProbabilities is 1 - sigmoid(a·s + b) for each pair, kept 1e-7 away from 0 and 1.
func (n *node) pairProbabilities(decisions graph.Ref, pairs int) graph.Ref {
	a, b := n.floatList("prob_a"), n.floatList("prob_b")
	if len(a) < pairs || len(b) < pairs {
		unsupported("%d of prob_a and %d of prob_b for %d pairs of classes", len(a), len(b), pairs)
	}
	v := n.add(n.mul(decisions, n.row(a[:pairs])), n.row(b[:pairs]))
	p := n.sub(n.f(1), n.op("Sigmoid", nil, v))
	return n.min(n.max(p, n.f(1e-7)), n.f(1-1e-7))
}

// couplingRounds and couplingClasses bound the nodes of coupled.
const (
	couplingRounds  = 100
	couplingClasses = 24
)

// coupled makes probabilities of classes from those of pairs r, by the iteration of Wu, Lin and Weng (2004), algorithm 2, as libsvm has it:
// up to 100 rounds of Gauss-Seidel steps on minimising Σ(r_ji p_i - r_ij p_j)², ended for each row when its error is below 0.005/classes.
func (n *node) coupled(r graph.Ref, classes int) graph.Ref {
	if classes > couplingClasses {
		unsupported("probabilities of %d classes, at most %d", classes, couplingClasses)
	}
	q := n.couplingMatrix(r, classes)
	p := n.filled(r, float32(1)/float32(classes), n.shape(r)[0], classes)
	units := make([]graph.Ref, classes)
	for i := range units {
		one := make([]float32, classes)
		one[i] = 1
		units[i] = n.row(one)
	}
	for range couplingRounds {
		rows := n.reshape(p, n.shape(p)[0], 1, classes)
		qp := n.reduce("ReduceSum", n.mul(q, rows), false, 2)
		pqp := n.reduce("ReduceSum", n.mul(p, qp), true, 1)
		worst := n.reduce("ReduceMax", n.op("Abs", nil, n.sub(qp, pqp)), true, 1)
		done := n.compare("Less", worst, n.f(float32(0.005)/float32(classes)))
		p = n.where(done, p, n.couplingRound(units, q, p, qp, pqp))
	}
	return p
}

// couplingMatrix is Q [rows, classes, classes]: Q_ii = Σ_{j≠i} r_ji², Q_ij = -r_ji·r_ij.
func (n *node) couplingMatrix(r graph.Ref, classes int) graph.Ref {
	rows, pairs := n.shape(r)[0], n.shape(r)[1]
	all := n.concat(1, r, n.sub(n.f(1), r), n.filled(r, 0, rows, 1))
	at := slices.Repeat([]int64{int64(2 * pairs)}, classes*classes) // r_ij at i·classes+j, zero on the diagonal
	diagonal := make([]bool, classes*classes)
	eachPair(classes, func(p, i, j int) { at[i*classes+j], at[j*classes+i] = int64(p), int64(pairs+p) })
	for i := range classes {
		diagonal[i*classes+i] = true
	}
	m := n.reshape(n.gather(all, n.constant(tensor.FromInt64(at, len(at))), 1), rows, classes, classes)
	squares := n.reshape(n.reduce("ReduceSumSquare", m, false, 1), rows, classes, 1)
	off := n.op("Neg", nil, n.mul(m, n.transpose(m, 0, 2, 1)))
	return n.where(n.constant(tensor.FromBool(diagonal, 1, classes, classes)), squares, off)
}

// couplingRound takes one step for each class in turn; units are the rows of the identity matrix.
func (n *node) couplingRound(units []graph.Ref, q, p, qp, pqp graph.Ref) graph.Ref {
	rows, classes := n.shape(p)[0], n.shape(p)[1]
	for i := range classes {
		qi := n.reshape(n.slice(q, 1, i, i+1, 1), rows, classes)
		qii, qpi := n.slice(qi, 1, i, i+1, 1), n.slice(qp, 1, i, i+1, 1)
		d := n.div(n.sub(pqp, qpi), qii)
		scale := n.add(n.f(1), d)
		pqp = n.div(n.div(n.add(pqp, n.mul(d, n.add(n.mul(d, qii), n.add(qpi, qpi)))), scale), scale)
		qp = n.div(n.add(qp, n.mul(d, qi)), scale)
		p = n.div(n.add(p, n.mul(d, units[i])), scale)
	}
	return p
}

// cdist is the distance of each row of one matrix to each of another, an operator of ONNX Runtime's that exporters of scikit-learn use.
func cdist(n *node) graph.Ref {
	x, v := n.need(0), n.need(1)
	if len(n.shape(x)) != 2 || len(n.shape(v)) != 2 || n.shape(x)[1] != n.shape(v)[1] {
		unsupported("shapes %v and %v", n.shape(x), n.shape(v))
	}
	n.isFloat(x)
	n.isFloat(v)
	y := n.squaredDistances(x, v)
	switch metric := n.text("metric", "sqeuclidean"); metric {
	case "sqeuclidean":
		return y
	case "euclidean":
		return n.op("Sqrt", nil, y)
	default:
		unsupported("metric %q", metric)
	}
	return graph.None
}
