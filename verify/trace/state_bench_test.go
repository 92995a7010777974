package trace_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/trace"
)

// state is that of a model with layers of these shapes: weights and biases, each with two moments, and the running powers.
func state(layers ...[2]int) []trace.Entry {
	var list []trace.Entry
	add := func(name string, shape ...int) {
		for _, moment := range []string{"", "m/", "v/"} {
			x := tensor.New(tensor.Float32, shape...)
			for i := range x.Float32() {
				x.Float32()[i] = float32(i) / 7
			}
			list = append(list, trace.Entry{Name: moment + name, Role: trace.RoleState, Tensor: x})
		}
	}
	for i, l := range layers {
		add(fmt.Sprintf("fc%d.weight", i+1), l[0], l[1])
		add(fmt.Sprintf("fc%d.bias", i+1), l[1])
	}
	for _, name := range []string{"beta1_power", "beta2_power"} {
		list = append(list, trace.Entry{Name: name, Role: trace.RoleState, Tensor: tensor.New(tensor.Float32)})
	}
	return list
}

// BenchmarkSmallStates hashes the states of a small and of a larger perceptron and reports the least time.
func BenchmarkSmallStates(b *testing.B) {
	for name, s := range map[string][]trace.Entry{"1537": state([2]int{30, 32}, [2]int{32, 16}, [2]int{16, 1}), "135k": state([2]int{256, 512}, [2]int{512, 8})} {
		bytes := 0
		for _, e := range s {
			bytes += 4 * e.Tensor.Len()
		}
		b.Run(name, func(b *testing.B) {
			least := time.Duration(math.MaxInt64)
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				trace.StateRoot(s)
				least = min(least, time.Since(began))
			}
			b.ReportMetric(float64(least.Nanoseconds()), "least-ns")
			b.ReportMetric(float64(bytes)/float64(least.Nanoseconds()), "GB/s")
		})
	}
}
