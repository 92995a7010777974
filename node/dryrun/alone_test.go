package dryrun

import (
	"bytes"
	"io"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/mutirao/mutirao/examples"
)

// TestExampleModels trains the examples again: the models that `mutirao dev` begins with, and the one of the walk-through about
// crops, are these bytes.
func TestExampleModels(t *testing.T) {
	for file, least := range map[string]float32{"credit/model.graph": 0.77, "diagnosis/model.graph": 0.97, "crops/maize.graph": 0.88} {
		name := path.Dir(file)
		want, err := examples.Files().ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		recipe := "../../examples/" + name + "/run.toml"
		out, onnx := filepath.Join(t.TempDir(), "model.graph"), filepath.Join(t.TempDir(), "model.onnx")
		r, err := TrainAlone(t.Context(), recipe, out, onnx, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("training gives other bytes than examples/%s: %v", file, err)
		}
		if r.Accuracy < least {
			t.Errorf("report %+v", r)
		}
		if info, err := os.Stat(onnx); err != nil || info.Size() == 0 {
			t.Errorf("no ONNX file: %v", err)
		}
		if _, err := TrainAlone(t.Context(), recipe, out, "", io.Discard); err == nil {
			t.Error("a file was overwritten")
		}
	}
}
