package dryrun

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/mutirao/mutirao/examples"
)

// TestPreloadedModels trains the examples again: the models that `mutirao dev` begins with are these bytes.
func TestPreloadedModels(t *testing.T) {
	for name, least := range map[string]float32{"credit": 0.77, "diagnosis": 0.97} {
		want, err := examples.Files().ReadFile(name + "/model.graph")
		if err != nil {
			t.Fatal(err)
		}
		file := "../../examples/" + name + "/run.toml"
		out, onnx := filepath.Join(t.TempDir(), "model.graph"), filepath.Join(t.TempDir(), "model.onnx")
		r, err := TrainAlone(t.Context(), file, out, onnx, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("training gives other bytes than examples/%s/model.graph: %v", name, err)
		}
		if r.Accuracy < least {
			t.Errorf("report %+v", r)
		}
		if info, err := os.Stat(onnx); err != nil || info.Size() == 0 {
			t.Errorf("no ONNX file: %v", err)
		}
		if _, err := TrainAlone(t.Context(), file, out, "", io.Discard); err == nil {
			t.Error("a file was overwritten")
		}
	}
}
