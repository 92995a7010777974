package optim

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// reference is testdata/optimizers.json, which testdata/optimizers.py writes with PyTorch in float64.
type reference struct {
	Shapes    map[string][]int
	Params    map[string][]float64
	Gradients []map[string][]float64
	After     map[string][]map[string][]float64 // by optimizer, after each step
}

const (
	referenceRate  = 0.02
	referenceDecay = 0.1
	referenceClip  = 3
)

var referenceAdamW = Hyper{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: referenceDecay, Clip: referenceClip}

// appenders are the optimizers by their names in the reference and in run files.
var appenders = map[string]func(*graph.Builder, []graph.Value, map[string]string){
	"adamw": func(b *graph.Builder, p []graph.Value, g map[string]string) { AppendAdamW(b, p, g, referenceAdamW) },
	"sgd": func(b *graph.Builder, p []graph.Value, g map[string]string) {
		AppendSGD(b, p, g, SGD{Momentum: 0.9, WeightDecay: referenceDecay, Clip: referenceClip})
	},
	"nesterov": func(b *graph.Builder, p []graph.Value, g map[string]string) {
		AppendSGD(b, p, g, SGD{Momentum: 0.9, WeightDecay: referenceDecay, Clip: referenceClip, Nesterov: true})
	},
	"muon": func(b *graph.Builder, p []graph.Value, g map[string]string) {
		AppendMuon(b, p, g, IsMatrix, Muon{Hyper: referenceAdamW, Momentum: 0.95})
	},
	"adafactor": func(b *graph.Builder, p []graph.Value, g map[string]string) {
		AppendAdafactor(b, p, g, Adafactor{Eps: 1e-8, WeightDecay: referenceDecay, Clip: referenceClip})
	},
}

// TestAgainstPyTorch follows the reference's steps. The polynomial of Muon is steep, so that binary32 shows there more.
func TestAgainstPyTorch(t *testing.T) {
	file, err := os.ReadFile("testdata/optimizers.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(file, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.After) != len(appenders) {
		t.Errorf("the reference has %d optimizers, there are %d", len(r.After), len(appenders))
	}
	var names []string
	for name := range r.Shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	for optimizer, appendTo := range appenders {
		b := graph.NewBuilder(optimizer)
		var params []graph.Value
		gradients := map[string]string{}
		in := map[string]*tensor.Tensor{}
		for _, name := range names {
			shape := r.Shapes[name]
			b.Input(name, tensor.Float32, shape...)
			gradients[name] = string(b.Input("grad/"+name, tensor.Float32, shape...))
			params = append(params, graph.Value{Name: name, DType: tensor.Float32, Shape: shape})
			in[name] = narrow(r.Params[name], shape)
		}
		appendTo(b, params, gradients)
		program, state := compileStep(t, b, in)
		for step, g := range r.Gradients {
			for _, name := range names {
				in["grad/"+name] = narrow(g[name], r.Shapes[name])
			}
			in[LearningRate] = tensor.Scalar(referenceRate)
			out, err := program.Run(in)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range state {
				in[name] = out[Next+name]
			}
			for _, name := range names {
				for i, want := range r.After[optimizer][step][name] {
					if got := float64(in[name].Float32()[i]); !(math.Abs(got-want) <= 4e-6*(1+math.Abs(want))) {
						t.Errorf("%s, step %d: %s[%d] is %v, want %v", optimizer, step, name, i, got, want)
					}
				}
			}
		}
	}
}

// compileStep compiles a step and puts the first state into in. It returns the names of what the step passes on.
func compileStep(t *testing.T, b *graph.Builder, in map[string]*tensor.Tensor) (p *exec.Program, state []string) {
	t.Helper()
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if p, err = exec.Compile(g); err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Outputs {
		name, ok := strings.CutPrefix(v.Name, Next)
		if !ok {
			continue
		}
		state = append(state, name)
		if in[name] == nil {
			in[name] = tensor.New(v.DType, v.Shape...)
			for i := range in[name].Float32() {
				in[name].Float32()[i] = Initial(name)
			}
		}
	}
	return p, state
}

func narrow(x []float64, shape []int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i, v := range x {
		t.Float32()[i] = float32(v)
	}
	return t
}
