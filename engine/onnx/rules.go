package onnx

import (
	"maps"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/graph"
)

// rules has an entry for every operator of ONNX that can be read.
var rules map[string]rule

func init() {
	rules = map[string]rule{}
	for _, family := range []map[string]rule{
		ownRules,
		elementRules,
		logicRules,
		shapeRules,
		moveRules,
		reduceRules,
		normRules,
		lossRules,
		windowRules,
		resizeRules,
		quantRules,
		recurrentRules,
		signalRules,
		gridRules,
		attentionRules,
		controlRules,
		mlRules,
		encodeRules,
		castRules,
		bitRules,
		treeRules,
		einsumRules,
		randomRules,
		linalgRules,
		spectralRules,
		trainRules,
		roiRules,
		arrangeRules,
		stateRules,
	} {
		maps.Copy(rules, family)
	}
}

// Operators lists the operators of ONNX that Specialise can read, sorted.
func Operators() []string { return slices.Sorted(maps.Keys(rules)) }

// Reads reports whether an operator, named as Model.Operators names it, can be read: by Specialise or by a Session. Not every form of it may be.
func Reads(operator string) bool {
	contrib, ours := strings.CutPrefix(operator, contribDomain+".")
	return rules[operator] != nil || interpreters[operator] != nil || ours && contribRules[contrib] != nil || strings.HasPrefix(operator, graph.Domain+".")
}

// ownRules are the operators that package graph has as ONNX defines them, in every operator set from MinOpset on.
var ownRules = map[string]rule{
	"Relu": own, "Sqrt": own, "Reciprocal": own, "Exp": own, "Log": own, "Tanh": own, "Erf": own, "Sigmoid": own,
	"Sin": own, "Cos": own, "MatMul": own, "Gemm": own, "Transpose": own, "Where": own, "Identity": own, "ScatterND": scatterND,
}

// own passes a node on as it is.
func own(n *node) []*value {
	attrs := graph.Attrs{}
	for i := range n.p.attrs {
		a := &n.p.attrs[i]
		if a.name == "broadcast" && n.l.opset < 7 {
			continue // the bias of a Gemm always broadcasts
		}
		switch a.kind {
		case kindFloat:
			attrs[a.name] = a.float
		case kindInt:
			attrs[a.name] = int(a.integer)
		case kindString:
			attrs[a.name] = a.text
		case kindInts:
			attrs[a.name] = n.integers(a.name)
		default:
			unsupported("attribute %q", a.name)
		}
	}
	var in []graph.Ref
	for i := range n.in {
		in = append(in, n.x(i))
	}
	for len(in) > 0 && in[len(in)-1] == graph.None {
		in = in[:len(in)-1]
	}
	refs := n.l.b.OpN(n.p.op, len(n.p.outputs), attrs, in...)
	n.check()
	var out []*value
	for _, r := range refs {
		out = append(out, &value{ref: r})
	}
	return out
}
