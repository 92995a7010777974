package round

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/recipe"
)

// TestWalk walks a unit from the start and from its middle: the states are those that Unit shows, and the end packs to its payload.
func TestWalk(t *testing.T) {
	for _, trainer := range []*Trainer{diagnosis(t, nil), text(t, func(r *recipe.Recipe) { r.Train.Steps = 4 })} {
		task := firstTask(t, trainer, 4)
		shown := map[int][]Entry{}
		out, err := trainer.Unit(context.Background(), task, func(point int, state []Entry) error {
			shown[trainer.PointStep(point, task.Steps)] = state
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var middle []Entry
		for _, from := range []int{0, 2} {
			var steps []int
			err := trainer.Walk(context.Background(), task, from, middle, func(step int, in map[string]*tensor.Tensor) (bool, error) {
				steps = append(steps, step)
				for _, e := range shown[step] {
					if !bytes.Equal(e.Tensor.Bytes(), in[e.Name].Bytes()) {
						t.Errorf("from step %d: %s differs after step %d", from, e.Name, step)
					}
				}
				if step == 2 && from == 0 {
					for _, e := range shown[0] {
						middle = append(middle, Entry{e.Name, e.Role, in[e.Name]})
					}
				}
				if step < task.Steps {
					checkRecords(t, trainer, task, step, in)
					return true, nil
				}
				var after []tensor.Named
				for _, w := range trainer.Layout() {
					after = append(after, tensor.Named{Name: w.Name, Tensor: in[w.Name]})
				}
				sent, err := trainer.Pack(task.Theta, after)
				if err != nil || !bytes.Equal(sent, out.Payload) {
					t.Errorf("from step %d: another payload, %v", from, err)
				}
				return true, nil
			})
			if want := []int{0, 1, 2, 3, 4}[from:]; err != nil || !slices.Equal(steps, want) {
				t.Errorf("from step %d: visited %v, want %v: %v", from, steps, want, err)
			}
		}
		if err := trainer.Walk(context.Background(), task, 5, nil, nil); err == nil {
			t.Error("a walk from beyond the end")
		}
	}
}

// checkRecords looks up every row of a batch on its own.
func checkRecords(t *testing.T, trainer *Trainer, task Task, step int, in map[string]*tensor.Tensor) {
	t.Helper()
	batch := trainer.Recipe().Train.Batch
	for row := range batch {
		one, err := trainer.ReadRecord(trainer.set.Record(trainer.RecordOf(task.Seed, step, row)))
		if err != nil {
			t.Fatal(err)
		}
		for name, x := range one {
			n := in[name].Len() / batch
			if got := in[name].Append(nil, row*n, (row+1)*n); !bytes.Equal(got, x.Bytes()) {
				t.Fatalf("step %d, row %d: %s differs", step, row, name)
			}
		}
	}
	if got := in["learning_rate"].Float32()[0]; got != trainer.Rate(step, task.Steps) {
		t.Error(fmt.Sprint("rate ", got))
	}
	if _, err := trainer.ReadRecord([]byte{1}); err == nil {
		t.Error("a record of one byte")
	}
}
