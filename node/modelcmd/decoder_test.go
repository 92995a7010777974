package modelcmd

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
)

// decoder is a model of testdata that takes and gives its keys and values (tools/onnx-decoders.py).
type decoder struct {
	name    string
	kvHeads int
	size    int  // of a head
	places  bool // it has an input position_ids
}

// run runs tokens lo to hi after what is in the cache, nil for nothing, and returns the outputs.
func (d decoder) run(t *testing.T, cache map[string]*tensor.Tensor, tokens []int64, lo, hi int) map[string]*tensor.Tensor {
	t.Helper()
	dir := t.TempDir()
	o := RunOptions{File: filepath.Join("testdata", d.name+".onnx"), Out: filepath.Join(dir, "out")}
	feed := func(name string, x *tensor.Tensor) {
		file := filepath.Join(dir, name+".npy")
		if err := os.WriteFile(file, writeNPY(x), 0o644); err != nil {
			t.Fatal(err)
		}
		o.Inputs = append(o.Inputs, name+"="+file)
	}
	feed("input_ids", tensor.FromInt64(tokens[lo:hi], 1, hi-lo))
	if d.places {
		at := tensor.New(tensor.Int64, 1, hi-lo)
		for i := range at.Int64() {
			at.Int64()[i] = int64(lo + i)
		}
		feed("position_ids", at)
	}
	for layer := range 2 {
		for _, what := range []string{"key", "value"} {
			past := cache[fmt.Sprintf("present.%d.%s", layer, what)]
			if past == nil {
				past = tensor.New(tensor.Float32, 1, d.kvHeads, 0, d.size)
			}
			feed(fmt.Sprintf("past.%d.%s", layer, what), past)
		}
	}
	if err := Run(o, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*tensor.Tensor{}
	for _, f := range files {
		out[strings.TrimSuffix(f.Name(), ".npy")] = readTestFile(t, filepath.Join(o.Out, f.Name()))
	}
	return out
}

func readTestFile(t *testing.T, file string) *tensor.Tensor {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	x, err := readNPY(b)
	if err != nil {
		t.Fatal(err)
	}
	return x.Tensor
}

// TestDecodersKeepBits runs decoders as exporters write them: the whole sequence at once, in two chunks, and a prefix then token by token
// with the keys and values of the run before. Logits and caches have the same bits, and the logits are those of ONNX Runtime.
func TestDecodersKeepBits(t *testing.T) {
	tokens := []int64{3, 1, 4, 1, 5, 9, 2, 6}
	for _, d := range []decoder{{"tiny-gpt2", 2, 8, false}, {"tiny-llama", 2, 4, true}} {
		whole := d.run(t, nil, tokens, 0, len(tokens))
		for _, ends := range [][]int{{5, 8}, {3, 4, 5, 6, 7, 8}, {1, 2, 8}} {
			var cache map[string]*tensor.Tensor
			var logits []byte
			lo := 0
			for _, hi := range ends {
				cache = d.run(t, cache, tokens, lo, hi)
				logits = append(logits, cache["logits"].Bytes()...)
				lo = hi
			}
			for name, want := range whole {
				got := cache[name].Bytes()
				if name == "logits" {
					got = logits
				}
				if !bytes.Equal(got, want.Bytes()) {
					t.Errorf("%s in parts up to %v: %s differs", d.name, ends, name)
				}
			}
		}
		theirs := readTestFile(t, filepath.Join("testdata", d.name+".logits.npy")).Float32()
		for i, v := range whole["logits"].Float32() {
			if diff := math.Abs(float64(v - theirs[i])); !(diff <= 1e-5) {
				t.Fatalf("%s: logit %d is %v, ONNX Runtime has %v", d.name, i, v, theirs[i])
			}
		}
	}
}
