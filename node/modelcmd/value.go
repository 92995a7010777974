package modelcmd

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

// compute runs the model once.
func compute(m *model, in map[string]onnx.Value) (map[string]onnx.Value, error) {
	if m.onnx != nil {
		if m.hasBorder() {
			return m.computeBorder(in)
		}
		return m.computeSession(in)
	}
	g, err := exec.Optimize(m.graph)
	if err != nil {
		return nil, err
	}
	p, err := exec.Compile(g)
	if err != nil {
		return nil, err
	}
	given := map[string]*tensor.Tensor{}
	for name, v := range in {
		given[name] = v.Tensor
	}
	results, err := p.Run(given)
	out := map[string]onnx.Value{}
	for name, t := range results {
		out[name] = onnx.Value{Tensor: t}
	}
	return out, err
}

// readValue reads an input from JSON: nested lists of numbers, truth values or strings, or the object that a map is.
func readValue(b []byte, p onnx.Port) (onnx.Value, error) {
	switch {
	case len(b) > maxJSON:
		return onnx.Value{}, fmt.Errorf("%d bytes of JSON, at most %d are read", len(b), maxJSON)
	case p.Keys != nil:
		return readMap(b, p.Keys)
	case p.Element == onnx.String:
		return readStrings(b)
	}
	dt := p.DType
	if dt == 0 {
		dt = tensor.Float32
	}
	t, err := readJSON(b, dt)
	if err != nil {
		return onnx.Value{}, err
	}
	return carried(onnx.Value{Tensor: t}, p)
}

// maxJSON is the longest text that is read; what it becomes in memory is several times as long.
const maxJSON = 1 << 28

// readMap reads an object of numbers as a row with a place for each key. Keys that the model does not know are an error.
func readMap(b []byte, keys []string) (onnx.Value, error) {
	var m map[string]float32
	if err := json.Unmarshal(b, &m); err != nil {
		return onnx.Value{}, err
	}
	row := make([]float32, len(keys))
	found := 0
	for i, k := range keys {
		if v, ok := m[k]; ok {
			row[i] = v
			found++
		}
	}
	if found != len(m) {
		return onnx.Value{}, fmt.Errorf("%d keys, of which the model knows %d of %.200q", len(m), found, keys)
	}
	return onnx.Value{Tensor: tensor.FromFloat32(row, 1, len(row))}, nil
}

// readObject reads inputs by name from an object. It returns nil if b is no object, or the map that the only input is.
func readObject(b []byte, ports []onnx.Port) (map[string]onnx.Value, error) {
	if len(b) > maxJSON {
		return nil, fmt.Errorf("%d bytes of JSON, at most %d are read", len(b), maxJSON)
	}
	var object map[string]json.RawMessage
	if len(ports) == 1 && ports[0].Keys != nil || json.Unmarshal(b, &object) != nil || object == nil {
		return nil, nil
	}
	in := map[string]onnx.Value{}
	for _, p := range ports {
		raw, ok := object[p.Name]
		if !ok {
			continue
		}
		delete(object, p.Name)
		v, err := readValue(raw, p)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", p.Name, err)
		}
		in[p.Name] = v
	}
	for name := range object {
		return nil, fmt.Errorf("the model has no input %.80q; it has %s", name, names(ports))
	}
	return in, nil
}

// readStrings reads nested lists of strings.
func readStrings(b []byte) (onnx.Value, error) {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return onnx.Value{}, err
	}
	t := &onnx.Text{}
	for at := v; ; {
		list, ok := at.([]any)
		if !ok {
			break
		}
		if t.Shape = append(t.Shape, len(list)); len(list) == 0 || len(t.Shape) > graph.MaxRank {
			return onnx.Value{}, fmt.Errorf("lists of lengths %v", t.Shape)
		}
		at = list[0]
	}
	var flat []any
	if err := flatten(v, t.Shape, &flat); err != nil {
		return onnx.Value{}, err
	}
	for i, x := range flat {
		s, ok := x.(string)
		if !ok {
			return onnx.Value{}, fmt.Errorf("element %d: %v is no string", i, x)
		}
		t.Data = append(t.Data, s)
	}
	return onnx.Value{Text: t}, nil
}

// part is a tensor of an input or output, by the name under which it is shown: that of a sequence's elements is "name[0]", "name[1]", ….
type part struct {
	name string
	onnx.Value
}

// parts are the tensors that v consists of; an empty optional, as an empty sequence, has none.
func parts(name string, v onnx.Value) []part {
	if v.None() {
		return nil
	}
	if v.Sequence == nil {
		return []part{{name, v}}
	}
	var list []part
	for i, e := range v.Sequence {
		list = append(list, parts(fmt.Sprintf("%s[%d]", name, i), e)...)
	}
	return list
}

// differ says how got is not want, and the largest relative error.
func differ(got, want onnx.Value, relative float64) (string, float64) {
	if fmt.Sprint(got) != fmt.Sprint(want) && (want.Tensor == nil || got.Tensor == nil) {
		return fmt.Sprintf("is %v, want %v", got, want), math.MaxFloat64
	}
	switch {
	case want.Tensor != nil:
		return differTensors(got.Tensor, want.Tensor, relative)
	case want.Text != nil:
		for i, w := range want.Text.Data {
			if g := got.Text.Data[i]; g != w {
				return fmt.Sprintf("element %d is %.40q, want %.40q", i, g, w), math.MaxFloat64
			}
		}
	}
	for i, w := range want.Sequence {
		if why, worst := differ(got.Sequence[i], w, relative); why != "" {
			return fmt.Sprintf("element %d %s", i, why), worst
		}
	}
	return "", 0
}

// shown is the beginning of the elements of a tensor.
func shown(v onnx.Value, n int) string {
	length := 0
	var text string
	if v.Text != nil {
		length = len(v.Text.Data)
		text = fmt.Sprintf("%.200q", v.Text.Data[:min(n, length)])
	} else {
		length = v.Tensor.Len()
		text = fmt.Sprintf("%v", firstValues(v.Tensor, n))
	}
	text = strings.Trim(text, "[]")
	if length > n {
		text += " …"
	}
	return text
}
