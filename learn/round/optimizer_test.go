package round

import (
	"bytes"
	"context"
	"runtime"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/recipe"
)

// TestOptimizers: a unit of each optimizer gives the same payload on one goroutine and two, skips nothing, and four units one after
// the other on one machine halve the loss of even guesses, log 2.
func TestOptimizers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for optimizer, rate := range map[string]float32{
		recipe.AdamW: 0.003, recipe.SGD: 0.05, recipe.Nesterov: 0.05, recipe.Muon: 0.01, recipe.Adafactor: 0.02,
	} {
		var payloads [2][]byte
		for i := range payloads {
			runtime.GOMAXPROCS(i + 1)
			trainer := diagnosis(t, func(r *recipe.Recipe) {
				r.Train.Optimizer, r.Train.LR, r.Train.WeightDecay = optimizer, rate, 0.001
			})
			p, err := trainer.Initial()
			if err != nil {
				t.Fatal(err)
			}
			out, err := trainer.Unit(context.Background(), Task{Theta: p.Theta, Seed: shardSeed(1, 1), Steps: 100}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if out.Skips != 0 {
				t.Errorf("%s: %d steps skipped", optimizer, out.Skips)
			}
			payloads[i] = out.Payload
			if i > 0 {
				continue
			}
			var loss float32
			if _, err := trainer.Centralised(context.Background(), 4, func(_ int, theta []tensor.Named) error {
				m, err := trainer.Evaluate(theta)
				loss = float32(m.Loss)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: held-out loss %.3f", optimizer, loss)
			if !(loss < 0.35) {
				t.Errorf("%s: held-out loss %v after 400 steps", optimizer, loss)
			}
		}
		if !bytes.Equal(payloads[0], payloads[1]) {
			t.Errorf("%s: one goroutine and two give different payloads", optimizer)
		}
	}
}
