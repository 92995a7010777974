package onnx

import (
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
)

// folds keeps what a session's nodes give for constants, so that programs for other shapes need not compute it again. They are weights too:
// the transpose of one, say. A nil folds keeps nothing.
type folds struct {
	weights  *exec.Weights
	known    map[*nodeProto][]*value
	elements int
}

// maxFolds bounds the elements that are kept.
const maxFolds = 1 << 28

// of is what n gives, nil if it is not kept.
func (f *folds) of(n *node) []*value {
	if f == nil || !n.lasting() || f.known[n.p] == nil {
		return nil
	}
	var out []*value
	for _, v := range f.known[n.p] {
		if v != nil {
			c := *v // its place is in another builder
			v = &c
		}
		out = append(out, v)
	}
	return out
}

// keep takes what n gave, if all of it is known.
func (f *folds) keep(n *node, out []*value) {
	if f == nil || !n.lasting() || slices.ContainsFunc(out, func(v *value) bool { return v != nil && v.known == nil }) {
		return
	}
	kept := make([]*value, len(out))
	for i, v := range out {
		if v == nil {
			continue
		}
		if f.elements += v.known.Len(); f.elements > maxFolds {
			return
		}
		v.lasting = true
		kept[i] = &value{known: v.known, words: v.words, element: v.element, lasting: true}
		f.weights.Share(v.known)
	}
	f.known[n.p] = kept
}

// lasting reports whether all inputs of n are the same in all programs of a session.
func (n *node) lasting() bool {
	return !slices.ContainsFunc(n.in, func(v *value) bool { return v != nil && !v.lasting })
}
