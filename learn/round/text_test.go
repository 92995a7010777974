package round

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/mutirao/mutirao/learn/recipe"
)

// TestTextLearns trains two machines for a short round. The text is digits and commas for the most
// part, so a model that has learnt anything is far below the 5.5 nats of guessing.
func TestTextLearns(t *testing.T) {
	trainer := text(t, func(r *recipe.Recipe) { r.Train.Steps = 30; r.Train.Batch = 4; r.Data.EvaluateLimit = 16 })
	p, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	before, err := trainer.Evaluate(p.Theta)
	if err != nil {
		t.Fatal(err)
	}
	p = run(t, trainer, 1, 2, nil)
	after, err := trainer.Evaluate(p.Theta)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(float64(before.Loss)-math.Log(256)) > 0.1 || after.Loss > 3.5 || after.Records != 16 {
		t.Errorf("held-out loss %v before and %v after, on %d windows", before.Loss, after.Loss, after.Records)
	}
	if after.BitsPerByte < after.Loss || after.AUC != 0 {
		t.Errorf("%+v", after)
	}

	digits := []byte("0123456789.,\n")
	out, err := trainer.Sample(p.Theta, []byte("17.99,"), 100, Sampler{Temperature: 0.5, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	likely := 0
	for _, c := range out {
		if bytes.IndexByte(digits, c) >= 0 {
			likely++
		}
	}
	if len(out) != 100 || likely < 90 {
		t.Errorf("%d of %d sampled bytes look like the text: %q", likely, len(out), out)
	}
	again, err := trainer.Sample(p.Theta, []byte("17.99,"), 100, Sampler{Temperature: 0.5, Seed: 1})
	if err != nil || !bytes.Equal(again, out) {
		t.Errorf("a second sample differs (%v)", err)
	}
	other, err := trainer.Sample(p.Theta, []byte("17.99,"), 100, Sampler{Temperature: 0.5, Seed: 2})
	if err != nil || bytes.Equal(other, out) {
		t.Errorf("another seed gives the same sample (%v)", err)
	}
	if first, err := trainer.Sample(p.Theta, nil, 1, Sampler{}); err != nil || len(first) != 1 {
		t.Errorf("an empty prompt: %q, %v", first, err)
	}
	if _, err := trainer.Sample(p.Theta, nil, 1, Sampler{Temperature: float32(math.NaN())}); err == nil {
		t.Error("a temperature that is no number is accepted")
	}
	if _, err := diagnosis(t, nil).Sample(nil, nil, 1, Sampler{}); !errors.Is(err, ErrNoText) {
		t.Errorf("a table writes text: %v", err)
	}
}

// TestDraw compares the frequencies of drawn bytes with the probabilities: 8, 1 and 1 tenth. The
// deviation of a count of 10,000 draws is at most 50; four of them are allowed.
func TestDraw(t *testing.T) {
	var counts [256]int
	logits := make([]float32, 256)
	for i := range uint64(10000) {
		for j := range logits {
			logits[j] = -100
		}
		logits[10], logits[20], logits[30] = float32(math.Log(8)), 0, 0
		counts[Sampler{Temperature: 1, Seed: 3}.draw(logits, i)]++
	}
	for c, want := range map[int]int{10: 8000, 20: 1000, 30: 1000} {
		if d := counts[c] - want; d < -200 || d > 200 {
			t.Errorf("byte %d was drawn %d times, want about %d", c, counts[c], want)
		}
	}
	logits[200] = 5
	if c := (Sampler{}).draw(logits, 0); c != 200 {
		t.Errorf("at temperature 0 the byte is %d, want 200", c)
	}
}
