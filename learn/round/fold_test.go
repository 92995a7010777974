package round

import (
	"math"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/optim"
)

// TestFoldGraph compares the program of an aggregate with Aggregate, bit by bit: contributions of all sizes, wrong tokens, outliers, steps out
// of range, two rounds.
func TestFoldGraph(t *testing.T) {
	trainer := diagnosis(t, nil)
	p, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	cs := contributions(t, trainer, p, 5)
	tokens := func(c Contribution, n uint64) Contribution { return Contribution{c.Payload, n} }
	large := func(c Contribution, power int8) Contribution { return scaled(t, trainer, c, power) }
	later, _, err := trainer.Aggregate(p, cs[:3])
	if err != nil {
		t.Fatal(err)
	}
	huge := Public{Theta: clone(p.Theta), Momentum: clone(p.Momentum), Residual: clone(p.Residual)}
	huge.Momentum[2].Tensor.Float32()[1] = math.MaxFloat32
	for name, c := range map[string]struct {
		p    Public
		list []Contribution
	}{
		"one":                 {p, cs[:1]},
		"three, second round": {later, cs[1:4]},
		"weights":             {later, []Contribution{tokens(cs[0], trainer.UnitTokens(10)), cs[1], tokens(cs[2], trainer.UnitTokens(3))}},
		"wrong tokens":        {later, []Contribution{tokens(cs[0], trainer.UnitTokens(10)+1), cs[1], tokens(cs[2], 0), cs[3], tokens(cs[4], 1<<40)}},
		"no tokens":           {later, []Contribution{tokens(cs[0], 0), tokens(cs[1], 7)}},
		"an outlier":          {later, []Contribution{cs[0], large(cs[1], 3), cs[2], cs[3]}},
		"an even median":      {later, []Contribution{cs[0], large(cs[1], 2), large(cs[2], 2), cs[3]}},
		"tiny":                {p, []Contribution{large(cs[0], -70), large(cs[1], -71)}},
		"an infinite norm":    {p, []Contribution{large(cs[0], 70), cs[1], cs[2]}},
		"all infinite":        {p, []Contribution{large(cs[0], 70), large(cs[1], 70)}},
		"not finite":          {huge, cs[:2]},
	} {
		want, flags, err := trainer.Aggregate(c.p, c.list)
		if err != nil {
			t.Fatal(err)
		}
		got, rejected, skipped := runFold(t, trainer, c.p, c.list)
		if !slices.Equal(rejected, flags) {
			t.Errorf("%s: rejected %v, want %v (skipped %v)", name, rejected, flags, skipped)
		}
		for k, list := range [][2][]tensor.Named{{got.Theta, want.Theta}, {got.Momentum, want.Momentum}, {got.Residual, want.Residual}} {
			for j := range list[0] {
				a, b := list[0][j].Tensor.Float32(), list[1][j].Tensor.Float32()
				for i := range a {
					if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
						t.Fatalf("%s: list %d, %s[%d] is %v, want %v (skipped %v)", name, k, list[0][j].Name, i, a[i], b[i], skipped)
					}
				}
			}
		}
	}
}

// runFold runs the program.
func runFold(t *testing.T, trainer *Trainer, p Public, list []Contribution) (next Public, rejected []bool, skipped bool) {
	t.Helper()
	g, err := trainer.FoldGraph(len(list))
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	in, err := trainer.FoldInputs(p, list)
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	skipped = !kernel.Finite(out[optim.SumSquares].Float32())
	after := func(name string) *tensor.Tensor {
		if skipped {
			return in[name]
		}
		return out[optim.Next+name]
	}
	for _, w := range trainer.Layout() {
		next.Theta = append(next.Theta, tensor.Named{Name: w.Name, Tensor: after(FoldTheta + w.Name)})
		next.Momentum = append(next.Momentum, tensor.Named{Name: w.Name, Tensor: after(FoldMomentum + w.Name)})
		next.Residual = append(next.Residual, tensor.Named{Name: w.Name, Tensor: after(FoldResidual + w.Name)})
	}
	for _, v := range after(FoldRejected).Float32() {
		rejected = append(rejected, v != 0)
	}
	return next, rejected, skipped
}
