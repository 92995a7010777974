package onnx

import (
	"math"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// textInterpreters compute with strings.
var textInterpreters = map[string]interpreter{
	"StringNormalizer": (*step).normalizeText, "StringConcat": (*step).concatText, "StringSplit": (*step).splitText,
	"RegexFullMatch": (*step).matchText,
}

// textMovers copy strings as they would numbers, and Equal compares them.
var textMovers = slices.Concat(wordMovers, []string{"Equal", "ScatterElements", "ScatterND", "ReverseSequence"})

// either computes a node of the static graph on numbers, or on strings in their place.
func (s *step) either(p *nodeProto, in []Value) []Value {
	strings := slices.ContainsFunc(in, func(v Value) bool { return v.Text != nil })
	switch {
	case p.op == "Cast" && isStandard(p.domain) && len(in) == 1:
		if to := attribute(p.attrs, "to"); strings || to != nil && to.integer == int64(String) {
			return []Value{s.castText(in[0], to)}
		}
	case p.op == "CastLike" && isStandard(p.domain) && len(in) == 2 && strings:
		to := &attrProto{integer: int64(String)}
		if in[1].Tensor != nil {
			to.integer = int64(in[1].element())
		}
		return []Value{s.castText(in[0], to)}
	case !strings || !isStandard(p.domain):
	case p.op == "Shape" || p.op == "Size":
		return s.static(p, []Value{{Tensor: s.new(tensor.Bool, in[0].shape()...)}})
	case slices.Contains(textMovers, p.op):
		return s.move(p, in)
	default:
		unsupported("strings")
	}
	return s.static(p, in)
}

// move computes a node on the places of the strings in a sorted list of all of them, which takes no account of what they are.
func (s *step) move(p *nodeProto, in []Value) []Value {
	list := s.sorted(in...)
	places := slices.Clone(in)
	for i, v := range in {
		if v.Text != nil {
			places[i] = Value{Tensor: s.places(v.Text, list)}
		}
	}
	out := s.static(p, places)
	if p.op == "Equal" {
		return out
	}
	for i, v := range out {
		if v.Tensor != nil {
			out[i] = Value{Text: s.textAt(v.Tensor, list)}
		}
	}
	return out
}

// sorted lists the strings of some tensors, each once.
func (s *step) sorted(in ...Value) []string {
	var list []string
	for _, v := range in {
		if v.Text != nil {
			s.hold(8 * len(v.Text.Data))
			s.spend(64 * len(v.Text.Data))
			list = append(list, v.Text.Data...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// places are the positions of strings in a sorted list that holds them.
func (s *step) places(t *Text, list []string) *tensor.Tensor {
	out := s.new(tensor.Int64, t.Shape...)
	for i, v := range t.Data {
		out.Int64()[i] = int64(sort.SearchStrings(list, v))
	}
	return out
}

// textAt are the strings at positions of a list.
func (s *step) textAt(t *tensor.Tensor, list []string) *Text {
	s.hold(4 * t.Len())
	out := &Text{Shape: t.Shape(), Data: make([]string, t.Len())}
	for i, at := range t.Int64() {
		out.Data[i] = list[at]
	}
	return out
}

// castText writes numbers as decimals, floats with as few digits as give them back, or reads them.
func (s *step) castText(v Value, to *attrProto) Value {
	switch {
	case to == nil:
		invalid("attribute \"to\" is missing")
	case v.Text != nil && to.integer == int64(String):
		return v
	case v.Text != nil:
		return s.parsed(v.Text, to)
	case v.Tensor == nil:
		invalid("input 0 is %v, want a tensor", v)
	}
	t := v.Tensor
	s.hold(8 * t.Len())
	out := &Text{Shape: t.Shape(), Data: make([]string, t.Len())}
	switch t.DType() {
	case tensor.Float32:
		for i, x := range t.Float32() {
			out.Data[i] = formatFloat(x)
		}
	case tensor.Bool:
		for i, x := range t.Bool() {
			out.Data[i] = map[bool]string{true: "True", false: "False"}[x]
		}
	default:
		for i, x := range s.asInt64(t).Int64() {
			if v.element() == Uint64 {
				out.Data[i] = strconv.FormatUint(uint64(x), 10)
				continue
			}
			out.Data[i] = strconv.FormatInt(x, 10)
		}
	}
	return Value{Text: out}
}

// formatFloat is the shortest decimal that reads as x again, with an exponent below 1e-4 and from 1e16 on, as NumPy writes it.
func formatFloat(x float32) string {
	switch a := math.Abs(float64(x)); {
	case x != x:
		return "NaN"
	case math.IsInf(float64(x), 0):
		return map[bool]string{true: "INF", false: "-INF"}[x > 0]
	case a != 0 && (a < 1e-4 || a >= 1e16):
		return strconv.FormatFloat(float64(x), 'e', -1, 32)
	}
	text := strconv.FormatFloat(float64(x), 'f', -1, 32)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// parsed reads decimals: floats rounded once to float32, integers exactly. Text that is no number is an error.
func (s *step) parsed(t *Text, to *attrProto) Value {
	e, err := elementOf(to.integer)
	must(err)
	dt := tensor.DType(tensor.Int64)
	if e.isFloat() {
		dt = tensor.Float32
	}
	out := s.new(dt, t.Shape...)
	for i, text := range t.Data {
		text = strings.TrimSpace(text)
		s.spend(16 + len(text))
		var err error
		if dt == tensor.Int64 {
			out.Int64()[i], err = strconv.ParseInt(text, 10, 64)
		} else {
			var x float64
			x, err = strconv.ParseFloat(text, 32)
			if math.IsInf(x, 0) {
				err = nil // out of range, which rounds to infinity
			}
			out.Float32()[i] = float32(x)
		}
		if err != nil {
			invalid("element %d %.40q is no number", i, text)
		}
	}
	if dt == tensor.Float32 {
		kernel.Canonicalize(out.Float32())
	}
	p := &nodeProto{op: "Cast", inputs: []string{"x"}, outputs: []string{"y"}, attrs: []attrProto{{name: "to", kind: kindInt, integer: to.integer}}}
	return s.static(p, []Value{{Tensor: out}})[0]
}

// normalizeText drops stop words and changes the case of the others. What is left of no words is one empty word.
func (s *step) normalizeText() []Value {
	t := s.texts(0)
	if r := len(t.Shape); r != 1 && !(r == 2 && t.Shape[0] == 1) {
		invalid("input of shape %v, want [words] or [1 words]", t.Shape)
	}
	change := func(w string) string { return w }
	switch action := s.attr("case_change_action"); {
	case action == nil || action.text == "NONE":
	case action.text == "LOWER":
		change = strings.ToLower
	case action.text == "UPPER":
		change = strings.ToUpper
	default:
		invalid("case_change_action %q", action.text)
	}
	same := func(w string) string { return w }
	if s.whole("is_case_sensitive", 0) == 0 {
		same = strings.ToLower
	}
	stops := map[string]bool{}
	if a := s.attr("stopwords"); a != nil {
		for _, w := range a.texts {
			stops[same(w)] = true
		}
	}
	kept := []string{}
	for _, w := range t.Data {
		s.hold(4 + len(w))
		if !stops[same(w)] {
			kept = append(kept, change(w))
		}
	}
	if len(kept) == 0 {
		kept = append(kept, "")
	}
	shape := slices.Clone(t.Shape)
	shape[len(shape)-1] = len(kept)
	return []Value{{Text: &Text{shape, kept}}}
}

// concatText joins strings pair by pair, with broadcasting.
func (s *step) concatText() []Value {
	a, b := s.texts(0), s.texts(1)
	at := func(t *Text, other *Text) *tensor.Tensor {
		index := s.new(tensor.Int64, t.Shape...)
		for i := range index.Int64() {
			index.Int64()[i] = int64(i)
		}
		zeros := s.new(tensor.Int64, other.Shape...)
		return s.static(&nodeProto{op: "Add", inputs: []string{"a", "b"}, outputs: []string{"y"}}, []Value{{Tensor: index}, {Tensor: zeros}})[0].Tensor
	}
	x, y := at(a, b), at(b, a)
	out := &Text{Shape: x.Shape(), Data: make([]string, x.Len())}
	for i := range out.Data {
		u, v := a.Data[x.Int64()[i]], b.Data[y.Int64()[i]]
		s.hold(4 + (len(u)+len(v))/4)
		out.Data[i] = u + v
	}
	return []Value{{Text: out}}
}

// splitText cuts strings at a delimiter, or at white space, into at most maxsplit + 1 parts. Rows that are shorter end with empty strings.
func (s *step) splitText() []Value {
	t := s.texts(0)
	delimiter, parts := "", -1 // no bound
	if a := s.attr("delimiter"); a != nil {
		delimiter = a.text
	}
	if a := s.attr("maxsplit"); a != nil && a.integer >= 0 {
		parts = s.whole("maxsplit", 0) + 1
	}
	rows, width := make([][]string, len(t.Data)), 0
	counts := s.new(tensor.Int64, t.Shape...)
	for i, text := range t.Data {
		s.hold(4 + len(text)) // as many parts as bytes at most
		if delimiter == "" {
			rows[i] = fields(text, parts)
		} else {
			rows[i] = strings.SplitN(text, delimiter, parts)
		}
		width = max(width, len(rows[i]))
		counts.Int64()[i] = int64(len(rows[i]))
	}
	shape := append(slices.Clone(t.Shape), width)
	n, err := tensor.Elements(shape, graph.MaxElements)
	if err != nil {
		unsupported("%v", err)
	}
	s.hold(4 * n)
	out := &Text{Shape: shape, Data: make([]string, n)}
	for i, row := range rows {
		copy(out.Data[i*width:], row)
	}
	return []Value{{Text: out}, {Tensor: counts}}
}

// fields cuts text at runs of white space, into at most that many fields if the bound is not negative.
func fields(text string, bound int) []string {
	var list []string
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	for text != "" {
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end < 0 || len(list) == bound-1 {
			return append(list, text)
		}
		list = append(list, text[:end])
		text = strings.TrimLeftFunc(text[end:], unicode.IsSpace)
	}
	return list
}

// maxPattern bounds a regular expression, in bytes.
const maxPattern = 1 << 12

// matchText says of each string whether a pattern in RE2's syntax matches all of it.
func (s *step) matchText() []Value {
	t, a := s.texts(0), s.attr("pattern")
	if a == nil || len(a.text) > maxPattern {
		invalid("pattern is missing or longer than %d bytes", maxPattern)
	}
	pattern, err := regexp.Compile(`\A(?:` + a.text + `)\z`)
	if err != nil {
		invalid("pattern: %v", err)
	}
	out := s.new(tensor.Bool, t.Shape...)
	for i, text := range t.Data {
		s.spend(64 * (1 + len(text)) * (1 + len(a.text))) // RE2 is linear in both
		out.Bool()[i] = pattern.MatchString(text)
	}
	return []Value{{Tensor: out}}
}
