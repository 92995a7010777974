package modelcmd

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
)

// classifier writes a model of two classes that tells the sign of the sum of eight numbers, and records with their classes.
func classifier(t *testing.T, records int) (model, inputs, labels string) {
	t.Helper()
	dir := t.TempDir()
	b := graph.NewBuilder("sign")
	x := b.Input("x", tensor.Float32, 1, 8)
	w := tensor.New(tensor.Float32, 8, 2)
	for i := range 8 {
		w.Float32()[2*i], w.Float32()[2*i+1] = -0.5, 0.5
	}
	b.Output("y", b.Op("MatMul", nil, x, b.Initializer("w", w)))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	file, err := onnx.Save(g)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	data, classes := tensor.New(tensor.Float32, records, 8), tensor.New(tensor.Int64, records)
	for i := range records {
		sum := float32(0)
		for j := range 8 {
			v := float32(r.NormFloat64())
			data.Float32()[8*i+j] = v
			sum += v
		}
		if sum > 0 {
			classes.Int64()[i] = 1
		}
	}
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("sign.onnx", file), write("x.npy", writeNPY(data)), write("y.npy", writeNPY(classes))
}

func TestQuantize(t *testing.T) {
	model, inputs, labels := classifier(t, 200)
	out := filepath.Join(filepath.Dir(model), "small.onnx")
	o := QuantizeOptions{File: model, Out: out, Inputs: []string{"x=" + inputs}, Labels: labels, Batch: 1}
	r, err := Quantize(o)
	if err != nil {
		t.Fatal(err)
	}
	c := r.Changes[0]
	if r.Quantized != 1 || r.Calibrated != 100 || r.Compared != 100 || c.AccuracyBefore == nil || *c.AccuracyBefore != 1 || *c.Accuracy < 0.95 || *c.Decibels < 25 {
		t.Errorf("%+v, %+v", r, c)
	}
	var text bytes.Buffer
	if err := r.Print(&text); err != nil || !strings.Contains(text.String(), "accuracy") || !strings.Contains(text.String(), "1 products of 8-bit integers") {
		t.Errorf("%v:\n%s", err, &text)
	}
	i, err := Inspect(out, nil)
	if err != nil || !i.Runs || i.Operators["MatMulInteger"] != 1 {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := Quantize(o); err == nil || !strings.Contains(err.Error(), "cannot write") {
		t.Errorf("a file is overwritten: %v", err)
	}
}

func TestQuantizeExplainsMistakes(t *testing.T) {
	model, inputs, labels := classifier(t, 3)
	for _, c := range []struct {
		name string
		o    QuantizeOptions
		want string
	}{
		{"no samples", QuantizeOptions{Batch: 1}, "there are no samples"},
		{"another input", QuantizeOptions{Batch: 1, Inputs: []string{"z=" + inputs}}, "want name=file with a name of x"},
		{"too few", QuantizeOptions{Batch: 2, Inputs: []string{"x=" + inputs}}, "want at least 4"},
		{"batch", QuantizeOptions{Inputs: []string{"x=" + inputs}}, "want at least 1"},
		{"labels of another kind", QuantizeOptions{Batch: 1, Inputs: []string{"x=" + inputs}, Labels: inputs}, "want integers"},
		{"missing file", QuantizeOptions{Batch: 1, Inputs: []string{"x=" + labels + ".npy"}}, "cannot read input x"},
	} {
		c.o.File, c.o.Out = model, filepath.Join(t.TempDir(), "out.onnx")
		_, err := Quantize(c.o)
		var f *failure.Error
		if err == nil || !errors.As(err, &f) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := os.Stat(c.o.Out); err == nil {
			t.Errorf("%s: a file was written", c.name)
		}
	}
}
