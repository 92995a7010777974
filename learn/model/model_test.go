package model

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
)

func diagnosis(t *testing.T) (*Model, *data.Set, data.Split) {
	dir := filepath.Join("..", "..", "examples", "diagnosis")
	r := load(t, dir)
	s, err := data.Load(r, dir)
	if err != nil {
		t.Fatal(err)
	}
	split := data.NewSplit(s.Count, r.Data.HoldoutPercent, r.Train.Seed)
	m, err := New(r, s, split)
	if err != nil {
		t.Fatal(err)
	}
	return m, s, split
}

func gocode(t *testing.T) (*Model, *data.Set) {
	r := load(t, filepath.Join("..", "..", "examples", "gocode"))
	s, err := data.CutText([]byte(strings.Repeat("for i := range n { sum += i }\n", 40)), r.Model.Context)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(r, s, data.NewSplit(s.Count, 10, 1))
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

func load(t *testing.T, dir string) *recipe.Recipe {
	file, err := os.ReadFile(filepath.Join(dir, "run.toml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestStandardise checks the scaled training columns: mean 0, variance 1.
func TestStandardise(t *testing.T) {
	_, s, split := diagnosis(t)
	sc := standardise(s, split, 30)
	row := make([]float32, 30)
	var sum, squares [30]float64
	for i := range split.Training() {
		s.Row(row, split.TrainingAt(i))
		for j, x := range row {
			z := (float64(x) - float64(sc.mean.Float32()[j])) * float64(sc.scale.Float32()[j])
			sum[j] += z
			squares[j] += float64(z * z)
		}
	}
	n := float64(split.Training())
	for j := range sum {
		if math.Abs(sum[j]/n) > 1e-4 || math.Abs(squares[j]/n-1) > 1e-4 {
			t.Errorf("feature %d: mean %v, variance %v", j, sum[j]/n, squares[j]/n)
		}
	}
}

// TestConstantFeature checks that a column without variance neither divides by zero nor counts.
func TestConstantFeature(t *testing.T) {
	s, err := data.ReadTable([]byte("a,b,y\n5,1,0\n5,2,1\n5,3,0\n5,4,1\n"), "y")
	if err != nil {
		t.Fatal(err)
	}
	sc := standardise(s, data.NewSplit(4, 25, 1), 2)
	if sc.mean.Float32()[0] != 5 || sc.scale.Float32()[0] != 1 {
		t.Errorf("mean %v, scale %v", sc.mean.Float32(), sc.scale.Float32())
	}
}

// TestLossOfGuessing checks the first loss of each model against that of an even guess, and that the
// mean of the losses is the loss.
func TestLossOfGuessing(t *testing.T) {
	table, rows, _ := diagnosis(t)
	text, windows := gocode(t)
	for _, c := range []struct {
		name string
		m    *Model
		s    *data.Set
		want float64
		near float64
	}{{"table", table, rows, math.Log(2), 0.5}, {"text", text, windows, math.Log(256), 0.1}} {
		in := c.m.Batch(c.s, []int{0, 1, 2, 3})
		for _, w := range c.m.Initial(1) {
			in[w.Name] = w.Tensor
		}
		g, err := c.m.LossGraph(4)
		if err != nil {
			t.Fatal(err)
		}
		p, err := exec.Compile(g)
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		loss := out[Loss].Float32()[0]
		if math.Abs(float64(loss)-c.want) > c.near {
			t.Errorf("%s: first loss %v, want about %v", c.name, loss, c.want)
		}
		if g, err = c.m.EvaluationGraph(4); err != nil {
			t.Fatal(err)
		}
		if p, err = exec.Compile(g); err != nil {
			t.Fatal(err)
		}
		if out, err = p.Run(in); err != nil {
			t.Fatal(err)
		}
		losses := out[Losses].Float32()
		if mean := kernel.Sum(losses) / float32(len(losses)); len(losses) != 4*c.m.Predictions() || math.Abs(float64(mean-loss)) > 1e-5 {
			t.Errorf("%s: mean of %d losses %v, loss %v", c.name, len(losses), mean, loss)
		}
	}
}

// TestNames checks what tells weights from constants in a published graph: the ends of their names.
func TestNames(t *testing.T) {
	table, _, _ := diagnosis(t)
	text, _ := gocode(t)
	isWeight := func(name string) bool { return strings.HasSuffix(name, ".weight") || strings.HasSuffix(name, ".bias") }
	for _, m := range []*Model{table, text} {
		g, err := m.InferenceGraph()
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range g.Inputs {
			if isWeight(v.Name) != (i < len(m.Params())) {
				t.Errorf("input %d is called %q", i, v.Name)
			}
		}
		for _, c := range g.Initializers {
			if isWeight(c.Name) {
				t.Errorf("a constant is called %q", c.Name)
			}
		}
		for i, p := range m.Params() {
			if i > 0 && p.Name <= m.Params()[i-1].Name {
				t.Errorf("%q comes after %q", p.Name, m.Params()[i-1].Name)
			}
		}
	}
}

// TestInitial checks that the seed matters, and that each tensor stays within its spread.
func TestInitial(t *testing.T) {
	m, _ := gocode(t)
	a, b, c := m.Initial(1), m.Initial(1), m.Initial(2)
	for i, p := range m.Params() {
		x := a[i].Tensor.Float32()
		if !equal(x, b[i].Tensor.Float32()) {
			t.Errorf("%s differs under one seed", p.Name)
		}
		if p.Init.Spread > 0 && equal(x, c[i].Tensor.Float32()) {
			t.Errorf("%s does not depend on the seed", p.Name)
		}
		lo, hi := kernel.Min(x), kernel.Max(x)
		if lo < p.Init.Center-p.Init.Spread || hi > p.Init.Center+p.Init.Spread || hi-lo < p.Init.Spread {
			t.Errorf("%s lies in %v to %v, spread %v around %v", p.Name, lo, hi, p.Init.Spread, p.Init.Center)
		}
	}
}

func equal(a, b []float32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// TestCausal checks that a token does not look ahead: changing the last byte of a window changes the
// logits of its place only.
func TestCausal(t *testing.T) {
	m, _ := gocode(t)
	g, err := m.InferenceGraph()
	if err != nil {
		t.Fatal(err)
	}
	p, err := exec.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]*tensor.Tensor{}
	for _, w := range m.Initial(1) {
		in[w.Name] = w.Tensor
	}
	logits := func(last int64) []float32 {
		tokens := make([]int64, 64)
		for i := range tokens {
			tokens[i] = int64(i)
		}
		tokens[63] = last
		in[Tokens] = tensor.FromInt64(tokens, 1, 64)
		out, err := p.Run(in)
		if err != nil {
			t.Fatal(err)
		}
		return out[Logits].Float32()
	}
	a, b := logits(1), logits(2)
	if !equal(a[:63*256], b[:63*256]) {
		t.Error("an earlier place saw the last byte")
	}
	if equal(a[63*256:], b[63*256:]) {
		t.Error("the last place did not see its own byte")
	}
}

// TestMismatch checks that a recipe and a set of other kinds or shapes are refused.
func TestMismatch(t *testing.T) {
	_, rows, split := diagnosis(t)
	if _, err := New(load(t, filepath.Join("..", "..", "examples", "gocode")), rows, split); err == nil {
		t.Error("a table is accepted as text")
	}
	text, err := data.CutText(make([]byte, 1000), 32)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(load(t, filepath.Join("..", "..", "examples", "gocode")), text, split); err == nil {
		t.Error("windows of 32 are accepted for a context of 64")
	}
	if _, err := New(load(t, filepath.Join("..", "..", "examples", "diagnosis")), text, split); err == nil {
		t.Error("a text is accepted as a table")
	}
}
