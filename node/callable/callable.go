// Package callable makes of a model's file what contracts call: a graph of one row of float32 in and one out, in the form in which the
// ledger keeps it. It reads ONNX files and graphs as `mutirao train alone` writes them.
package callable

import (
	"path"

	"github.com/mutirao/mutirao/engine/graph"
)

// Artifact is what the registry keeps of a file, of which the name says the form.
func Artifact(file string, content []byte) ([]byte, error) {
	if path.Ext(file) != ".onnx" {
		return content, nil
	}
	g, err := fromONNX(content)
	if err != nil {
		return nil, err
	}
	return graph.Encode(g), nil
}
