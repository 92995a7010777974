package round

import (
	"context"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
)

// TestDiagnosisLearns runs examples/diagnosis as six machines and as one. Both must reach what the
// task is known to allow, and with -v the test prints the curves.
func TestDiagnosisLearns(t *testing.T) {
	trainer := diagnosis(t, nil)
	rounds := trainer.Recipe().Train.Rounds
	alone := make([]Metrics, rounds)
	_, err := trainer.Centralised(context.Background(), rounds, func(round int, theta []tensor.Named) (err error) {
		alone[round-1], err = trainer.Evaluate(theta)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var last Metrics
	run(t, trainer, rounds, 6, func(round int, p Public, loss float32) {
		m, err := trainer.Evaluate(p.Theta)
		if err != nil {
			t.Fatal(err)
		}
		last = m
		c := alone[round-1]
		t.Logf("round %d  unit loss %.4f  held-out loss %.4f  accuracy %.4f  AUC %.4f  | one machine: loss %.4f  accuracy %.4f  AUC %.4f",
			round, loss, m.Loss, m.Accuracy, m.AUC, c.Loss, c.Accuracy, c.AUC)
	})
	for name, m := range map[string]Metrics{"six machines": last, "one machine": alone[rounds-1]} {
		if m.Accuracy < 0.95 || m.AUC < 0.99 {
			t.Errorf("%s: accuracy %v, AUC %v; want 0.95 and 0.99", name, m.Accuracy, m.AUC)
		}
	}
}
