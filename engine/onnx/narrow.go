package onnx

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// How results come back to an element type that the engine does not compute with. Operators see the carriers only; what they make of
// them is rounded (floats) or reduced modulo a power of two (integers) once for each output, unless the operator makes no new numbers.

// exactFor lists operators whose results are elements of their inputs, up to a sign where every type has one.
var exactFor = setOf("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile", "Transpose", "Concat", "Slice", "Split",
	"Gather", "GatherElements", "GatherND", "ScatterElements", "Scatter", "ScatterND", "Compress", "ReverseSequence", "DepthToSpace",
	"SpaceToDepth", "Trilu", "Where", "OneHot", "Pad", "Constant", "ConstantOfShape", "Max", "Min", "MaxPool", "GlobalMaxPool", "MaxUnpool",
	"ReduceMax", "ReduceMin", "TopK", "Unique", "Relu", "Cast", "CastLike", "EyeLike", "Bernoulli", "NonZero", "Shape", "Size", "If", "Loop", "Scan",
	"CenterCropPad", "TensorScatter", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "QuantizeLinear", "BitCast")

func setOf(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

// resultElement says which element type output i of a node has, where that is not the type of the first input. The carrier has the last
// word: an output carried otherwise is of the engine's own type.
var resultElement = map[string]func(n *node, i int) Element{
	"Shape": ownElement, "Size": ownElement, "NonZero": ownElement, "ArgMax": ownElement, "ArgMin": ownElement,
	"If": ownElement, "Loop": ownElement, "Scan": ownElement, "SequenceMap": ownElement,
	"TopK": firstOnly, "MaxPool": firstOnly, "Unique": firstOnly, "LayerNormalization": firstOnly, "Dropout": firstOnly,
	"Where": elementOfInput(1), "OneHot": elementOfInput(2), "CastLike": elementOfInput(1),
	"QuantizeLinear": quantizedElement, "DequantizeLinear": dequantizedElement,
	"Cast": elementOfAttr("to", 0), "BitCast": elementOfAttr("to", 0), "EyeLike": elementOfAttr("dtype", 0),
	"RandomUniform": elementOfAttr("dtype", Element(tensor.Float32)), "RandomNormal": elementOfAttr("dtype", Element(tensor.Float32)),
	"RandomUniformLike": elementOfAttr("dtype", 0), "RandomNormalLike": elementOfAttr("dtype", 0), "Bernoulli": elementOfAttr("dtype", 0),
	"Multinomial": elementOfAttr("dtype", Element(tensor.Int32)), "MelWeightMatrix": elementOfAttr("output_datatype", 1),
	"HannWindow": elementOfAttr("output_datatype", 1), "HammingWindow": elementOfAttr("output_datatype", 1), "BlackmanWindow": elementOfAttr("output_datatype", 1),
}

// sameAsInput lists the classical operators whose result has the type of the input; the others give the engine's own types.
var sameAsInput = setOf("ArrayFeatureExtractor", "Binarizer", "Imputer", "TreeEnsemble")

func ownElement(*node, int) Element { return 0 }

func firstOnly(n *node, i int) Element {
	if i > 0 {
		return 0
	}
	return n.element(0)
}

func elementOfInput(k int) func(*node, int) Element {
	return func(n *node, _ int) Element { return n.element(k) }
}

// elementOfAttr is the type that an attribute names; otherwise a number, or that of input 0 for 0.
func elementOfAttr(name string, otherwise Element) func(*node, int) Element {
	return func(n *node, _ int) Element {
		a := n.attr(name)
		switch {
		case a != nil:
			return n.elementNumbered(a.integer)
		case otherwise == 0:
			return n.element(0)
		}
		return otherwise
	}
}

func (n *node) elementNumbered(number int64) Element {
	e, err := elementOf(number)
	if err != nil {
		panic(stop{err})
	}
	return e
}

// element is the element type of input i, 0 if it is left out.
func (n *node) element(i int) Element {
	if !n.has(i) {
		return 0
	}
	return n.l.elementOf(n.in[i])
}

func (l *lowering) elementOf(v *value) Element {
	switch {
	case v.element != 0:
		return v.element
	case v.known != nil:
		return Element(v.known.DType())
	}
	return Element(l.b.Value(v.ref).DType)
}

// conclude gives the outputs of a rule their element types and brings their values into them. What has one already was made by other
// nodes: those of a body or a function.
func (n *node) conclude(out []*value) {
	for i, v := range out {
		if v == nil || v.element != 0 {
			continue
		}
		v.element = n.resultOf(i)
		carrier := n.l.carrierOf(v)
		if carrier == 0 || v.element.own() || v.element.Carrier() != carrier {
			v.element = Element(carrier)
			continue
		}
		if exactFor[n.p.op] {
			continue
		}
		if v.ref != graph.None {
			v.ref = n.narrowed(v.ref, v.element, false)
		}
		if v.known != nil {
			v.known = narrowedTensor(v.known, v.element)
		}
	}
}

func (n *node) resultOf(i int) Element {
	if n.p.domain == mlDomain && !sameAsInput[n.p.op] {
		return 0
	}
	if f := resultElement[n.p.op]; f != nil && isStandard(n.p.domain) {
		return f(n, i)
	}
	return n.element(0)
}

func (l *lowering) carrierOf(v *value) tensor.DType {
	if v.known != nil {
		return v.known.DType()
	}
	return l.b.Value(v.ref).DType
}

// narrowed brings carried values into the range of e.
func (n *node) narrowed(x graph.Ref, e Element, saturate bool) graph.Ref {
	t := e.traits()
	switch {
	case t.format != nil:
		return n.rounded(x, *t.format, saturate)
	case t.carrier == tensor.Float32 || t.bits == 64:
		return x
	}
	return n.cast(n.wrapped(n.cast(x, tensor.Int64), t.bits, t.signed), t.carrier)
}

// wrapped is an int64 modulo 2^bits, in the range of the signed or unsigned type.
func (n *node) wrapped(x graph.Ref, bits int, signed bool) graph.Ref {
	whole, zero := n.i(1<<bits), n.i(0)
	r := n.sub(x, n.mul(n.div(x, whole), whole))
	r = n.where(n.compare("Less", r, zero), n.add(r, whole), r)
	if signed {
		r = n.where(n.compare("GreaterOrEqual", r, n.i(1<<(bits-1))), n.sub(r, whole), r)
	}
	return r
}

// bigStep scales what is too large for the search of the unit below; it is a power of two.
const bigStep = 0x1p64

// rounded is f.Round, by operators of the graph: with ufp(a) the greatest power of two that a = |x| reaches, a + m - m with
// m = 1.5·2^(23-mantissa)·max(ufp(a), least) has the last place of the format, and the sum is rounded to nearest, ties to even.
// Source of ufp: Rump, Ogita and Oishi, "Accurate floating-point summation part I", SIAM J. Sci. Comput. 31(1), 2008, algorithm 3.5.
func (n *node) rounded(x graph.Ref, f kernel.FloatFormat, saturate bool) graph.Ref {
	a := n.op("Abs", nil, x)
	scaled := a
	var big graph.Ref
	if f.Max > bigStep {
		big = n.compare("Greater", a, n.f(bigStep))
		scaled = n.where(big, n.mul(a, n.f(1/bigStep)), a)
	} else {
		scaled = n.min(a, n.f(float32(4*f.Max)))
	}
	q := n.mul(scaled, n.f(0x1p23+1))
	ufp := n.sub(q, n.mul(q, n.f(1-0x1p-24)))
	m := n.mul(n.max(ufp, n.f(float32(math.Ldexp(1, f.Least())))), n.f(float32(math.Ldexp(1.5, 23-f.Mantissa))))
	y := n.sub(n.add(scaled, m), m)
	limit := math.Inf(1)
	switch {
	case saturate || f.NoNaN:
		limit = float64(f.Max)
	case !f.Infinities:
		limit = math.NaN()
	}
	if f.Max > bigStep {
		y = n.where(big, n.mul(y, n.f(bigStep)), y)
		y = n.where(n.compare("Greater", a, n.f(math.MaxFloat32)), a, y)
	}
	y = n.where(n.compare("Greater", y, n.f(f.Max)), n.f(float32(limit)), y)
	y = n.where(n.negative(x), n.op("Neg", nil, y), y)
	if f.NoNaN {
		y = n.where(n.compare("Equal", x, x), y, n.f(f.Max))
	}
	if f.NoNegativeZero {
		return n.add(y, n.f(0))
	}
	return n.where(n.compare("Equal", x, n.f(0)), x, y)
}

// narrowedTensor is narrowed for contents.
func narrowedTensor(t *tensor.Tensor, e Element) *tensor.Tensor {
	traits := e.traits()
	out := t.Clone()
	switch t.DType() {
	case tensor.Float32:
		if traits.format != nil {
			for i, v := range out.Float32() {
				out.Float32()[i] = traits.format.Round(v, false)
			}
		}
	case tensor.Int64:
		for i, v := range out.Int64() {
			out.Int64()[i] = traits.integer(uint64(v))
		}
	case tensor.Uint8:
		for i, v := range tensor.Data[uint8](out) {
			tensor.Data[uint8](out)[i] = uint8(traits.integer(uint64(v)))
		}
	case tensor.Int8:
		for i, v := range tensor.Data[int8](out) {
			tensor.Data[int8](out)[i] = int8(traits.integer(uint64(v)))
		}
	}
	return out
}
