package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// mlDomain is the domain of ONNX's operators for classical machine learning, what scikit-learn's models are exported to.
// Source: https://onnx.ai/onnx/operators/#ai-onnx-ml; where the text is silent, ONNX Runtime's behaviour.
const mlDomain = "ai.onnx.ml"

// mlRules are models and transformations of rows of features.
var mlRules = map[string]rule{
	mlDomain + ".LinearRegressor": one(linearRegressor), mlDomain + ".LinearClassifier": linearClassifier,
	mlDomain + ".SVMRegressor": one(svmRegressor), mlDomain + ".SVMClassifier": svmClassifier,
	mlDomain + ".Scaler": one(scaler), mlDomain + ".Normalizer": one(normalizer), mlDomain + ".Imputer": one(imputer),
	mlDomain + ".Binarizer": one(binarizer), mlDomain + ".ArrayFeatureExtractor": one(arrayFeatures),
	mlDomain + ".FeatureVectorizer": one(featureVectorizer), mlDomain + ".DictVectorizer": one(dense),
	mlDomain + ".ZipMap": one(zipMap),
}

// features is input 0 as float32 of shape [rows, features]; a list is one row.
func (n *node) features() graph.Ref {
	x := n.cast(n.need(0), tensor.Float32)
	switch s := n.shape(x); len(s) {
	case 1:
		return n.reshape(x, 1, s[0])
	case 2:
		return x
	default:
		unsupported("features of shape %v, want [rows, features]", s)
	}
	return graph.None
}

// floatList is a floats attribute, nil if it is not set.
func (n *node) floatList(name string) []float32 {
	if a := n.attr(name); a != nil {
		return a.floats
	}
	return nil
}

// int64s is an ints attribute of any size, nil if it is not set.
func (n *node) int64s(name string) []int64 {
	if a := n.attr(name); a != nil {
		return a.ints
	}
	return nil
}

// texts is a strings attribute, nil if it is not set.
func (n *node) texts(name string) []string {
	if a := n.attr(name); a != nil {
		return a.texts
	}
	return nil
}

// row is a constant of shape [1, len(list)].
func (n *node) row(list []float32) graph.Ref {
	n.spend(len(list))
	return n.constant(tensor.FromFloat32(slices.Clone(list), 1, len(list)))
}

// matrix is a constant of that shape; the file's list must be as long.
func (n *node) matrix(name string, list []float32, rows, cols int) graph.Ref {
	if rows < 1 || cols < 1 || len(list) != rows*cols {
		unsupported("%d %s for %d rows of %d", len(list), name, rows, cols)
	}
	n.spend(len(list))
	return n.constant(tensor.FromFloat32(slices.Clone(list), rows, cols))
}

// linear is x·cᵀ + b by N §3, with c the list of coefficients of the given number of rows.
func (n *node) linear(x graph.Ref, rows int, coefficients, b []float32) graph.Ref {
	y := n.op("Gemm", graph.Attrs{"transB": 1}, x, n.matrix("coefficients", coefficients, rows, n.shape(x)[1]))
	if len(b) == 0 {
		return y
	}
	return n.add(y, n.row(b))
}

func linearRegressor(n *node) graph.Ref {
	targets := n.integer("targets", 1)
	b := n.floatList("intercepts")
	if len(b) != 0 && len(b) != targets {
		unsupported("%d intercepts for %d targets", len(b), targets)
	}
	y := n.linear(n.features(), targets, n.floatList("coefficients"), b)
	if post := n.text("post_transform", "NONE"); targets > 1 || post == "PROBIT" {
		return n.transform(y, post)
	}
	return y
}

// linearClassifier has a score for each class, or one for two classes: then the second class wins above 0.
func linearClassifier(n *node) []*value {
	b, post := n.floatList("intercepts"), n.text("post_transform", "NONE")
	labels := n.classLabels("classlabels_ints")
	s := n.linear(n.features(), len(b), n.floatList("coefficients"), b)
	if len(b) == 1 && labels.Len() == 2 {
		return []*value{n.choose(labels, n.above(s, 0)), {ref: n.complement(s, post, true)}}
	}
	if len(b) != labels.Len() {
		unsupported("%d scores for %d classes", len(b), labels.Len())
	}
	return []*value{n.choose(labels, n.best(s)), {ref: n.transform(s, post)}}
}

// classLabels are the labels of a classifier, integers or strings.
func (n *node) classLabels(ints string) *value {
	if list := n.texts("classlabels_strings"); len(list) > 0 {
		return &value{known: n.strings(list), words: true}
	}
	list := n.int64s(ints)
	if len(list) == 0 {
		unsupported("no class labels")
	}
	return &value{known: tensor.FromInt64(slices.Clone(list), len(list))}
}

