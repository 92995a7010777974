package round

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/learn/payload"
)

// contributions are honest units of the first round.
func contributions(t testing.TB, trainer *Trainer, p Public, n int) []Contribution {
	var cs []Contribution
	for w := range n {
		out := unit(t, trainer, Task{Theta: p.Theta, Seed: shardSeed(0, w), Steps: 20})
		cs = append(cs, Contribution{out.Payload, out.Tokens})
	}
	return cs
}

// scaled is a contribution's payload times a power of two.
func scaled(t testing.TB, trainer *Trainer, c Contribution, power int8) Contribution {
	codes, err := payload.Decode(c.Payload, trainer.Layout())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range codes {
		for i := range q.Exponents {
			if q.Exponents[i] != 0 { // blocks of zeros stay
				q.Exponents[i] += power
			}
		}
	}
	b, err := payload.Encode(codes)
	if err != nil {
		t.Fatal(err)
	}
	return Contribution{b, c.Tokens}
}

// TestAggregateFormula repeats the outer step in float64. The result is on the int8 grid, so weights
// may differ by half a step of it; weights and residual together may not.
func TestAggregateFormula(t *testing.T) {
	trainer := diagnosis(t, nil)
	p, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	cs := contributions(t, trainer, p, 3)
	cs[1].Tokens = trainer.UnitTokens(10) // weights 2, 1, 2 of 5
	first, rejected, err := trainer.Aggregate(p, cs)
	if err != nil || rejected[0] || rejected[1] || rejected[2] {
		t.Fatal(rejected, err)
	}
	second, _, err := trainer.Aggregate(first, cs)
	if err != nil {
		t.Fatal(err)
	}
	for j := range p.Theta {
		var d []float64
		for i, w := range []float64{0.4, 0.2, 0.4} {
			codes, err := payload.Decode(cs[i].Payload, trainer.Layout())
			if err != nil {
				t.Fatal(err)
			}
			for k := range codes[j].Codes {
				if i == 0 {
					d = append(d, 0)
				}
				d[k] += float64(w * float64(codes[j].Value(k)))
			}
		}
		for k := range d {
			m1 := d[k]
			y1 := 0.7 * (d[k] + float64(0.9*m1))
			m2 := d[k] + float64(0.9*m1)
			y2 := 0.7 * (d[k] + float64(0.9*m2))
			x0 := float64(p.Theta[j].Tensor.Float32()[k])
			for i, c := range []struct {
				got  Public
				m, y float64
			}{{first, m1, y1}, {second, m2, y1 + y2}} {
				theta, residual := float64(c.got.Theta[j].Tensor.Float32()[k]), float64(c.got.Residual[j].Tensor.Float32()[k])
				if math.Abs(float64(c.got.Momentum[j].Tensor.Float32()[k])-c.m) > 1e-6 {
					t.Fatalf("round %d: momentum of %s[%d] is %v, want %v", i+1, p.Theta[j].Name, k, c.got.Momentum[j].Tensor.Float32()[k], c.m)
				}
				if math.Abs(theta-residual-(x0-c.y)) > 1e-6 {
					t.Fatalf("round %d: %s[%d] is %v with residual %v, want %v", i+1, p.Theta[j].Name, k, theta, residual, x0-c.y)
				}
			}
		}
	}
}

// TestAdmission checks who is rejected, and that the rejected change nothing.
func TestAdmission(t *testing.T) {
	trainer := diagnosis(t, nil)
	p, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	good := contributions(t, trainer, p, 3)
	want, _, err := trainer.Aggregate(p, good)
	if err != nil {
		t.Fatal(err)
	}
	broken := Contribution{append([]byte{}, good[0].Payload...), good[0].Tokens}
	broken.Payload[0]++
	for name, bad := range map[string]Contribution{
		"128 times":       scaled(t, trainer, good[0], 7),
		"broken":          broken,
		"empty":           {nil, good[0].Tokens},
		"no tokens":       {good[0].Payload, 0},
		"too many tokens": {good[0].Payload, trainer.UnitTokens(trainer.Recipe().Train.Steps + 1)},
		"half a step":     {good[0].Payload, good[0].Tokens + 1},
	} {
		got, rejected, err := trainer.Aggregate(p, []Contribution{good[0], bad, good[1], good[2]})
		if err != nil {
			t.Fatal(err)
		}
		if rejected[0] || !rejected[1] || rejected[2] || rejected[3] {
			t.Errorf("%s: rejected %v", name, rejected)
		}
		if digest(got.Theta) != digest(want.Theta) || digest(got.Residual) != digest(want.Residual) {
			t.Errorf("%s: a rejected contribution changed the state", name)
		}
	}
	same, rejected, err := trainer.Aggregate(p, []Contribution{broken})
	if err != nil || !rejected[0] || digest(same.Theta) != digest(p.Theta) || digest(same.Momentum) != digest(p.Momentum) {
		t.Errorf("all rejected: %v, %v, or the state moved", rejected, err)
	}
	if _, _, err := trainer.Aggregate(Public{Theta: p.Theta}, good); !errors.Is(err, ErrState) {
		t.Errorf("half a state: %v", err)
	}
	p.Momentum[0].Tensor.Float32()[0] = math.MaxFloat32
	same, rejected, err = trainer.Aggregate(p, good)
	if err != nil || slices.Contains(rejected, false) || digest(same.Theta) != digest(p.Theta) || digest(same.Momentum) != digest(p.Momentum) {
		t.Errorf("a momentum out of range: %v, %v, or the state moved", rejected, err)
	}
}

// TestEqualContributions checks that equal units average to one of them.
func TestEqualContributions(t *testing.T) {
	trainer := diagnosis(t, nil)
	p, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	c := contributions(t, trainer, p, 1)[0]
	one, _, err := trainer.Aggregate(p, []Contribution{c})
	if err != nil {
		t.Fatal(err)
	}
	four, _, err := trainer.Aggregate(p, []Contribution{c, c, c, c})
	if err != nil {
		t.Fatal(err)
	}
	// A quarter and sums of quarters are exact, so four copies are bit for bit one.
	if digest(one.Theta) != digest(four.Theta) {
		t.Error("four equal units differ from one")
	}
}
