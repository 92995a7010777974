package workshop

import (
	"bytes"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/learn/optim"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/bisect"
)

// TestProgramsKnowWhatTrainersKnow compares the referee's source, which has no data, with that of a machine that has it.
func TestProgramsKnowWhatTrainersKnow(t *testing.T) {
	programs := NewPrograms()
	for _, name := range []string{"diagnosis", "gocode"} {
		trainer := example(t, name, nil)
		set := exampleSet(t, name, trainer.Recipe())
		shard, steps := protocol.Hash{5}, trainer.Recipe().Train.Steps
		got, err := programs.Source(trainer.Recipe().Encode(), uint64(set.RecordSize), uint64(set.Count), shard, steps)
		if err != nil {
			t.Fatal(err)
		}
		want := NewSource(trainer.Outline, shard, steps)
		for p := range 17 {
			if got.PointStep(p) != want.PointStep(p) {
				t.Errorf("%s: point %d is after step %d, not %d", name, p, got.PointStep(p), want.PointStep(p))
			}
		}
		for _, v := range trainer.StepGraph().Inputs {
			compareInitial(t, got, want, v.Name)
			compareInputs(t, got, want, v, set.Record)
		}
		size := want.PayloadSize()
		if got.PayloadSize() != size {
			t.Errorf("%s: payload of %d bytes, not %d", name, got.PayloadSize(), size)
		}
		for _, at := range []int{0, 7, 8, 9, size / 2, size - 1} {
			a, b := got.Slot(at), want.Slot(at)
			if a.Known != b.Known || a.Byte != b.Byte || a.Name != b.Name || !slices.Equal(a.Shape, b.Shape) || a.First != b.First || a.Count != b.Count || a.Index != b.Index {
				t.Errorf("%s: byte %d: %+v, not %+v", name, at, a, b)
			}
		}
	}
}

func compareInitial(t *testing.T, got, want bisect.Source, name string) {
	t.Helper()
	a, inA := got.Initial(name)
	b, inB := want.Initial(name)
	if a != b || inA != inB {
		t.Errorf("%s starts from %d, %v, not %d, %v", name, a, inA, b, inB)
	}
}

func compareInputs(t *testing.T, got, want bisect.Source, v graph.Value, record func(int) []byte) {
	t.Helper()
	for _, step := range []int{0, 1, 19} {
		for _, element := range []int{0, v.Len() / 2, v.Len() - 1} {
			a, failedA := got.Input(step, v.Name, element)
			b, failedB := want.Input(step, v.Name, element)
			if a.Record != b.Record || a.Bits != b.Bits || (failedA == nil) != (failedB == nil) {
				t.Fatalf("%s[%d] of step %d: %+v %v, not %+v %v", v.Name, element, step, a, failedA, b, failedB)
			}
			if failedA != nil || a.Record < 0 {
				continue
			}
			x, err := a.Find(record(a.Record))
			y, err2 := b.Find(record(b.Record))
			if x != y || err != nil || err2 != nil {
				t.Errorf("%s[%d] of step %d: %d %v, not %d %v", v.Name, element, step, x, err, y, err2)
			}
		}
	}
	if a, err := got.Input(3, optim.LearningRate, 0); err != nil || a.Record >= 0 {
		t.Errorf("rate: %+v, %v", a, err)
	}
}

// TestProgramsRefuse asks for what a stranger may have put on the ledger.
func TestProgramsRefuse(t *testing.T) {
	trainer := example(t, "diagnosis", nil)
	good := trainer.Recipe().Encode()
	steps := trainer.Recipe().Train.Steps
	for name, c := range map[string]struct {
		recipe        []byte
		size, records uint64
		steps         int
	}{
		"no recipe":           {nil, 124, 569, steps},
		"half a recipe":       {good[:len(good)/2], 124, 569, steps},
		"a recipe and more":   {append(bytes.Clone(good), 0), 124, 569, steps},
		"no records":          {good, 124, 0, steps},
		"one record":          {good, 124, 1, steps},
		"too many records":    {good, 124, 1 << 63, steps},
		"records of no bytes": {good, 0, 569, steps},
		"records of a label":  {good, 4, 569, steps},
		"crooked records":     {good, 125, 569, steps},
		"huge records":        {good, 1 << 40, 569, steps},
		"no steps":            {good, 124, 569, 0},
		"too many steps":      {good, 124, 569, steps + 1},
	} {
		if _, err := NewPrograms().Source(c.recipe, c.size, c.records, protocol.Hash{}, c.steps); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzPrograms hands recipes from strangers to the referee: they may be refused, nothing else.
func FuzzPrograms(f *testing.F) {
	for _, name := range []string{"diagnosis", "gocode"} {
		f.Add(example(f, name, func(r *recipe.Recipe) { r.Train.Batch = 2 }).Recipe().Encode(), uint64(124), uint64(569))
	}
	f.Fuzz(func(t *testing.T, encoded []byte, size, records uint64) {
		if NewPrograms().Effort(encoded) > 100 {
			return // nothing new, and slow
		}
		s, err := NewPrograms().Source(encoded, size, records, protocol.Hash{1}, 1)
		if err != nil {
			return
		}
		for p := range 17 {
			s.PointStep(p)
		}
		s.Slot(0)
		s.Slot(s.PayloadSize() - 1)
	})
}
