package round

import (
	"math"
	"slices"
	"testing"
	"time"
)

// BenchmarkAggregate folds six units of the diagnosis example and reports the least time.
func BenchmarkAggregate(b *testing.B) {
	trainer := diagnosis(b, nil)
	public, err := trainer.Initial()
	if err != nil {
		b.Fatal(err)
	}
	out := unit(b, trainer, firstTask(b, trainer, trainer.Recipe().Train.Steps))
	list := slices.Repeat([]Contribution{{Payload: out.Payload, Tokens: out.Tokens}}, 6)
	least := time.Duration(math.MaxInt64)
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		if _, _, err := trainer.Aggregate(public, list); err != nil {
			b.Fatal(err)
		}
		least = min(least, time.Since(began))
	}
	b.ReportMetric(float64(least.Nanoseconds()), "least-ns")
}