// Len is the number of elements of known contents.
func (v *value) Len() int { return v.known.Len() }

// choose takes the label of each index.
func (n *node) choose(labels *value, index graph.Ref) *value {
	return &value{ref: n.op("Gather", nil, n.constant(labels.known), index), words: labels.words}
}

// best is the index of the greatest score of each row, of equal ones the first: [rows].
func (n *node) best(s graph.Ref) graph.Ref {
	d := n.shape(s)[1]
	less := n.compare("Less", s, n.reduce("ReduceMax", s, true, 1))
	first := n.reduce("ReduceMin", n.where(less, n.f(float32(d)), n.iota(d, 1, 2, tensor.Float32)), false, 1)
	return n.cast(first, tensor.Int64)
}

// above is 1 where the only score of a row is above the threshold, else 0: [rows].
func (n *node) above(s graph.Ref, threshold float32) graph.Ref {
	return n.reshape(n.cast(n.compare("Greater", s, n.f(threshold)), tensor.Int64), n.shape(s)[0])
}

// complement makes two columns of the score of the second of two classes: the logistic function of -s and s, or else 1 - s and s if scores
// are probabilities, -s and s if they are not.
func (n *node) complement(s graph.Ref, post string, probability bool) graph.Ref {
	opposite := n.op("Neg", nil, s)
	switch {
	case post == "PROBIT":
		unsupported("PROBIT of one score for two classes")
	case post == "LOGISTIC":
		opposite, s = n.op("Sigmoid", nil, opposite), n.op("Sigmoid", nil, s)
	case probability:
		opposite = n.sub(n.f(1), s)
	}
	return n.concat(1, opposite, s)
}

// transform is the attribute post_transform applied to rows of scores.
func (n *node) transform(s graph.Ref, post string) graph.Ref {
	switch post {
	case "NONE":
		return s
	case "LOGISTIC":
		return n.op("Sigmoid", nil, s)
	case "SOFTMAX":
		return n.op("Softmax", graph.Attrs{"axis": 1}, s)
	case "SOFTMAX_ZERO":
		return n.softmaxZero(s)
	case "PROBIT":
		return n.probit(s)
	}
	unsupported("post_transform %q", post)
	return graph.None
}

// softmaxZero is a softmax that leaves scores within 1e-7 of 0 out of the sum and multiplies them by exp(-max) instead.
func (n *node) softmaxZero(s graph.Ref) graph.Ref {
	m := n.reduce("ReduceMax", s, true, 1)
	counts := n.compare("Greater", n.op("Abs", nil, s), n.f(1e-7))
	e := n.where(counts, n.op("Exp", nil, n.sub(s, m)), n.f(0))
	sum := n.reduce("ReduceSum", e, true, 1)
	return n.div(n.where(counts, e, n.mul(s, n.op("Exp", nil, n.op("Neg", nil, m)))), sum)
}

// probit is √2·erfinv(2s - 1) with Winitzki's approximation of erfinv, the one that ONNX Runtime takes.
func (n *node) probit(s graph.Ref) graph.Ref {
	x := n.sub(n.mul(n.f(2), s), n.f(1))
	log := n.op("Log", nil, n.mul(n.sub(n.f(1), x), n.add(n.f(1), x)))
	v := n.add(n.f(2/(3.14159*0.147)), n.mul(n.f(0.5), log))
	inner := n.sub(n.mul(v, v), n.mul(n.f(1/0.147), log))
	root := n.op("Sqrt", nil, n.sub(n.op("Sqrt", nil, inner), v))
	signed := n.where(n.negative(x), n.op("Neg", nil, root), root)
	return n.mul(n.f(1.41421356), signed)
}

// perFeature is a floats attribute with one number for all features or one for each.
func (n *node) perFeature(name string, features int) graph.Ref {
	list := n.floatList(name)
	if len(list) != 1 && len(list) != features {
		unsupported("%d of %s for %d features", len(list), name, features)
	}
	return n.row(list)
}

// scaler is (x - offset)·scale.
func scaler(n *node) graph.Ref {
	x := n.cast(n.need(0), tensor.Float32)
	s := n.shape(x)
	if len(s) == 0 || len(s) > 2 {
		unsupported("features of shape %v", s)
	}
	d := s[len(s)-1]
	y := n.mul(n.sub(n.features(), n.perFeature("offset", d)), n.perFeature("scale", d))
	return n.reshape(y, s...)
}

