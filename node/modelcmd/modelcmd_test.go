package modelcmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

// write puts a model y = exp(x) into dir, as ONNX and as a graph, and returns both names.
func write(t *testing.T, dir string) (string, string) {
	b := graph.NewBuilder("exp")
	b.Output("y", b.Op("Exp", nil, b.Input("x", tensor.Float32, 2)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	file, err := onnx.Save(g)
	if err != nil {
		t.Fatal(err)
	}
	onnxFile, graphFile := filepath.Join(dir, "model.onnx"), filepath.Join(dir, "model.mutg")
	for name, data := range map[string][]byte{onnxFile: file, graphFile: graph.Encode(g)} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return onnxFile, graphFile
}

// TestRun runs one model from both formats: values and roots are the same.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	one, two := write(t, dir)
	input := filepath.Join(dir, "x.npy")
	if err := os.WriteFile(input, writeNPY(tensor.FromFloat32([]float32{0, 1}, 2)), 0o644); err != nil {
		t.Fatal(err)
	}
	var printed [2]bytes.Buffer
	for i, file := range []string{one, two} {
		if err := Run(RunOptions{File: file, Inputs: []string{"x=" + input}, Trace: true}, &printed[i]); err != nil {
			t.Fatal(err)
		}
	}
	text := printed[0].String()
	if text != printed[1].String() || !strings.Contains(text, "y  float32[2]  1 2.7182817") || !strings.Contains(text, "root of output y") {
		t.Errorf("printed\n%s\nand\n%s", text, printed[1].String())
	}
	var files bytes.Buffer
	if err := Run(RunOptions{File: one, Inputs: []string{"x=" + input}, Out: dir}, &files); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "y.npy"))
	if err != nil {
		t.Fatal(err)
	}
	if y, err := readNPY(b); err != nil || y.Tensor.Float32()[0] != 1 {
		t.Errorf("%v, %v", y, err)
	}
	for want, args := range map[string][]string{"want name=file": {"z=" + input}, "no such file": {"x=nowhere.npy"}, "must be given": nil, "ends in none": {"x=" + one}} {
		if err := Run(RunOptions{File: one, Inputs: args}, &files); err == nil || want != "must be given" && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want one with %q", args, err, want)
		}
	}
}

func TestInspect(t *testing.T) {
	one, two := write(t, t.TempDir())
	for _, file := range []string{one, two} {
		r, err := Inspect(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Runs || r.MACs != 32 || r.MemoryElements != 6 || r.Operators["Exp"] != 1 || len(r.Inputs) != 1 || r.Inputs[0].Shape[0] != "2" {
			t.Errorf("%s: %+v", file, r)
		}
	}
	if _, err := Inspect(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a missing file was inspected")
	}
}

// TestConformance tells a right output from a wrong one and from what is not supported.
func TestConformance(t *testing.T) {
	root := t.TempDir()
	input := tensor.Named{Name: "x", Tensor: tensor.FromFloat32([]float32{0, 1}, 2)}
	for name, y := range map[string][]float32{"right": {1, 2.7182817}, "close": {1, 2.7190}, "wrong": {1, 2.73}} {
		set := filepath.Join(root, name, "test_data_set_0")
		if err := os.MkdirAll(set, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, name))
		for file, data := range map[string][]byte{"input_0.pb": onnx.WriteTensor(input), "output_0.pb": onnx.WriteTensor(tensor.Named{Name: "y", Tensor: tensor.FromFloat32(y, 2)})} {
			if err := os.WriteFile(filepath.Join(set, file), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, filepath.Join(root, "right", "test_data_set_0")) // deeper folders are not tests
	if err := os.Mkdir(filepath.Join(root, "bare"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "bare"))
	r, err := Test([]string{root})
	if err != nil {
		t.Fatal(err)
	}
	if r.Passed != 2 || r.Mismatched != 1 || r.Unsupported != 1 {
		t.Errorf("%+v", r)
	}
	for _, c := range r.Cases {
		if c.Name == "wrong" && (c.Outcome != Mismatch || c.LargestError < 0.004 || c.LargestError > 0.005) {
			t.Errorf("%+v", c)
		}
	}
	if _, err := Test([]string{t.TempDir()}); err == nil {
		t.Error("an empty folder passed")
	}
}

// TestExport writes a graph as ONNX, once.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	_, file := write(t, dir)
	out := filepath.Join(dir, "exported.onnx")
	if err := Export(file, out, nil); err != nil {
		t.Fatal(err)
	}
	if r, err := Inspect(out, nil); err != nil || !r.Runs || r.Operators["Exp"] != 1 || r.Format != "onnx" {
		t.Errorf("%+v, %v", r, err)
	}
	if err := Export(file, out, nil); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("error %v, want one because the file exists", err)
	}
}

// TestClassicalModels runs models that scikit-learn and LightGBM trained, with strings as inputs and as labels, against the outputs of ONNX Runtime.
// tools/sklearn-peers.py wrote them.
func TestClassicalModels(t *testing.T) {
	r, err := Test([]string{filepath.Join("testdata", "sklearn")})
	if err != nil {
		t.Fatal(err)
	}
	if r.Passed != len(r.Cases) || r.Passed < 9 {
		t.Errorf("%d of %d pass: %+v", r.Passed, len(r.Cases), r.Cases)
	}
}
