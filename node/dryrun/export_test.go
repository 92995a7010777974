package dryrun

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mutirao/mutirao/engine/onnx"
)

// TestExportStep: the file is written once, holds operators of ONNX alone, and can be read again.
func TestExportStep(t *testing.T) {
	out := filepath.Join(t.TempDir(), "step.onnx")
	file := filepath.Join("..", "..", "examples", "diagnosis", "run.toml")
	if err := ExportStep(file, out); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Load(b)
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Specialise(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes {
		if n.Domain != "" {
			t.Errorf("node %s is of domain %s", n.Op, n.Domain)
		}
	}
	names := map[string]bool{}
	for _, v := range g.Outputs {
		names[v.Name] = true
	}
	if !names["loss"] || !names["next/fc1.weight"] || !names["next/m/fc1.weight"] {
		t.Errorf("outputs are %v", names)
	}
	if err := ExportStep(file, out); err == nil {
		t.Error("an existing file was replaced")
	}
}
