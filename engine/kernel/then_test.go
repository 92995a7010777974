package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// separately does the steps of then one after the other with the elementwise functions of this package.
func separately(c []float32, m, n int, then Then) {
	if then.Scale != 0 {
		MulScalar(c, c, then.Scale)
	}
	for i := range m {
		row := c[i*n : (i+1)*n]
		if then.Rows != nil {
			AddScalar(row, row, then.Rows[i])
		}
		if then.Cols != nil {
			Add(row, row, then.Cols)
		}
		if then.Add != nil {
			Add(row, row, then.Add[i*n:(i+1)*n])
		}
		if then.Clip {
			MaximumScalar(row, row, then.Low)
			MinimumScalar(row, row, then.High)
		}
		if then.Apply != nil {
			then.Apply(row, row)
		}
	}
}

// TestThenSame: the steps done within a product have the bits of separate operations, for every choice of steps, shapes
// around the tiles, packed and plain, and values with corners.
func TestThenSame(t *testing.T) {
	inf, nan, minusZero := float32(math.Inf(1)), float32(math.NaN()), float32(math.Copysign(0, -1))
	bounds := [][2]float32{{0, inf}, {0, 6}, {minusZero, 1}, {-1, minusZero}, {-inf, 0}, {nan, 1}, {0, nan}, {2, 1}}
	rng := rand.New(rand.NewPCG(31, 32))
	for round := range 130 {
		m, k, n := rng.IntN(40), rng.IntN(70), rng.IntN(100)
		switch round % 8 {
		case 0:
			m = 1
		case 1:
			m, k, n = 30, 300, 65
		case 2:
			k = 0
		case 3:
			m, k, n = 1, 257, 260
		case 4:
			m, k, n = 130, 70, 140
		}
		a, b := sample(rng, m*k), sample(rng, k*n)
		for i := range a {
			if rng.IntN(8) != 0 {
				a[i] = float32(rng.NormFloat64())
			}
		}
		then := Then{}
		steps := rng.IntN(64)
		if steps&1 != 0 {
			then.Scale = sample(rng, 1)[0]
		}
		if steps&2 != 0 {
			then.Rows = sample(rng, m)
		}
		if steps&4 != 0 {
			then.Cols = sample(rng, n)
		}
		if steps&8 != 0 {
			then.Add = sample(rng, m*n)
		}
		if steps&16 != 0 {
			limit := bounds[rng.IntN(len(bounds))]
			then.Clip, then.Low, then.High = true, limit[0], limit[1]
		}
		if steps&32 != 0 {
			then.Apply = Sigmoid
		}
		want := matMulByRule(a, b, m, k, n, false, false)
		separately(want, m, n, then)
		each(t, func(t *testing.T) {
			for _, procs := range []int{1, 3} {
				before := runtime.GOMAXPROCS(procs)
				c, unharmed := framed(t, m*n, round%3)
				MatMulThen(c, a, b, m, k, n, false, false, &then)
				unharmed()
				d, unharmed := framed(t, m*n, round%3)
				MatMulPackedThen(d, a, Pack(b, k, n, false), m, k, n, false, &then)
				unharmed()
				runtime.GOMAXPROCS(before)
				name := fmt.Sprint(m, k, n, " steps ", steps, " on ", procs)
				sameBits(t, name, c, want)
				sameBits(t, "packed "+name, d, want)
			}
		})
	}
}

// TestThenThreads: a product large enough for several goroutines, with every step.
func TestThenThreads(t *testing.T) {
	const m, k, n = 250, 300, 270
	a, b := normal(m*k), normal(k*n)
	then := Then{Scale: 0.3, Rows: normal(m), Cols: normal(n), Add: normal(m * n), Apply: Tanh}.Relu()
	want := matMulByRule(a, b, m, k, n, false, false)
	separately(want, m, n, then)
	each(t, func(t *testing.T) {
		for _, procs := range []int{1, 2, 5} {
			before := runtime.GOMAXPROCS(procs)
			c := make([]float32, m*n)
			MatMulThen(c, a, b, m, k, n, false, false, &then)
			runtime.GOMAXPROCS(before)
			sameBits(t, fmt.Sprint("on ", procs), c, want)
		}
	})
}

// TestThenPanics: a bias of the wrong length is a bug of the caller.
func TestThenPanics(t *testing.T) {
	for name, then := range map[string]Then{"Rows": {Rows: make([]float32, 3)}, "Cols": {Cols: make([]float32, 2)}, "Add": {Add: make([]float32, 5)}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of a wrong length does not panic", name)
				}
			}()
			MatMulThen(make([]float32, 6), make([]float32, 4), make([]float32, 6), 2, 2, 3, false, false, &then)
		}()
	}
}
