package onnx

import (
	"fmt"
	"slices"
	"sort"

	"github.com/mutirao/mutirao/engine/tensor"
)

// The engine has no strings. What ONNX's classical models do with them is to compare an input with strings of the file and to choose an
// output among strings of the file, so a graph holds their numbers in the file's vocabulary and strings stay at its border.

// unknownWord is the number of every string that the file does not contain.
const unknownWord = -1

// Vocabulary lists the strings that a file's nodes and initializers hold, sorted, each once.
type Vocabulary []string

// Vocabulary collects the strings of the file.
func (m *Model) Vocabulary() Vocabulary {
	words := Vocabulary{defaultWord}
	m.proto.graph.each(func(g *graphProto) {
		for i := range g.initializers {
			words = append(words, g.initializers[i].texts...)
		}
		for i := range g.nodes {
			words = append(words, g.nodes[i].words()...)
		}
	})
	slices.Sort(words)
	return slices.Compact(words)
}

// words are the strings of a node's attributes that are data.
func (p *nodeProto) words() []string {
	var words []string
	for i := range p.attrs {
		a := &p.attrs[i]
		switch {
		case a.name == "nodes_modes": // of a tree: no data, but as many as nodes
		case a.kind == kindStrings:
			words = append(words, a.texts...)
		case a.name == "default_string" || a.name == "value_string":
			words = append(words, a.text)
		case a.tensor != nil:
			words = append(words, a.tensor.texts...)
		}
	}
	return words
}

// number is the place of a string, or unknownWord.
func (v Vocabulary) number(word string) int64 {
	if i := sort.SearchStrings(v, word); i < len(v) && v[i] == word {
		return int64(i)
	}
	return unknownWord
}

// Encode makes of strings the int64 that a graph wants in their place.
func (v Vocabulary) Encode(words []string, shape ...int) *tensor.Tensor {
	data := make([]int64, len(words))
	for i, w := range words {
		data[i] = v.number(w)
	}
	return tensor.FromInt64(data, shape...)
}

// Decode is the inverse of Encode. A number that stands for no string of the file is an error.
func (v Vocabulary) Decode(t *tensor.Tensor) ([]string, error) {
	if t.DType() != tensor.Int64 {
		return nil, fmt.Errorf("%w: numbers of strings are %v", ErrInvalid, t.DType())
	}
	words := make([]string, t.Len())
	for i, n := range t.Int64() {
		if n < 0 || n >= int64(len(v)) {
			return nil, fmt.Errorf("%w: element %d is a string that the model does not contain", ErrUnsupported, i)
		}
		words[i] = v[n]
	}
	return words, nil
}

// constant is the value of an initializer.
func (l *lowering) constant(p *tensorProto) (*value, error) {
	if p.dtype != int64(String) {
		t, err := p.tensor(l.open)
		return &value{known: t, element: Element(p.dtype)}, err
	}
	shape := make([]int, len(p.dims))
	for i, d := range p.dims {
		shape[i] = int(d)
	}
	if n, err := tensor.Elements(shape, len(p.texts)); err != nil || n != len(p.texts) {
		return nil, fmt.Errorf("%w: tensor %q has %d strings for shape %v", ErrInvalid, p.name, len(p.texts), p.dims)
	}
	return &value{known: l.words.Encode(p.texts, shape...), words: true}, nil
}

// wordMovers copy strings as they would numbers; their other outputs, if any, are numbers.
var wordMovers = []string{"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Concat", "Split", "Slice", "Gather", "GatherElements",
	"GatherND", "Expand", "Tile", "Where", "Compress", "ai.onnx.ml.ArrayFeatureExtractor"}

// wordReaders take strings and give numbers, or say themselves what they give.
var wordReaders = []string{"Equal", "Shape", "Size", "ai.onnx.ml.LabelEncoder", "ai.onnx.ml.OneHotEncoder", "ai.onnx.ml.CategoryMapper"}

// checkWords refuses strings where the operator would compute with their numbers.
func (n *node) checkWords() error {
	strings, others := 0, 0
	for _, v := range n.in {
		switch {
		case v == nil:
		case v.words:
			strings++
		default:
			others++
		}
	}
	title := n.p.title()
	switch {
	case strings == 0:
		return nil
	case !slices.Contains(wordMovers, title) && !slices.Contains(wordReaders, title):
		return fmt.Errorf("%w: strings", ErrUnsupported)
	case (title == "Concat" || title == "Equal") && others > 0:
		return fmt.Errorf("%w: strings beside numbers", ErrInvalid)
	case title == "Equal" && !slices.ContainsFunc(n.in, func(v *value) bool { return v != nil && v.known != nil && !v.assumed }):
		return fmt.Errorf("%w: strings that are not the file's have no numbers to compare", ErrUnsupported)
	}
	return nil
}

// passWords marks what a mover made of strings.
func (n *node) passWords(out []*value) {
	if !slices.Contains(wordMovers, n.p.title()) {
		return
	}
	for _, v := range n.in {
		if v != nil && v.words {
			for _, o := range out {
				if o != nil {
					o.words = true
				}
			}
		}
	}
}

// strings gives constants for a list of strings of the file.
func (n *node) strings(list []string) *tensor.Tensor { return n.l.words.Encode(list, len(list)) }

// onlyML reports whether all nodes are of the classical operators or optimizers, so that the standard operators' version does not matter.
func (m *Model) onlyML() bool {
	return !slices.ContainsFunc(m.proto.graph.nodes, func(p nodeProto) bool { return p.domain != mlDomain && p.domain != trainingDomain })
}

// mapOutput gives the output of a ZipMap its keys.
func (m *Model) mapOutput(p Port) Port {
	for i := range m.proto.graph.nodes {
		n := &m.proto.graph.nodes[i]
		if n.domain == mlDomain && n.op == "ZipMap" && slices.Contains(n.outputs, p.Name) {
			p.Keys, p.DType = n.keys("classlabels_int64s", "classlabels_strings"), tensor.Float32
		}
	}
	return p
}

// maxMap bounds the keys of a map.
const maxMap = 1 << 20

// mapInput gives an input that is a map, the argument of a DictVectorizer or CastMap, its keys.
func (m *Model) mapInput(p Port) Port {
	for i := range m.proto.graph.nodes {
		n := &m.proto.graph.nodes[i]
		if n.domain != mlDomain || !slices.Contains(n.inputs, p.Name) {
			continue
		}
		switch n.op {
		case "DictVectorizer":
			p.Keys = n.keys("int64_vocabulary", "string_vocabulary")
		case "CastMap":
			for _, a := range n.attrs {
				if a.name == "max_map" {
					for k := range min(a.integer, maxMap) {
						p.Keys = append(p.Keys, fmt.Sprint(k))
					}
				}
			}
		default:
			continue
		}
		p.DType, p.Dims = tensor.Float32, []Dim{{Size: 1}, {Size: len(p.Keys)}}
	}
	return p
}

// keys are the keys of a map, of integers or strings, as text.
func (p *nodeProto) keys(ints, strings string) []string {
	var keys []string
	for i := range p.attrs {
		switch a := &p.attrs[i]; a.name {
		case ints:
			for _, v := range a.ints {
				keys = append(keys, fmt.Sprint(v))
			}
		case strings:
			keys = append(keys, a.texts...)
		}
	}
	return keys
}