// normalizer divides each row by its maximum, the sum of its absolute values, or its length. A row whose divisor is 0 stays.
func normalizer(n *node) graph.Ref {
	x := n.features()
	var by graph.Ref
	switch norm := n.text("norm", "MAX"); norm {
	case "MAX":
		by = n.reduce("ReduceMax", x, true, 1)
	case "L1":
		by = n.reduce("ReduceSum", n.op("Abs", nil, x), true, 1)
	case "L2":
		by = n.op("Sqrt", nil, n.reduce("ReduceSumSquare", x, true, 1))
	default:
		unsupported("norm %q", norm)
	}
	by = n.where(n.compare("Equal", by, n.f(0)), n.f(1), by)
	return n.reshape(n.div(x, by), n.shape(n.need(0))...)
}

// imputer replaces one value, which may be NaN, by another that may differ between features.
func imputer(n *node) graph.Ref {
	x := n.need(0)
	s := n.shape(x)
	if len(s) == 0 || len(s) > 2 {
		unsupported("features of shape %v", s)
	}
	d := s[len(s)-1]
	if n.dtype(x) != tensor.Float32 {
		list := n.int64s("imputed_value_int64s")
		if len(list) != 1 && len(list) != d {
			unsupported("%d imputed values for %d features", len(list), d)
		}
		old := int64(0)
		if a := n.attr("replaced_value_int64"); a != nil {
			old = a.integer
		}
		wide := n.cast(x, tensor.Int64)
		fill := n.constant(tensor.FromInt64(slices.Clone(list), len(list)))
		return n.cast(n.where(n.compare("Equal", wide, n.i(old)), fill, wide), n.dtype(x))
	}
	list := n.floatList("imputed_value_floats")
	if len(list) != 1 && len(list) != d {
		unsupported("%d imputed values for %d features", len(list), d)
	}
	n.spend(len(list))
	fill := n.constant(tensor.FromFloat32(slices.Clone(list), len(list)))
	old := n.float("replaced_value_float", 0)
	if old != old {
		return n.where(n.compare("Equal", x, x), x, fill)
	}
	return n.where(n.compare("Equal", x, n.f(old)), fill, x)
}

// binarizer is 1 above the threshold, else 0.
func binarizer(n *node) graph.Ref {
	x := n.need(0)
	y := n.compare("Greater", n.cast(x, tensor.Float32), n.f(n.float("threshold", 0)))
	return n.cast(n.cast(y, tensor.Float32), n.dtype(x))
}

// arrayFeatures takes columns, the last axis, in any order. Of a list it makes one row.
func arrayFeatures(n *node) graph.Ref {
	x, at := n.need(0), n.cast(n.need(1), tensor.Int64)
	at = n.reshape(at, product(n.shape(at)))
	switch s := n.shape(x); len(s) {
	case 0:
		unsupported("a scalar")
	case 1:
		x = n.reshape(x, 1, s[0])
	}
	return n.gather(x, at, len(n.shape(x))-1)
}

// featureVectorizer puts features side by side as float32, each cut or padded with zeros to its attribute's length.
func featureVectorizer(n *node) graph.Ref {
	lengths := n.integers("inputdimensions")
	var parts []graph.Ref
	for i := range n.in {
		x := n.cast(n.need(i), tensor.Float32)
		s := n.shape(x)
		if len(s) == 0 || len(s) > 8 {
			unsupported("input %d of shape %v", i, s)
		}
		rows := 1
		if len(s) > 1 {
			rows = s[0]
		}
		x = n.reshape(x, rows, product(s)/rows)
		if i < len(lengths) {
			d := n.shape(x)[1]
			switch want := lengths[i]; {
			case want < 1:
				unsupported("inputdimensions of %d", want)
			case want < d:
				x = n.slice(x, 1, 0, want, 1)
			case want > d:
				x = n.concat(1, x, n.filled(x, 0, rows, want-d))
			}
		}
		parts = append(parts, x)
	}
	if len(parts) == 0 {
		unsupported("no inputs")
	}
	return n.concat(1, parts...)
}

// dense is the row of values that stands for a map in a graph: absent keys have 0 there (Port.Keys).
func dense(n *node) graph.Ref {
	x := n.features()
	if keys := n.p.keys("int64_vocabulary", "string_vocabulary"); len(keys) != n.shape(x)[1] {
		unsupported("%d values for %d keys", n.shape(x)[1], len(keys))
	}
	return n.op("Identity", nil, x)
}

// zipMap stays a table of numbers, whose columns the keys name (Port.Keys).
func zipMap(n *node) graph.Ref {
	x := n.features()
	if keys := n.p.keys("classlabels_int64s", "classlabels_strings"); len(keys) != n.shape(x)[1] {
		unsupported("%d values for %d keys", n.shape(x)[1], len(keys))
	}
	return n.op("Identity", nil, x)
}
