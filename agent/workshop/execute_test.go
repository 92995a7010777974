package workshop

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/payload"
	"github.com/mutirao/mutirao/learn/recipe"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
	"github.com/mutirao/mutirao/verify/trace"
)

// fruit is a workshop for the simulator's small run.
func fruit(t *testing.T, d disk) *Workshop {
	t.Helper()
	dir := filepath.Join("..", "..", "sim", "testdata")
	file, err := os.ReadFile(filepath.Join(dir, "fruit.toml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.Load(r, dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(d, r, set)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// unit executes the first unit of a run that starts from the workshop's initial state.
func unit(t *testing.T, w *Workshop) *Execution {
	t.Helper()
	public, err := w.Trainer().Initial()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := w.Keep(t.Context(), public)
	if err != nil {
		t.Fatal(err)
	}
	s := &work.State{Spec: work.Spec{Steps: 3}, Current: ref, Round: &work.Round{Units: []work.Unit{{}}}}
	e, err := w.Execute(t.Context(), s, 0)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestExplainNamesWhatDiffers: a claim that is not confirmed is never explained by nothing, also when only its trace is wrong.
func TestExplainNamesWhatDiffers(t *testing.T) {
	w := fruit(t, disk{})
	e := unit(t, w)
	right, err := w.Offer(t.Context(), e, e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	if text := w.Explain(e, right, e.Payload); !e.Opening.Agrees(right) || text != "" {
		t.Errorf("the right claim: %q", text)
	}
	other := right
	other.Trace[0]++
	if text := w.Explain(e, other, e.Payload); e.Opening.Agrees(other) || !strings.Contains(text, "the trace is not") || len(text) > work.MaxDetail {
		t.Errorf("another trace: %q", text)
	}
}

// TestFirstPoint: the start of a unit, which nobody hashes, has the root that hashing gives.
func TestFirstPoint(t *testing.T) {
	w := fruit(t, disk{})
	e := unit(t, w)
	public, err := w.Trainer().Initial()
	if err != nil {
		t.Fatal(err)
	}
	var points work.Points
	_, err = w.Trainer().Unit(t.Context(), round.Task{Theta: public.Theta, Steps: 3}, func(point int, state []round.Entry) error {
		var list []trace.Entry
		for _, s := range state {
			list = append(list, trace.Entry(s))
		}
		points[point] = trace.StateRoot(list)
		return nil
	})
	if err != nil || points != e.Opening.Points {
		t.Errorf("points %v, want %v (%v)", e.Opening.Points[:2], points[:2], err)
	}
}

// TestFetchAsksForOneSize: the size that a worker reveals, and that of the blob it names, are those of the model's payloads, or
// nothing is fetched.
func TestFetchAsksForOneSize(t *testing.T) {
	w := fruit(t, disk{})
	e := unit(t, w)
	right, err := w.Offer(t.Context(), e, e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Fetch(t.Context(), right.Payload); err != nil {
		t.Fatal(err)
	}
	long := append(e.Payload[:len(e.Payload):len(e.Payload)], 0)
	large, err := w.Offer(t.Context(), e, long)
	if err != nil {
		t.Fatal(err)
	}
	asked := &limits{Blobs: w.blobs.Blobs}
	w.blobs.Blobs = asked
	if _, err := w.Fetch(t.Context(), large.Payload); !errors.Is(err, ErrMismatch) || asked.max != 0 {
		t.Errorf("a size that no payload has: %v, asked for %d bytes", err, asked.max)
	}
	large.Payload.Size = right.Payload.Size
	if _, err := w.Fetch(t.Context(), large.Payload); err == nil || asked.max != int64(payload.Size(w.Trainer().Layout())) {
		t.Errorf("a blob of another size than revealed: %v, asked for %d bytes", err, asked.max)
	}
}

// limits notes how many bytes were asked for.
type limits struct {
	agent.Blobs
	max int64
}

func (l *limits) GetAtMost(ctx context.Context, id protocol.Hash, max int64) ([]byte, error) {
	l.max = max
	return l.Blobs.GetAtMost(ctx, id, max)
}
