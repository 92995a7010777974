// Package modelcmd looks at model files, runs them and checks the engine against tests of others: the work of `mutirao model`. A file
// is ONNX, or a graph in the network's own encoding (spec/graph.md).
package modelcmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/node/failure"
)

// model is a file of either kind.
type model struct {
	onnx  *onnx.Model  // nil for a graph of ours
	graph *graph.Graph // nil for ONNX
}

func load(path string) (*model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	var magic [4]byte
	n, _ := f.Read(magic[:])
	f.Close()
	if n == 4 && bytes.Equal(magic[:], []byte("MUTG")) {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, unreadable(path, err)
		}
		g, err := graph.Decode(b)
		if err != nil {
			return nil, unreadable(path, err)
		}
		return &model{graph: g}, nil
	}
	m, err := onnx.LoadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return &model{onnx: m}, nil
}

func unreadable(path string, err error) error {
	code := failure.General
	if errors.Is(err, fs.ErrNotExist) {
		code = failure.NotFound
	}
	return failure.New(code, "cannot read "+path, err, "give a model in ONNX's format, or a graph that this program wrote")
}

// inputs are what the model wants.
func (m *model) inputs() []onnx.Port {
	if m.onnx != nil {
		return m.onnx.Inputs()
	}
	var ports []onnx.Port
	for _, v := range m.graph.Inputs {
		p := onnx.Port{Name: v.Name, Type: v.DType.String(), Element: onnx.Element(v.DType), DType: v.DType, Dims: []onnx.Dim{}}
		for _, d := range v.Shape {
			p.Dims = append(p.Dims, onnx.Dim{Size: d})
		}
		ports = append(ports, p)
	}
	return ports
}

// specialise makes the graph for inputs.
func (m *model) specialise(feeds map[string]onnx.Feed) (*graph.Graph, error) {
	if m.onnx != nil {
		return m.onnx.Specialise(feeds)
	}
	for _, v := range m.graph.Inputs {
		if f, ok := feeds[v.Name]; ok && (f.DType != v.DType || fmt.Sprint(f.Shape) != fmt.Sprint(v.Shape)) {
			return nil, fmt.Errorf("input %q is %v%v, want %v%v", v.Name, f.DType, f.Shape, v.DType, v.Shape)
		}
	}
	return m.graph, nil
}
