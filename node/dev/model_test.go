package dev

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/examples"
	"github.com/mutirao/mutirao/node/callable"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// TestModelsBecomeRows reads the preloaded models as the registry does: of ONNX with pictures for inputs, too. A picture of a
// zero is one.
func TestModelsBecomeRows(t *testing.T) {
	list, err := models(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]int{"diagnosis": {30, 1}, "credit": {16, 1}, "digits": {64, 10}}
	for _, d := range list {
		m, _, _, err := registry.Deposit(d, nil, protocol.Account{1}, protocol.Env{})
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
			continue
		}
		if got := [2]int{m.Callable.Inputs, m.Callable.Outputs}; got != want[d.Name] {
			t.Errorf("%s takes and gives %v, want %v", d.Name, got, want[d.Name])
		}
	}
	g, err := graph.Decode(list[2].Artifact)
	if err != nil {
		t.Fatal(err)
	}
	p, err := exec.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	zero := []float32{0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0, 0, 3, 15, 2, 0, 11, 8, 0, 0, 4, 12, 0, 0, 8, 8, 0,
		0, 5, 8, 0, 0, 9, 8, 0, 0, 4, 11, 0, 1, 12, 7, 0, 0, 2, 14, 5, 10, 12, 0, 0, 0, 0, 6, 13, 10, 0, 0, 0}
	for i := range zero {
		zero[i] /= 16
	}
	out, err := p.Run(map[string]*tensor.Tensor{g.Inputs[0].Name: tensor.FromFloat32(zero, 1, 64)})
	if err != nil {
		t.Fatal(err)
	}
	if probabilities := out[g.Outputs[0].Name].Float32(); probabilities[0] < 0.9 {
		t.Errorf("probabilities %v", probabilities)
	}
}

// TestFilesAreChecked: what no contract could call is refused with a reason.
func TestFilesAreChecked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "risk.onnx")
	raw, err := examples.Files().ReadFile("digits/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := modelOf(file); err != nil || m.Name != "risk" {
		t.Errorf("%q: %v", m.Name, err)
	}
	for n := range len(raw) / 97 {
		if _, err := callable.Artifact("m.onnx", raw[:97*n]); err == nil {
			if _, err := registry.DepositID(raw[:97*n], protocol.Account{1}); err == nil {
				t.Errorf("%d bytes of it are a model", 97*n)
			}
		}
	}
	if _, err := models([]string{filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a missing file is a model")
	}
}
