package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/tensor"
)

func session(t testing.TB, s sketch, limits Limits) *Session {
	t.Helper()
	ses, err := s.model(t).NewSession(limits)
	if err != nil {
		t.Fatal(err)
	}
	return ses
}

func numeric(t *tensor.Tensor) Value { return Value{Tensor: t} }
func floatsOf(v ...float32) *tensor.Tensor {
	return tensor.FromFloat32(v, len(v))
}
func words(v ...string) Value { return Value{Text: &Text{[]int{len(v)}, v}} }

// runOf runs a model once.
func runOf(t testing.TB, s sketch, in map[string]Value) map[string]Value {
	t.Helper()
	out, err := session(t, s, DefaultLimits).Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sameBits reports whether two values have the same types, shapes and elements.
func sameBits(a, b Value) bool {
	switch {
	case a.String() != b.String():
		return false
	case a.Tensor != nil:
		return string(a.Tensor.Bytes()) == string(b.Tensor.Bytes())
	case a.Text != nil:
		return slices.Equal(a.Text.Data, b.Text.Data)
	}
	return slices.EqualFunc(a.Sequence, b.Sequence, sameBits)
}

// deviation fills a tensor with numbers whose sums round.
func deviation(seed int, shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.Float32() {
		x.Float32()[i] = float32((i*7919+seed*104729)%2003)/997 - 1
	}
	return x
}

// recurrence is a Loop of a small network with a state, a weight of the outer graph and a row for each step; the trip count is "trips".
func recurrence() sketch {
	body := sketch{
		inputs: []string{"i", "going", "state"}, outputs: []string{"on", "next", "row"},
		nodes: []sketchNode{
			{op: "Identity", in: "going", out: "on"}, {op: "Gather", in: "x i", out: "xi"}, {op: "Concat", in: "xi state", out: "both", attrs: []any{"axis", 0}},
			{op: "MatMul", in: "both w", out: "product"}, {op: "Tanh", in: "product", out: "next"}, {op: "Softmax", in: "next", out: "row"},
		},
	}
	return sketch{
		inputs: []string{"x float32 6 5", "s float32 4"}, outputs: []string{"last", "rows"},
		nodes:     []sketchNode{{op: "Loop", in: "trips _ s", out: "last rows", attrs: []any{"body", body}}},
		constants: []tensor.Named{{Name: "trips", Tensor: ints(6)}, {Name: "w", Tensor: deviation(1, 9, 4)}},
	}
}

// TestSessionBits compares a Loop and a Scan that are written out, in a graph and in a program of a session, with one that is interpreted.
func TestSessionBits(t *testing.T) {
	for name, s := range map[string]sketch{"recurrence": recurrence(), "powers": powers(), "prefixes": prefixes()} {
		in, given := map[string]Value{}, map[string]*tensor.Tensor{}
		for i, p := range s.model(t).Inputs() {
			var shape []int
			for _, d := range p.Dims {
				shape = append(shape, d.Size)
			}
			given[p.Name] = deviation(i, shape...)
			in[p.Name] = numeric(given[p.Name])
		}
		g, err := s.model(t).Specialise(nil)
		if err != nil {
			t.Fatal(err)
		}
		want := compute(t, g, given)
		unrolled := runOf(t, s, in)
		interpreted := s
		if s.constants[0].Name == "trips" { // an input instead
			interpreted.inputs = append(slices.Clone(s.inputs), "trips int64 1")
			interpreted.constants = s.constants[1:]
			in["trips"] = numeric(s.constants[0].Tensor)
		} else { // a Scan of unknown state
			interpreted.inputs = append(slices.Clone(s.inputs), "zero float32 2")
			interpreted.constants = nil
			in["zero"] = numeric(s.constants[0].Tensor)
		}
		ses := session(t, interpreted, DefaultLimits)
		ses.unrolls = 0
		for range 2 { // the second time from the cache
			got, err := ses.Run(in)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for out, w := range want {
				if !sameBits(got[out], numeric(w)) || !sameBits(unrolled[out], numeric(w)) {
					t.Errorf("%s: %s is %v interpreted, %v in a program, %v in a graph", name, out, got[out].Tensor.Float32(), unrolled[out].Tensor.Float32(), w.Float32())
				}
			}
		}
	}
}

// TestSessionStatic: a model without anything dynamic is one program for each shape, and the bits are those of its graph.
func TestSessionStatic(t *testing.T) {
	m, err := Load(saved(t))
	if err != nil {
		t.Fatal(err)
	}
	ses, err := m.NewSession(DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	x := deviation(3, 2, 3, 4)
	got, err := ses.Run(map[string]Value{"x": numeric(x)})
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range compute(t, example(t), map[string]*tensor.Tensor{"x": x}) {
		if !sameBits(got[name], numeric(w)) {
			t.Errorf("%s differs", name)
		}
	}
	if n := ses.cache.order.Len(); n != 1 {
		t.Errorf("%d segments, want one program", n)
	}
}

func saved(t testing.TB) []byte {
	b, err := Save(example(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSessionShapes: one program for each shape, and the least used ones are forgotten.
func TestSessionShapes(t *testing.T) {
	s := sketch{inputs: []string{"x"}, outputs: []string{"y"}, nodes: []sketchNode{{op: "MatMul", in: "x w", out: "h"}, {op: "Relu", in: "h", out: "y"}},
		constants: []tensor.Named{{Name: "w", Tensor: deviation(0, 3, 2)}}}
	ses := session(t, s, DefaultLimits)
	for round := range 2 {
		for rows := 1; rows <= maxSegments+10; rows++ {
			x := deviation(rows, rows, 3)
			out, err := ses.Run(map[string]Value{"x": numeric(x)})
			if err != nil {
				t.Fatal(err)
			}
			if y := out["y"].Tensor; !slices.Equal(y.Shape(), []int{rows, 2}) {
				t.Fatalf("shape %v of %d rows in round %d", y.Shape(), rows, round)
			}
		}
	}
	if n := ses.cache.order.Len(); n != maxSegments || len(ses.main.start.segments) != n || len(ses.cache.at) != n {
		t.Errorf("%d segments are kept, %d of the state", n, len(ses.main.start.segments))
	}
}

// TestSessionChoice takes the branch that an input names; branches see values of the graph around them and of the one around that.
func TestSessionChoice(t *testing.T) {
	inner := sketch{outputs: []string{"r"}, nodes: []sketchNode{{op: "Add", in: "h x", out: "r"}}}
	other := sketch{outputs: []string{"r"}, nodes: []sketchNode{{op: "SequenceConstruct", in: "x h", out: "list"}, {op: "ConcatFromSequence", in: "list", out: "r", attrs: []any{"axis", 0}}}}
	outer := sketch{outputs: []string{"r"}, nodes: []sketchNode{{op: "Neg", in: "x", out: "h"}, {op: "Mul", in: "h h", out: "h2"},
		{op: "If", in: "b", out: "inside", attrs: []any{"then_branch", inner, "else_branch", other}}, {op: "Identity", in: "inside", out: "r"}}}
	s := sketch{inputs: []string{"x float32 2", "a bool 1", "b bool 1"}, outputs: []string{"y"},
		nodes: []sketchNode{{op: "If", in: "a", out: "y", attrs: []any{"then_branch", outer, "else_branch", sketch{outputs: []string{"x2"}, nodes: []sketchNode{{op: "Abs", in: "x", out: "x2"}}}}}}}
	for _, c := range []struct {
		a, b bool
		want []float32
	}{{false, false, []float32{3, 4}}, {true, true, []float32{0, 0}}, {true, false, []float32{3, -4, -3, 4}}} {
		out := runOf(t, s, map[string]Value{"x": numeric(floatsOf(3, -4)), "a": numeric(tensor.FromBool([]bool{c.a}, 1)), "b": numeric(tensor.FromBool([]bool{c.b}, 1))})
		if got := out["y"].Tensor.Float32(); !slices.Equal(got, c.want) {
			t.Errorf("%v %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// TestSessionDecoder generates tokens until one of them ends the loop: a growing list of keys, a choice of the best, a condition.
func TestSessionDecoder(t *testing.T) {
	body := sketch{
		inputs: []string{"i", "going", "token", "keys"}, outputs: []string{"on", "next", "more", "token_out"},
		nodes: []sketchNode{
			{op: "Gather", in: "embedding token", out: "e"}, {op: "Concat", in: "keys e", out: "more", attrs: []any{"axis", 0}},
			{op: "ReduceMean", in: "more", out: "mean", attrs: []any{"axes", []int{0}, "keepdims", 1}}, {op: "MatMul", in: "mean head", out: "scores"},
			{op: "ArgMax", in: "scores", out: "next", attrs: []any{"axis", 1, "keepdims", 0}}, {op: "Equal", in: "next stop", out: "stopped"}, {op: "Not", in: "stopped", out: "on0"},
			{op: "Squeeze", in: "on0", out: "on"}, {op: "Identity", in: "next", out: "token_out"},
		},
	}
	s := sketch{
		inputs: []string{"token int64 1", "keys"}, outputs: []string{"tokens", "all"},
		nodes: []sketchNode{{op: "Loop", in: "most _ token keys", out: "last all tokens", attrs: []any{"body", body}}},
		constants: []tensor.Named{{Name: "most", Tensor: ints(50)}, {Name: "stop", Tensor: ints(3)}, {Name: "embedding", Tensor: deviation(5, 7, 4)},
			{Name: "head", Tensor: deviation(8, 4, 7)}},
	}
	out := runOf(t, s, map[string]Value{"token": numeric(ints(1)), "keys": numeric(tensor.New(tensor.Float32, 0, 4))})
	tokens := out["tokens"].Tensor.Int64()
	n := len(tokens)
	if keys := out["all"].Tensor; n < 2 || n > 50 || !slices.Equal(keys.Shape(), []int{n, 4}) || n < 50 && tokens[n-1] != 3 {
		t.Errorf("tokens %v, keys %v", tokens, keys.Shape())
	}
}

// TestSessionSequences makes and takes apart sequences and optionals.
func TestSessionSequences(t *testing.T) {
	double := sketch{inputs: []string{"e"}, outputs: []string{"d"}, nodes: []sketchNode{{op: "Add", in: "e e", out: "d"}}}
	s := sketch{
		inputs: []string{"x float32 5 2", "lengths int64 2"}, outputs: []string{"length", "second", "joined", "stacked", "has", "not", "none", "doubled", "first", "list"},
		nodes: []sketchNode{
			{op: "SplitToSequence", in: "x lengths", out: "list", attrs: []any{"axis", 0}}, {op: "SequenceLength", in: "list", out: "length"},
			{op: "SequenceAt", in: "list minus", out: "second"}, {op: "SequenceInsert", in: "list second zero", out: "longer"},
			{op: "ConcatFromSequence", in: "longer", out: "joined", attrs: []any{"axis", 0}}, {op: "SequenceErase", in: "longer one", out: "twice"},
			{op: "ConcatFromSequence", in: "twice", out: "stacked", attrs: []any{"axis", -1, "new_axis", 1}}, {op: "Optional", in: "x", out: "some"}, {op: "Optional", out: "none"},
			{op: "OptionalHasElement", in: "some", out: "has"}, {op: "OptionalHasElement", in: "none", out: "not"}, {op: "OptionalGetElement", in: "some", out: "got"},
			{op: "SplitToSequence", in: "got", out: "rows", attrs: []any{"keepdims", 0}}, {op: "SequenceMap", in: "rows", out: "doubles", attrs: []any{"body", double}},
			{op: "SequenceAt", in: "doubles zero", out: "doubled"}, {op: "SequenceEmpty", out: "empty"}, {op: "SequenceInsert", in: "empty x", out: "filled"}, {op: "SequenceAt", in: "filled zero", out: "first"},
		},
		constants: []tensor.Named{{Name: "minus", Tensor: ints(-1).Reshape()}, {Name: "zero", Tensor: ints(0).Reshape()}, {Name: "one", Tensor: ints(1).Reshape()}},
	}
	x := tensor.FromFloat32([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 5, 2)
	out := runOf(t, s, map[string]Value{"x": numeric(x), "lengths": numeric(ints(3, 2))})
	for name, want := range map[string]Value{
		"length": numeric(ints(2).Reshape()), "second": numeric(tensor.FromFloat32([]float32{6, 7, 8, 9}, 2, 2)),
		"joined":  numeric(tensor.FromFloat32([]float32{6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 7, 2)),
		"stacked": numeric(tensor.FromFloat32([]float32{6, 6, 7, 7, 8, 8, 9, 9}, 2, 2, 2)),
		"has":     numeric(tensor.FromBool([]bool{true})), "not": numeric(tensor.FromBool([]bool{false})), "none": {},
		"doubled": numeric(tensor.FromFloat32([]float32{0, 2}, 2)), "first": numeric(x),
		"list": {Sequence: []Value{numeric(tensor.FromFloat32([]float32{0, 1, 2, 3, 4, 5}, 3, 2)), numeric(tensor.FromFloat32([]float32{6, 7, 8, 9}, 2, 2))}},
	} {
		if !sameBits(out[name], want) {
			t.Errorf("%s is %v, want %v", name, out[name], want)
		}
	}
}

// TestSessionSelection: sizes that depend on data, and what follows from them, also when nothing is left.
func TestSessionSelection(t *testing.T) {
	s := sketch{
		inputs: []string{"x float32 4", "c bool 4"}, outputs: []string{"places", "kept", "twice", "total", "rows", "most", "different", "first", "inverse", "counts"},
		nodes: []sketchNode{
			{op: "NonZero", in: "x", out: "places"}, {op: "Compress", in: "x c", out: "kept"}, {op: "Add", in: "kept kept", out: "twice"},
			{op: "ReduceSum", in: "kept", out: "total", attrs: []any{"keepdims", 0}}, {op: "Shape", in: "twice", out: "n"}, {op: "Gather", in: "table n", out: "rows"},
			{op: "ReduceMax", in: "kept", out: "most", attrs: []any{"keepdims", 1}}, {op: "Unique", in: "x", out: "different first inverse counts"},
		},
		constants: []tensor.Named{{Name: "table", Tensor: floatsOf(10, 11, 12, 13, 14)}},
	}
	ses := session(t, s, DefaultLimits)
	low := float32(math.Inf(-1))
	for _, c := range []struct {
		x           []float32
		c           []bool
		places      []int64
		kept, twice []float32
		total, rows float32
		most        float32
		different   []float32
		inverse     []int64
	}{
		{[]float32{1, 0, -2, 1}, []bool{true, false, true, false}, []int64{0, 2, 3}, []float32{1, -2}, []float32{2, -4}, -1, 12, 1, []float32{-2, 0, 1}, []int64{2, 1, 0, 2}},
		{[]float32{0, 0, 0, 0}, []bool{false, false, false, false}, []int64{}, []float32{}, []float32{}, 0, 10, low, []float32{0}, []int64{0, 0, 0, 0}},
	} {
		out, err := ses.Run(map[string]Value{"x": numeric(floatsOf(c.x...)), "c": numeric(tensor.FromBool(c.c, 4))})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]Value{
			"places": numeric(tensor.FromInt64(c.places, 1, len(c.places))), "kept": numeric(floatsOf(c.kept...)), "twice": numeric(floatsOf(c.twice...)),
			"total": numeric(tensor.Scalar(c.total)), "rows": numeric(floatsOf(c.rows)), "most": numeric(floatsOf(c.most)),
			"different": numeric(floatsOf(c.different...)), "inverse": numeric(ints(c.inverse...)),
		} {
			if !sameBits(out[name], want) {
				t.Errorf("%s of %v is %v, want %v", name, c.x, out[name].Tensor, want.Tensor)
			}
		}
	}
}

// TestNonMaxSuppression takes boxes of two classes: the first class keeps two, the second drops what is below the threshold.
func TestNonMaxSuppression(t *testing.T) {
	s := sketch{
		inputs: []string{"boxes", "scores", "most int64 1"}, outputs: []string{"taken"},
		nodes:     []sketchNode{{op: "NonMaxSuppression", in: "boxes scores most iou least", out: "taken"}},
		constants: []tensor.Named{{Name: "iou", Tensor: floatsOf(0.5)}, {Name: "least", Tensor: floatsOf(0.4)}},
	}
	boxes := tensor.FromFloat32([]float32{0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 11, 10, 10, 11, 10, 10.1, 11, 11.1, 0, 100, 1, 101}, 1, 6, 4)
	scores := tensor.FromFloat32([]float32{0.9, 0.75, 0.6, 0.95, 0.5, 0.3, 0.1, 0.5, 0.5, 0.4, 0.2, 0.45}, 1, 2, 6)
	in := map[string]Value{"boxes": numeric(boxes), "scores": numeric(scores), "most": numeric(ints(3))}
	want := tensor.FromInt64([]int64{0, 0, 3, 0, 0, 0, 0, 1, 1, 0, 1, 5}, 4, 3)
	if got := runOf(t, s, in)["taken"]; !sameBits(got, numeric(want)) {
		t.Errorf("%v, want %v", got.Tensor.Int64(), want.Int64())
	}
	in["most"] = numeric(ints(0))
	if got := runOf(t, s, in)["taken"]; !slices.Equal(got.Tensor.Shape(), []int{0, 3}) {
		t.Errorf("none may be taken, but %v are", got)
	}
}

// TestSessionText computes with strings.
func TestSessionText(t *testing.T) {
	s := sketch{
		inputs: []string{"x"}, outputs: []string{"lower", "joined", "parts", "counts", "match", "value", "back", "reversed", "same", "distinct", "ranks", "grams"},
		nodes: []sketchNode{
			{op: "StringNormalizer", in: "x", out: "lower", attrs: []any{"case_change_action", "LOWER", "stopwords", []string{"THE"}}},
			{op: "StringConcat", in: "x x", out: "joined"}, {op: "StringSplit", in: "x", out: "parts counts", attrs: []any{"delimiter", "."}},
			{op: "RegexFullMatch", in: "x", out: "match", attrs: []any{"pattern", `\d+\.\d+`}}, {op: "Slice", in: "x two three", out: "digits"},
			{op: "Cast", in: "digits", out: "value", attrs: []any{"to", 1}}, {op: "Cast", in: "value", out: "back", attrs: []any{"to", 8}},
			{op: "Gather", in: "x order", out: "reversed"}, {op: "Equal", in: "x reversed", out: "same"}, {op: "Unique", in: "joined", out: "distinct _ ranks"},
			{op: "TfIdfVectorizer", in: "x", out: "grams", attrs: []any{"max_gram_length", 2, "min_gram_length", 1, "max_skip_count", 1, "mode", "TFIDF", "ngram_counts", []int{0, 1},
				"ngram_indexes", []int{2, 0}, "pool_strings", []string{"The", "The", "2.50"}, "weights", []float32{2, 0.5}}},
		},
		constants: []tensor.Named{{Name: "two", Tensor: ints(2)}, {Name: "three", Tensor: ints(3)}, {Name: "order", Tensor: ints(2, 1, 0)}},
	}
	out := runOf(t, s, map[string]Value{"x": words("The", "Cat", "2.50")})
	for name, want := range map[string]Value{
		"lower": words("cat", "2.50"), "joined": words("TheThe", "CatCat", "2.502.50"), "parts": {Text: &Text{[]int{3, 2}, []string{"The", "", "Cat", "", "2", "50"}}},
		"counts": numeric(ints(1, 1, 2)), "match": numeric(tensor.FromBool([]bool{false, false, true}, 3)), "value": numeric(floatsOf(2.5)), "back": words("2.5"),
		"reversed": words("2.50", "Cat", "The"), "same": numeric(tensor.FromBool([]bool{false, true, false}, 3)), "distinct": words("2.502.50", "CatCat", "TheThe"),
		"ranks": numeric(ints(2, 1, 0)), "grams": numeric(floatsOf(0.5, 0, 2)),
	} {
		if !sameBits(out[name], want) {
			t.Errorf("%s is %v %v, want %v %v", name, out[name].Tensor, out[name].Text, want.Tensor, want.Text)
		}
	}
}

// growth is a Loop that never ends and in each iteration applies a node to its state.
func growth(state string, start sketchNode, grow ...sketchNode) sketch {
	body := sketch{inputs: []string{"i", "going", "s"}, outputs: []string{"going", "t"}, nodes: grow}
	return sketch{inputs: []string{"x float32 8"}, outputs: []string{"y"}, nodes: []sketchNode{start, {op: "Loop", in: "_ _ " + state, out: "y", attrs: []any{"body", body}}},
		constants: []tensor.Named{{Name: "word", Tensor: floatsOf(1)}}}
}

// hostile are models that would take all time or memory.
func hostile() map[string]sketch {
	keep := sketchNode{op: "Identity", in: "x", out: "s0"}
	empty := sketchNode{op: "SequenceEmpty", out: "s0"}
	text := sketchNode{op: "Cast", in: "x", out: "s0", attrs: []any{"to", 8}}
	inner := sketch{inputs: []string{"i", "going"}, outputs: []string{"going"}}
	var nested []sketchNode
	for range 6 {
		nested = []sketchNode{{op: "Loop", in: "many _", out: "", attrs: []any{"body", inner}}}
		inner = sketch{inputs: []string{"i", "going"}, outputs: []string{"going", "r"}, nodes: []sketchNode{{op: "Loop", in: "many _", out: "r", attrs: []any{"body", sketch{inputs: []string{"i", "going"}, outputs: []string{"going", "i"}}}}}}
	}
	nested[0].out = "y"
	return map[string]sketch{
		"endless":          growth("s0", keep, sketchNode{op: "Neg", in: "s", out: "t"}),
		"doubling tensor":  growth("s0", keep, sketchNode{op: "Concat", in: "s s", out: "t", attrs: []any{"axis", 0}}),
		"longer sequence":  growth("s0", empty, sketchNode{op: "SequenceInsert", in: "s x", out: "t"}),
		"sequence of sums": growth("s0", empty, sketchNode{op: "Cast", in: "i", out: "f", attrs: []any{"to", 1}}, sketchNode{op: "Add", in: "x f", out: "u"}, sketchNode{op: "SequenceInsert", in: "s u", out: "t"}),
		"doubling string":  growth("s0", text, sketchNode{op: "StringConcat", in: "s s", out: "t"}),
		"rows":             {inputs: []string{"x float32 8"}, outputs: []string{"y"}, nodes: []sketchNode{{op: "Loop", in: "_ _", out: "y", attrs: []any{"body", sketch{inputs: []string{"i", "going"}, outputs: []string{"going", "x"}}}}}},
		"nested":           {inputs: []string{"x float32 8"}, outputs: []string{"y"}, nodes: nested, constants: []tensor.Named{{Name: "many", Tensor: ints(math.MaxInt64)}}},
	}
}

// TestSessionLimits stops what would not end.
func TestSessionLimits(t *testing.T) {
	for name, s := range hostile() {
		_, err := session(t, s, Limits{Work: 1 << 28, Elements: 1 << 16}).Run(map[string]Value{"x": numeric(floatsOf(1, 2, 3, 4, 5, 6, 7, 8))})
		if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "(Loop): ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestSessionErrors names the node and what is wrong with it.
func TestSessionErrors(t *testing.T) {
	one := func(n sketchNode) sketch {
		return sketch{inputs: []string{"x", "i"}, outputs: []string{"y"}, nodes: []sketchNode{n},
			constants: []tensor.Named{{Name: "c", Tensor: tensor.FromBool([]bool{true, false}, 2)}, {Name: "k", Tensor: ints(9)}}}
	}
	list := Value{Sequence: []Value{numeric(floatsOf(1))}}
	for _, c := range []struct {
		s    sketch
		x, i Value
		kind error
		want string
	}{
		{one(sketchNode{op: "SequenceAt", in: "x i", out: "y"}), list, numeric(ints(1)), exec.ErrIndex, `node "SequenceAt 0" (SequenceAt): index out of range: position 1, the last one is 0`},
		{one(sketchNode{op: "SequenceAt", in: "x i", out: "y"}), numeric(floatsOf(1)), numeric(ints(0)), ErrInvalid, "input 0 is float32[1], want a sequence"},
		{one(sketchNode{op: "Neg", in: "x", out: "y"}), list, Value{}, ErrUnsupported, `node "Neg 0" (Neg): not supported: input 0 is a sequence of 1`},
		{one(sketchNode{op: "Gather", in: "x i", out: "y"}), numeric(floatsOf(1)), numeric(ints(5)), exec.ErrIndex, `node "Gather 0/Gather_0" (Gather)`},
		{one(sketchNode{op: "If", in: "c", out: "y"}), list, Value{}, ErrInvalid, "want one bool"},
		{one(sketchNode{op: "OptionalGetElement", in: "x", out: "y"}), Value{}, Value{}, ErrInvalid, "the optional is empty"},
		{one(sketchNode{op: "Nonsense", in: "x", out: "y"}), list, Value{}, ErrUnsupported, "operator Nonsense"},
		{one(sketchNode{op: "Add", in: "x i", out: "y"}), words("a"), words("b"), ErrUnsupported, `node "Add 0" (Add): not supported: strings`},
		{one(sketchNode{op: "Cast", in: "x", out: "y", attrs: []any{"to", 1}}), words("1", "one"), Value{}, ErrInvalid, `element 1 "one" is no number`},
		{one(sketchNode{op: "Loop", in: "k _", out: "y"}), list, Value{}, ErrInvalid, `attribute "body" holds no graph`},
		{one(sketchNode{op: "NonMaxSuppression", in: "x i", out: "y"}), numeric(floatsOf(1)), numeric(ints(5)), ErrInvalid, "want float32 [batches boxes 4]"},
		{one(sketchNode{op: "Reshape", in: "x i", out: "y"}), numeric(floatsOf(1)), numeric(ints(5)), ErrUnsupported, `node "Reshape 0" (Reshape): not supported`},
	} {
		_, err := session(t, c.s, DefaultLimits).Run(map[string]Value{"x": c.x, "i": c.i})
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "node ") > 2 {
			t.Errorf("error %v, want %v with %q", err, c.kind, c.want)
		}
	}
	if _, err := session(t, one(sketchNode{op: "Neg", in: "x", out: "y"}), DefaultLimits).Run(nil); err == nil || !strings.Contains(err.Error(), `input "x" is missing`) {
		t.Errorf("error %v", err)
	}
	unknown := one(sketchNode{op: "Neg", in: "z", out: "y"})
	if _, err := unknown.model(t).NewSession(DefaultLimits); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `node "Neg 0" (Neg): invalid ONNX: value "z" is unknown`) {
		t.Errorf("error %v", err)
	}
}

// FuzzSession: whatever the file, a run ends with outputs or an error, within its limits.
func FuzzSession(f *testing.F) {
	f.Add(saved(f))
	for _, s := range hostile() {
		f.Add(s.file())
	}
	f.Add(recurrence().file())
	f.Add(powers().file())
	f.Add(prefixes().file())
	for i, op := range Interpreted() {
		s := sketch{inputs: []string{"x float32 2 2", "i int64 1"}, outputs: []string{"y", "list"}, nodes: []sketchNode{
			{op: "SequenceConstruct", in: "x x", out: "list"}, {op: op, in: "list i i i", out: "y"}}}
		f.Add(s.file())
		s.nodes = []sketchNode{{op: "Cast", in: "x", out: "list", attrs: []any{"to", 8}}, {op: op, in: "list x", out: "y", attrs: []any{"axis", i % 3, "pattern", "a*", "delimiter", "1"}}}
		f.Add(s.file())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Load(b)
		if err != nil {
			return
		}
		s, err := m.NewSession(Limits{Work: 1 << 26, Elements: 1 << 16})
		if err != nil {
			return
		}
		in := map[string]Value{}
		for _, p := range m.Inputs() {
			shape, n := []int{}, 1
			for _, d := range p.Dims {
				shape = append(shape, min(d.Size, 8))
				n *= min(d.Size, 8)
			}
			switch {
			case n > 1<<12 || len(shape) > 8:
				return
			case p.Element == String:
				in[p.Name] = Value{Text: &Text{shape, slices.Repeat([]string{"a b"}, n)}}
			case p.DType != 0:
				in[p.Name] = Value{Tensor: tensor.New(p.DType, shape...), Element: p.Element}
			default:
				in[p.Name] = Value{Sequence: []Value{numeric(floatsOf(1, 2))}}
			}
		}
		out, err := s.Run(in)
		if err == nil && len(out) == 0 {
			t.Fatal("no outputs")
		}
		_ = fmt.Sprint(out, err)
	})
}

// TestSessionNothing: what operators make of nothing, and how nothing comes about.
func TestSessionNothing(t *testing.T) {
	none := tensor.New(tensor.Float32, 0, 3)
	row := tensor.FromFloat32([]float32{1, 2, 3}, 1, 3)
	scalar := func(v int64) *tensor.Tensor { return ints(v).Reshape() }
	for i, c := range []struct {
		n     sketchNode
		in    []*tensor.Tensor
		shape []int
		want  []float32 // nil where nothing is left
	}{
		{sketchNode{op: "Concat", in: "a b", attrs: []any{"axis", 0}}, []*tensor.Tensor{none, row}, []int{1, 3}, []float32{1, 2, 3}},
		{sketchNode{op: "Concat", in: "a b", attrs: []any{"axis", 0}}, []*tensor.Tensor{none, none}, []int{0, 3}, nil},
		{sketchNode{op: "Compress", in: "a b", attrs: []any{"axis", 1}}, []*tensor.Tensor{row, tensor.New(tensor.Bool, 3)}, []int{1, 0}, nil},
		{sketchNode{op: "TopK", in: "a b"}, []*tensor.Tensor{row, ints(0)}, []int{1, 0}, nil},
		{sketchNode{op: "Range", in: "a b c"}, []*tensor.Tensor{tensor.Scalar(3), tensor.Scalar(1), tensor.Scalar(1)}, []int{0}, nil},
		{sketchNode{op: "Expand", in: "a b"}, []*tensor.Tensor{row, ints(0, 3)}, []int{0, 3}, nil},
		{sketchNode{op: "Tile", in: "a b"}, []*tensor.Tensor{row, ints(0, 2)}, []int{0, 6}, nil},
		{sketchNode{op: "Slice", in: "a b c"}, []*tensor.Tensor{row, ints(1), ints(9)}, []int{0, 3}, nil},
		{sketchNode{op: "Slice", in: "a b c d"}, []*tensor.Tensor{none, ints(1), ints(3), ints(1)}, []int{0, 2}, nil},
		{sketchNode{op: "Gather", in: "a b", attrs: []any{"axis", 1}}, []*tensor.Tensor{row, ints()}, []int{1, 0}, nil},
		{sketchNode{op: "Gather", in: "a b", attrs: []any{"axis", 1}}, []*tensor.Tensor{none, ints(2, 0)}, []int{0, 2}, nil},
		{sketchNode{op: "GatherND", in: "a b"}, []*tensor.Tensor{row, tensor.New(tensor.Int64, 0, 2)}, []int{0}, nil},
		{sketchNode{op: "ScatterND", in: "a b c"}, []*tensor.Tensor{row, tensor.New(tensor.Int64, 0, 2), tensor.New(tensor.Float32, 0)}, []int{1, 3}, []float32{1, 2, 3}},
		{sketchNode{op: "Reshape", in: "a b"}, []*tensor.Tensor{none, ints(0, 7)}, []int{0, 7}, nil},
		{sketchNode{op: "Unsqueeze", in: "a b"}, []*tensor.Tensor{none, ints(0)}, []int{1, 0, 3}, nil},
		{sketchNode{op: "Transpose", in: "a"}, []*tensor.Tensor{none}, []int{3, 0}, nil},
		{sketchNode{op: "MatMul", in: "a b"}, []*tensor.Tensor{none, tensor.New(tensor.Float32, 3, 2)}, []int{0, 2}, nil},
		{sketchNode{op: "MatMul", in: "a b"}, []*tensor.Tensor{tensor.New(tensor.Float32, 2, 0), none}, []int{2, 3}, []float32{0, 0, 0, 0, 0, 0}},
		{sketchNode{op: "Gemm", in: "a b"}, []*tensor.Tensor{none, tensor.New(tensor.Float32, 3, 2)}, []int{0, 2}, nil},
		{sketchNode{op: "Add", in: "a b"}, []*tensor.Tensor{none, row}, []int{0, 3}, nil},
		{sketchNode{op: "Where", in: "a b c"}, []*tensor.Tensor{tensor.New(tensor.Bool, 0, 1), row, none}, []int{0, 3}, nil},
		{sketchNode{op: "Softmax", in: "a"}, []*tensor.Tensor{none}, []int{0, 3}, nil},
		{sketchNode{op: "LayerNormalization", in: "a b"}, []*tensor.Tensor{none, floatsOf(1, 1, 1)}, []int{0, 3}, nil},
		{sketchNode{op: "Conv", in: "a b"}, []*tensor.Tensor{tensor.New(tensor.Float32, 0, 2, 5, 5), tensor.New(tensor.Float32, 4, 2, 3, 3)}, []int{0, 4, 3, 3}, nil},
		{sketchNode{op: "ReduceMax", in: "a", attrs: []any{"axes", []int{0}, "keepdims", 0}}, []*tensor.Tensor{none}, []int{3}, []float32{float32(math.Inf(-1)), float32(math.Inf(-1)), float32(math.Inf(-1))}},
		{sketchNode{op: "ReduceSum", in: "a b"}, []*tensor.Tensor{none, ints(1)}, []int{0, 1}, nil},
		{sketchNode{op: "NonZero", in: "a"}, []*tensor.Tensor{none}, []int{2, 0}, nil},
		{sketchNode{op: "ArgMax", in: "a", attrs: []any{"axis", 1}}, []*tensor.Tensor{none}, []int{0, 1}, nil},
		{sketchNode{op: "CumSum", in: "a b"}, []*tensor.Tensor{none, scalar(0)}, []int{0, 3}, nil},
		{sketchNode{op: "Unique", in: "a"}, []*tensor.Tensor{none}, []int{0}, nil},
		{sketchNode{op: "Cast", in: "a", attrs: []any{"to", 7}}, []*tensor.Tensor{none}, []int{0, 3}, nil},
	} {
		n := c.n
		n.out = "y"
		if n.op == "TopK" {
			n.out = "y places"
		}
		s := sketch{inputs: blanks(n.in), outputs: []string{"y"}, nodes: []sketchNode{n}}
		in := map[string]Value{}
		for j, name := range s.inputs {
			in[name] = numeric(c.in[j])
		}
		out, err := session(t, s, DefaultLimits).Run(in)
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		if y := out["y"].Tensor; !slices.Equal(y.Shape(), c.shape) || c.want != nil && !slices.Equal(y.Float32(), c.want) {
			t.Errorf("%d: %s gives %v %v, want %v %v", i, n.op, y.Shape(), y, c.shape, c.want)
		}
	}
}
