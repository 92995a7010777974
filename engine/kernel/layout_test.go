package kernel

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// TestLayouts: a value goes to channels last, where each element is where the words say, and back.
func TestLayouts(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(71, 72))
		for i, s := range [][3]int{{1, 1, 1}, {2, 3, 5}, {1, 8, 8}, {3, 16, 64}, {1, 19, 131}, {2, 130, 33}, {1, 64, 700}} {
			batch, channels, places := s[0], s[1], s[2]
			x := sample(rng, batch*channels*places)
			y, unharmed := framed(t, len(x), i%3)
			ToChannelsLast(y, x, batch, channels, places)
			unharmed()
			for j := range x {
				b, c, p := j/(channels*places), j/places%channels, j%places
				sameBits(t, fmt.Sprint("channels last of ", s), y[(b*places+p)*channels+c:][:1], x[j:j+1])
			}
			back, unharmed := framed(t, len(x), i%2)
			ToChannelsFirst(back, y, batch, channels, places)
			unharmed()
			sameBits(t, fmt.Sprint("channels first again of ", s), back, x)
		}
	})
}

// TestCopyRows copies a part of each row and harms nothing else.
func TestCopyRows(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(73, 74))
		for range 50 {
			rows, n := rng.IntN(9), rng.IntN(70)
			from, to := n+rng.IntN(5), n+rng.IntN(5)
			src, want := sample(rng, (rows+1)*from), sample(rng, (rows+1)*to)
			got := append([]float32(nil), want...)
			CopyRows(got, to, src, from, rows, n)
			for i := range rows {
				copy(want[i*to:][:n], src[i*from:])
			}
			sameBits(t, fmt.Sprintf("%d rows of %d, %d and %d apart", rows, n, from, to), got, want)
		}
	})
}

// TestMaxPoolLast compares with planes.
func TestMaxPoolLast(t *testing.T) {
	each(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(75, 76))
		shapes := append(slices.Clone(convShapes), pixelShapes...)
		for range 40 {
			shapes = append(shapes, ConvShape{Window: Along(axisOf(1+rng.IntN(9), 1+rng.IntN(3), 1+rng.IntN(3), 1+rng.IntN(2), rng.IntN(3), rng.IntN(3)), axisOf(1+rng.IntN(9), 1+rng.IntN(3), 1+rng.IntN(3), 1+rng.IntN(2), rng.IntN(3), rng.IntN(3)))})
		}
		for i, s := range shapes {
			batch, channels := 2, []int{5, 16, 32}[i%3]
			x := sample(rng, batch*channels*s.in())
			if i%2 == 0 {
				for j := range x {
					x[j] = float32(rng.NormFloat64())
				}
			}
			first := make([]float32, batch*channels*s.out())
			MaxPool(batch*channels, s.Window).Run(first, x)
			want, last := make([]float32, len(first)), make([]float32, len(x))
			ToChannelsLast(want, first, batch, channels, s.out())
			ToChannelsLast(last, x, batch, channels, s.in())
			for _, procs := range []int{1, 3} {
				before := runtime.GOMAXPROCS(procs)
				y, unharmed := framed(t, len(want), i%3)
				MaxPoolLast(batch, channels, s.Window).Run(y, last)
				runtime.GOMAXPROCS(before)
				unharmed()
				sameBits(t, fmt.Sprintf("%+v", s.Window), y, want)
			}
		}
	})
}
