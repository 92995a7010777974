package metric

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestAUC(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		scores   []float32
		positive []bool
		want     float32
	}{
		{[]float32{1, 2, 3, 4}, []bool{false, false, true, true}, 1},
		{[]float32{1, 2, 3, 4}, []bool{true, true, false, false}, 0},
		{[]float32{1, 2, 3, 4}, []bool{false, true, false, true}, 0.75},
		{[]float32{5, 5, 5}, []bool{false, true, false}, 0.5},
		{[]float32{0, 0, 1}, []bool{false, true, true}, 0.75},
		{[]float32{nan, 1}, []bool{true, false}, 0},
		{[]float32{1, 2}, []bool{true, true}, 0},
		{nil, nil, 0},
	} {
		if got := AUC(c.scores, c.positive); got != c.want {
			t.Errorf("AUC(%v, %v) = %v, want %v", c.scores, c.positive, got, c.want)
		}
	}
}

// TestAUCCountsPairs compares with the definition, pair by pair, on scores with many ties.
func TestAUCCountsPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		n := 2 + rng.IntN(60)
		scores, positive := make([]float32, n), make([]bool, n)
		for i := range n {
			scores[i], positive[i] = float32(rng.IntN(9)), rng.IntN(2) == 0
		}
		halves, pairs := 0, 0
		for i := range n {
			for j := range n {
				if positive[i] && !positive[j] {
					pairs++
					if scores[i] > scores[j] {
						halves += 2
					} else if scores[i] == scores[j] {
						halves++
					}
				}
			}
		}
		want := float32(0)
		if pairs > 0 {
			want = float32(float64(halves) / float64(2*pairs))
		}
		if got := AUC(scores, positive); got != want {
			t.Fatalf("AUC(%v, %v) = %v, want %v", scores, positive, got, want)
		}
	}
}

func TestArgMax(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		x    []float32
		want int
	}{{[]float32{1, 3, 2, 3}, 1}, {[]float32{nan, -1}, 1}, {[]float32{2, nan}, 0}, {[]float32{0}, 0}} {
		if got := ArgMax(c.x); got != c.want {
			t.Errorf("ArgMax(%v) = %d, want %d", c.x, got, c.want)
		}
	}
}

func TestBitsPerByte(t *testing.T) {
	if got := BitsPerByte(float32(math.Log(256))); math.Abs(float64(got)-8) > 1e-6 {
		t.Errorf("a uniform guess takes %v bits, want 8", got)
	}
}

func TestShare(t *testing.T) {
	if Share(3, 4) != 0.75 || Share(0, 0) != 0 {
		t.Errorf("Share(3, 4) = %v, Share(0, 0) = %v", Share(3, 4), Share(0, 0))
	}
}
