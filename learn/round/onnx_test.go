package round

import (
	"bytes"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/model"
)

// TestArtifactAsONNX writes a published model as an ONNX file and reads it again: it must give the same bits for held-out patients.
func TestArtifactAsONNX(t *testing.T) {
	trainer := diagnosis(t, nil)
	p, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := trainer.Artifact(p.Theta)
	if err != nil {
		t.Fatal(err)
	}
	file, err := onnx.Save(artifact)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Specialise(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		x := make([]float32, 30)
		trainer.set.Row(x, trainer.split.HeldAt(i))
		var out [2][]byte
		for j, g := range []*graph.Graph{artifact, again} {
			program, err := exec.Compile(g)
			if err != nil {
				t.Fatal(err)
			}
			y, err := program.Run(map[string]*tensor.Tensor{model.Features: tensor.FromFloat32(x, 1, 30)})
			if err != nil {
				t.Fatal(err)
			}
			out[j] = y[model.Probability].Bytes()
		}
		if len(out[0]) == 0 || !bytes.Equal(out[0], out[1]) {
			t.Errorf("record %d: %x, after ONNX %x", i, out[0], out[1])
		}
	}
}
