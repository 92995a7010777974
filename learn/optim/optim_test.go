package optim

import (
	"math"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

var hyper = Hyper{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Clip: 1}

// step compiles an AdamW step whose gradients are graph inputs called g and h.
func step(t *testing.T) *exec.Program {
	b := graph.NewBuilder("step")
	params := []graph.Value{{Name: "w", DType: tensor.Float32, Shape: []int{3}}, {Name: "x", DType: tensor.Float32, Shape: []int{1}}}
	for _, p := range params {
		b.Input(p.Name, p.DType, p.Shape...)
	}
	b.Input("g", tensor.Float32, 3)
	b.Input("h", tensor.Float32, 1)
	AppendAdamW(b, params, map[string]string{"w": "g", "x": "h"}, hyper)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	p, err := exec.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAdamW follows three steps in float64 by the textbook: clipping, bias correction by powers,
// decoupled decay. Binary32 must stay within its precision of it.
func TestAdamW(t *testing.T) {
	program := step(t)
	w, x := []float64{1, -2, 3}, []float64{0.5}
	gradients := [][]float64{{0.1, -0.2, 0.3, 0.05}, {3, 4, 0, 12}, {0, 0, 0, 0}} // norms 0.38, 13, 0
	const lr = 0.01
	m, v := make([]float64, 4), make([]float64, 4)
	in := map[string]*tensor.Tensor{
		"w": vector(w...), "x": vector(x...), LearningRate: tensor.Scalar(lr),
		"m/w": vector(0, 0, 0), "v/w": vector(0, 0, 0), "m/x": vector(0), "v/x": vector(0),
		Beta1Power: tensor.Scalar(1), Beta2Power: tensor.Scalar(1)}
	for j, g := range gradients {
		in["g"], in["h"] = vector(g[:3]...), vector(g[3])
		out, err := program.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, gi := range g {
			sum += float64(gi * gi)
		}
		if got := out[SumSquares].Float32()[0]; math.Abs(float64(got)-sum) > 1e-5*sum {
			t.Errorf("step %d: sum of squares %v, want %v", j, got, sum)
		}
		all := append(append([]float64{}, w...), x...)
		for i := range all {
			gi := g[i]
			if sum > 1 {
				gi /= math.Sqrt(sum)
			}
			m[i] = float64(0.9*m[i]) + float64(0.1*gi)
			v[i] = float64(0.95*v[i]) + float64(0.05*gi*gi)
			mh, vh := m[i]/(1-math.Pow(0.9, float64(j+1))), v[i]/(1-math.Pow(0.95, float64(j+1)))
			all[i] = all[i] - lr*mh/(math.Sqrt(vh)+1e-8) - float64(lr*0.1*all[i])
		}
		w, x = all[:3], all[3:]
		got := append(append([]float32{}, out["next/w"].Float32()...), out["next/x"].Float32()...)
		for i := range all {
			if math.Abs(float64(got[i])-all[i]) > 2e-6 {
				t.Errorf("step %d: weight %d is %v, want %v", j, i, got[i], all[i])
			}
		}
		for _, name := range []string{"w", "x", "m/w", "m/x", "v/w", "v/x", Beta1Power, Beta2Power} {
			in[name] = out[Next+name]
		}
	}
}

func vector(x ...float64) *tensor.Tensor {
	y := make([]float32, len(x))
	for i := range x {
		y[i] = float32(x[i])
	}
	return tensor.FromFloat32(y, len(y))
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		j, steps int
		want     float32
	}{{0, 100, 0.2}, {4, 100, 1}, {5, 100, 1}, {0, 200, 0.1}, {9, 200, 1}, {99, 200, 1}, {2, 3, 0.6}} {
		if got := Rate(1, c.j, c.steps); got != c.want {
			t.Errorf("Rate(1, %d, %d) = %v, want %v", c.j, c.steps, got, c.want)
		}
	}
}

// TestNesterov checks the formula on numbers that binary32 holds exactly.
func TestNesterov(t *testing.T) {
	n := Nesterov{LR: 0.5, Momentum: 0.5}
	momentum := []float32{4, 0}
	y := n.Step(momentum, []float32{1, 2}, []float32{8, 0})
	// momentum: 2+1, 0+2; y: 0.5·(1 + 1.5) + 8, 0.5·(2 + 1)
	if momentum[0] != 3 || momentum[1] != 2 || y[0] != 9.25 || y[1] != 1.5 {
		t.Errorf("momentum %v, y %v", momentum, y)
	}
}
