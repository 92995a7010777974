package round

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/recipe"
)

// diagnosis is the trainer of examples/diagnosis, after change.
func diagnosis(t testing.TB, change func(*recipe.Recipe)) *Trainer {
	dir := filepath.Join("..", "..", "examples", "diagnosis")
	file, err := os.ReadFile(filepath.Join(dir, "run.toml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	set, err := data.Load(r, dir)
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := NewTrainer(r, set)
	if err != nil {
		t.Fatal(err)
	}
	return trainer
}

// shardSeed stands for the beacon's draw.
func shardSeed(round, worker int) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "round %d worker %d", round, worker))
}

// run trains that many rounds with that many honest workers and calls each after every round.
func run(t testing.TB, trainer *Trainer, rounds, workers int, each func(round int, p Public, loss float32)) Public {
	p, err := trainer.Initial()
	if err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		var contributions []Contribution
		var loss float32
		for w := range workers {
			out, err := trainer.Unit(context.Background(), Task{Theta: p.Theta, Seed: shardSeed(round, w), Steps: trainer.Recipe().Train.Steps}, nil)
			if err != nil {
				t.Fatal(err)
			}
			loss += out.Loss / float32(workers)
			contributions = append(contributions, Contribution{Payload: out.Payload, Tokens: out.Tokens})
		}
		next, rejected, err := trainer.Aggregate(p, contributions)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rejected {
			if r {
				t.Errorf("round %d: the honest unit %d is rejected", round+1, i)
			}
		}
		p = next
		if each != nil {
			each(round+1, p, loss)
		}
	}
	return p
}

// digest is the hash of weights, for golden values.
func digest(x []tensor.Named) string {
	h := sha256.New()
	for _, t := range x {
		h.Write(t.Tensor.Bytes())
	}
	return hex.EncodeToString(h.Sum(nil))
}
