package optim

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

var exported = flag.String("export", "", "folder that TestStandardStep writes ONNX files, inputs and losses to, for tools/onnx-step.sh")

const standardSteps = 20

// TestStandardStep: 20 steps of a training step in ONNX's own operators have the losses of the step itself, up to rounding.
func TestStandardStep(t *testing.T) {
	for _, n := range []net{perceptron(16, 20, 24), convolutional(4, 8, 4, 8), decoder(2, 16, 32, 2, 2)} {
		for optimizer, appendTo := range appenders {
			if n.name != "mlp" && optimizer != "adamw" {
				continue
			}
			b, gradients := n.loss(t)
			appendTo(b.Builder, b.params, gradients)
			g, err := b.Graph()
			if err != nil {
				t.Fatal(err)
			}
			plain, err := onnx.Standard(g)
			if err != nil {
				t.Fatal(err)
			}
			first := map[string]*tensor.Tensor{LearningRate: tensor.Scalar(referenceRate / 4)}
			for _, v := range g.Inputs {
				if b.feed[v.Name] != nil {
					first[v.Name] = b.feed[v.Name]
				} else if first[v.Name] == nil {
					first[v.Name] = tensor.New(v.DType, v.Shape...)
					for i := range first[v.Name].Float32() {
						first[v.Name].Float32()[i] = Initial(v.Name)
					}
				}
			}
			want, got := losses(t, g, first), losses(t, plain, first)
			if !(want[standardSteps-1] < want[0]) {
				t.Errorf("%s, %s: the loss goes from %v to %v", n.name, optimizer, want[0], want[standardSteps-1])
			}
			for i := range want {
				if !(math.Abs(float64(got[i]-want[i])) <= 1e-4*float64(want[i])) {
					t.Errorf("%s, %s, step %d: loss %v, in standard form %v", n.name, optimizer, i, want[i], got[i])
				}
			}
			if *exported != "" {
				export(t, filepath.Join(*exported, n.name+"-"+optimizer), plain, first, want)
			}
		}
	}
}

// losses runs a step again and again on what it puts out.
func losses(t *testing.T, g *graph.Graph, first map[string]*tensor.Tensor) []float32 {
	t.Helper()
	p, err := exec.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]*tensor.Tensor{}
	for name, x := range first {
		in[name] = x
	}
	var list []float32
	for range standardSteps {
		out, err := p.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, out["loss"].Float32()[0])
		for name, x := range out {
			if next, ok := strings.CutPrefix(name, Next); ok {
				in[next] = x
			}
		}
	}
	return list
}

// export writes a folder in the layout of ONNX's backend tests, and the losses one a line.
func export(t *testing.T, dir string, g *graph.Graph, in map[string]*tensor.Tensor, losses []float32) {
	t.Helper()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "test_data_set_0"), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := onnx.Save(g)
	if err != nil {
		t.Fatal(err)
	}
	write("model.onnx", file)
	for i, v := range g.Inputs {
		write(fmt.Sprintf("test_data_set_0/input_%d.pb", i), onnx.WriteTensor(tensor.Named{Name: v.Name, Tensor: in[v.Name]}))
	}
	var text strings.Builder
	for _, loss := range losses {
		fmt.Fprintln(&text, loss)
	}
	write("losses.txt", []byte(text.String()))
}
