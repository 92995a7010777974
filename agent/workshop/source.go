package workshop

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/mutirao/mutirao/learn/optim"
	"github.com/mutirao/mutirao/learn/payload"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/bisect"
	"github.com/mutirao/mutirao/verify/trace"
)

// Source knows what a unit of a recipe reads and sends: it implements bisect.Source. It is the same for both players and the referee.
type Source struct {
	outline *round.Outline
	seed    protocol.Hash
	steps   int
}

// NewSource is the source of a unit with a shard's seed.
func NewSource(t *round.Outline, seed protocol.Hash, steps int) Source { return Source{t, seed, steps} }

// PointStep implements bisect.Source.
func (s Source) PointStep(point int) int { return s.outline.PointStep(point, s.steps) }

// Initial implements bisect.Source.
func (s Source) Initial(state string) (uint64, bool) {
	for _, w := range s.outline.Layout() {
		if w.Name == state {
			return 0, true
		}
	}
	return uint64(trace.CanonicalBits(optim.Initial(state))), false
}

// Origin implements bisect.Source: a unit starts from the model alone.
func (s Source) Origin(string) (bisect.Origin, bool) { return bisect.Origin{}, false }

// Input implements bisect.Source.
func (s Source) Input(step int, name string, element int) (bisect.Datum, error) {
	if name == optim.LearningRate {
		return bisect.Datum{Record: -1, Bits: uint64(trace.CanonicalBits(s.outline.Rate(step, s.steps)))}, nil
	}
	for _, v := range s.outline.StepGraph().Inputs {
		if v.Name != name || s.isState(name) {
			continue
		}
		batch := s.outline.Recipe().Train.Batch
		each := v.Len() / batch
		return bisect.Datum{Record: s.outline.RecordOf(s.seed, step, element/each), Find: func(record []byte) (uint64, error) {
			one, err := s.outline.ReadRecord(record)
			if err != nil {
				return 0, err
			}
			return trace.Element(one[name], element%each), nil
		}}, nil
	}
	return bisect.Datum{}, errors.New("not read from the data set")
}

func (s Source) isState(name string) bool {
	for _, v := range s.outline.StepGraph().Outputs {
		if x, ok := strings.CutPrefix(v.Name, optim.Next); ok && x == name {
			return true
		}
	}
	return false
}

// PayloadSize implements bisect.Source.
func (s Source) PayloadSize() int { return payload.Size(s.outline.Layout()) }

// Slot implements bisect.Source.
func (s Source) Slot(offset int) bisect.Slot {
	p := payload.Locate(offset, s.outline.Layout())
	return bisect.Slot{Known: p.Head, Byte: p.Byte, Name: p.Name, Shape: p.Shape, First: p.First, Count: p.Count, Index: p.Index,
		Encode: func(before, after []float32) ([]byte, error) {
			change := make([]float32, len(before))
			for i := range change {
				change[i] = before[i] - after[i]
			}
			return payload.EncodeBlock(change)
		}}
}

// keptOutlines bounds the outlines that Programs keeps: disputes over more runs at one time make some of them anew.
const keptOutlines = 16

// Programs makes the sources of units from what a ledger keeps about a run: what a referee is wired with. It is safe for concurrent
// use; what it returns depends on the arguments alone.
type Programs struct {
	mu   sync.Mutex
	made map[[32]byte]*round.Outline
}

// NewPrograms returns one that has made nothing yet.
func NewPrograms() *Programs { return &Programs{made: map[[32]byte]*round.Outline{}} }

// Source is that of a unit with a shard's seed and so many steps, by the recipe of its run and the size and number of the records of
// its data set.
func (p *Programs) Source(encoded []byte, recordSize, records uint64, shard protocol.Hash, steps int) (bisect.Source, error) {
	o, err := p.outline(encoded, recordSize, records)
	if err != nil {
		return nil, err
	}
	if steps < 1 || steps > o.Recipe().Train.Steps {
		return nil, fmt.Errorf("%w: %d steps, the recipe has %d", round.ErrState, steps, o.Recipe().Train.Steps)
	}
	return NewSource(o, shard, steps), nil
}

// Aggregate is the hash of the program that aggregates so many units of a run.
func (p *Programs) Aggregate(encoded []byte, recordSize, records uint64, units int) (protocol.Hash, error) {
	o, err := p.outline(encoded, recordSize, records)
	if err != nil {
		return protocol.Hash{}, err
	}
	_, program, err := FoldProgram(o, units)
	if err != nil {
		return protocol.Hash{}, err
	}
	return program.Root(), nil
}

// Fold is the source of an aggregate from a model and dispute.AggregateInputs.
func (p *Programs) Fold(encoded []byte, recordSize, records uint64, model protocol.Hash, inputs []protocol.Hash) (bisect.Source, error) {
	o, err := p.outline(encoded, recordSize, records)
	if err != nil {
		return nil, err
	}
	if len(inputs) < 2 {
		return nil, fmt.Errorf("%w: an aggregate of nothing", round.ErrState)
	}
	return NewFoldSource(o, model, inputs), nil
}

// Effort is a measure of the work that Source may take, from the recipe alone; 0 for a recipe that cannot be read, which Source refuses.
func (p *Programs) Effort(encoded []byte) uint64 {
	r, err := recipe.Decode(encoded)
	if err != nil {
		return 0
	}
	return uint64(round.Effort(r))
}

func (p *Programs) outline(encoded []byte, recordSize, records uint64) (*round.Outline, error) {
	const most = 1 << 31 // far above what an outline takes; below it, numbers are ints everywhere
	if recordSize > most || records > most {
		return nil, fmt.Errorf("%w: %d records of %d bytes", recipe.ErrInvalid, records, recordSize)
	}
	key := sha256.Sum256(append(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, recordSize), records), encoded...))
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.made[key]; o != nil {
		return o, nil
	}
	r, err := recipe.Decode(encoded)
	if err != nil {
		return nil, err
	}
	o, err := round.NewOutline(r, int(recordSize), int(records))
	if err != nil {
		return nil, err
	}
	if len(p.made) == keptOutlines {
		clear(p.made) // rare, and every one can be made again
	}
	p.made[key] = o
	return o, nil
}
