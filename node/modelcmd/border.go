package modelcmd

import (
	"errors"
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

// hasBorder reports whether the model takes strings or maps, as classical models do: inside they are numbers, so the model is a graph.
func (m *model) hasBorder() bool {
	return slices.ContainsFunc(m.onnx.Inputs(), func(p onnx.Port) bool { return p.Keys != nil || p.Element == onnx.String })
}

// computeBorder runs such a model once, as a graph, or if it is not one (it changes the strings) in a session.
func (m *model) computeBorder(in map[string]onnx.Value) (map[string]onnx.Value, error) {
	words := m.onnx.Vocabulary()
	feeds, numbers := map[string]onnx.Feed{}, map[string]*tensor.Tensor{}
	for name, v := range in {
		t := v.Tensor
		if v.Text != nil {
			t = words.Encode(v.Text.Data, v.Text.Shape...)
		}
		if t == nil {
			return m.computeSession(in)
		}
		numbers[name], feeds[name] = t, onnx.Feed{DType: t.DType(), Shape: t.Shape()}
	}
	g, err := m.onnx.Specialise(feeds)
	if errors.Is(err, onnx.ErrUnsupported) {
		out, sessionErr := m.computeSession(in)
		if sessionErr != nil {
			return nil, err // of the two, what keeps it from being a graph
		}
		return out, nil
	} else if err != nil {
		return nil, err
	}
	p, err := exec.Compile(g)
	if err != nil {
		return nil, err
	}
	results, err := p.Run(numbers)
	if err != nil {
		return nil, err
	}
	out := map[string]onnx.Value{}
	for _, port := range m.onnx.Outputs() {
		v := onnx.Value{Tensor: results[port.Name]}
		if port.Element == onnx.String {
			list, err := words.Decode(v.Tensor)
			if err != nil {
				return nil, err
			}
			v = onnx.Value{Text: &onnx.Text{Shape: v.Tensor.Shape(), Data: list}}
		}
		out[port.Name] = v
	}
	return out, nil
}

func (m *model) computeSession(in map[string]onnx.Value) (map[string]onnx.Value, error) {
	s, err := m.onnx.NewSession(onnx.DefaultLimits)
	if err != nil {
		return nil, err
	}
	return s.Run(in)
}
