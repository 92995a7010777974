package bisect

import (
	"errors"
	"testing"

	"github.com/mutirao/mutirao/verify/merkle"
)

// TestNarrowSteps goes into a range of more steps than are shown at one time, twice.
func TestNarrowSteps(t *testing.T) {
	at := func(n int) merkle.Hash { return merkle.Leaf([]byte{byte(n), byte(n >> 8)}) }
	start := &Game{Stage: PickStep, From: 0, To: 300, Before: at(0), After: at(300)}
	shown := func(g *Game) Choice {
		own, err := inside(g.From, g.To, func(step int) (merkle.Hash, error) { return at(step), nil })
		if err != nil {
			t.Fatal(err)
		}
		return Choice{Shown: pack(own)}
	}
	if err := start.Choose(shown(start), nil); err != nil || start.Stage != AskTranscript || len(start.Hashes) != 127 {
		t.Fatalf("%v, at %s with %d states", err, start.Stage, len(start.Hashes))
	}
	for _, c := range []struct {
		part     int
		after    merkle.Hash
		ok       bool
		from, to int
	}{
		{0, at(1000), true, 0, 2}, {60, at(1000), true, 140, 142}, {60, at(142), false, 0, 0}, {127, at(300), true, 297, 300}, {127, at(1000), false, 0, 0}, {128, at(1000), false, 0, 0},
	} {
		g := start.Clone()
		err := g.narrowSteps(&border{c.part, c.after})
		if !c.ok {
			if !errors.Is(err, ErrAnswer) {
				t.Errorf("part %d: %v", c.part, err)
			}
			continue
		}
		if err != nil || g.From != c.from || g.To != c.to || g.Before != at(c.from) || g.After != c.after || g.Stage != PickStep {
			t.Errorf("part %d: steps %d to %d, at %s: %v", c.part, g.From, g.To, g.Stage, err)
			continue
		}
		if err := g.Choose(Choice{}, nil); !errors.Is(err, ErrChoice) {
			t.Errorf("part %d: a choice that shows nothing: %v", c.part, err)
		}
		if err := g.Choose(shown(g), nil); err != nil || g.Stage != AskTranscript {
			t.Errorf("part %d: %v, at %s", c.part, err, g.Stage)
		}
	}
}
