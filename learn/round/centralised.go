package round

import (
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/optim"
)

// Centralised trains the same recipe on one machine that has all training records: rounds times Steps
// inner steps from the same first weights, with the same batch size and optimizer, moments kept
// throughout, one climb of the rate, nothing compressed and nothing averaged. It is what a run is
// compared with: each machine of a run does as many steps as this one. observe, unless nil, is called
// after every Steps steps with the number of rounds done; its error stops the training.
func (t *Trainer) Centralised(ctx context.Context, rounds int, observe func(round int, theta []tensor.Named) error) ([]tensor.Named, error) {
	seed := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("mutirao/centralised"), uint64(t.recipe.Train.Seed)))
	in := t.begin(t.model.Initial(t.recipe.Train.Seed), seed)
	in.own()
	steps := t.recipe.Train.Steps
	for round := range rounds {
		for range steps {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := in.advance(optim.Rate(t.recipe.Train.LR, in.taken, rounds*steps)); err != nil {
				return nil, err
			}
		}
		if observe != nil {
			if err := observe(round+1, in.theta()); err != nil {
				return nil, err
			}
		}
	}
	return in.theta(), nil
}
