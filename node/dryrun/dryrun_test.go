package dryrun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/node/failure"
)

var diagnosis = filepath.Join("..", "..", "examples", "diagnosis", "run.toml")

// The run file expects 6 providers and 4 verifiers, 8 rounds of at most 8 units, a coin each.
func TestReportOfDiagnosis(t *testing.T) {
	var progress bytes.Buffer
	p, err := Run(context.Background(), Options{File: diagnosis, Rounds: 2, Progress: &progress})
	if err != nil {
		t.Fatal(err)
	}
	if p.Price.Expected != "48 MUT" || p.Price.Locked != "64 MUT" || p.Price.Units != 48 || p.Price.MaxUnits != 64 {
		t.Errorf("price: %+v", p.Price)
	}
	payload := uint64(p.Unit.PayloadBytes)
	if p.Traffic.UpBytes != 9*payload || p.Traffic.DownBytes != 5*payload {
		t.Errorf("payload %d, traffic %+v", payload, p.Traffic)
	}
	// The same formula for the simulated crowd must give what was really moved: two providers and a verifier.
	up, down := exchanged(p.Unit.PayloadBytes, 2, 1)
	if up+up != p.Traffic.SimulatedBytes || down != payload {
		t.Errorf("two providers should send %d each, %d were moved", up, p.Traffic.SimulatedBytes)
	}
	if len(p.Rounds) != 3 || !(p.Rounds[2].Loss < p.Rounds[0].Loss/2) || !(p.Rounds[2].AUC > 0.95) {
		t.Errorf("two rounds should halve the loss: %+v", p.Rounds)
	}
	if tm := p.Time; tm.RunSeconds != 8*tm.RoundSeconds || tm.RoundSeconds < tm.ComputeSeconds+tm.AuditSeconds || tm.ComputeSeconds <= 0 {
		t.Errorf("time: %+v", p.Time)
	}
	if !strings.Contains(progress.String(), "round 2: provider-1 computes") {
		t.Errorf("progress: %s", &progress)
	}
	var text bytes.Buffer
	if err := p.Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"48 MUT for 48 units", "locked: 64 MUT", "before", "round 2"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, &text)
		}
	}
	if b, err := json.Marshal(p); err != nil || !strings.HasPrefix(string(b), `{"schema":"mutirao.dry-run/v1",`) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestMistakesAreExplained(t *testing.T) {
	good, err := os.ReadFile(diagnosis)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		old, new string
		code     int
		want     []string
	}{
		{"steps = 100", "stepps = 100", failure.Usage, []string{"line 18", `unknown key "train.stepps"`, `did you mean "train.steps"`}},
		{"batch = 32", "batch = 0", failure.Usage, []string{"line 19: train.batch", "outside"}},
		{"wdbc.csv", "none.csv", failure.NotFound, []string{"data of the run", "none.csv", "data.path"}},
		{"max_units = 8", "max_units = 900", failure.Usage, []string{"network.max_units", "900 is outside 1 to 256"}},
		{"name =", "name", failure.Usage, []string{"line 3"}},
	} {
		if !bytes.Contains(good, []byte(c.old)) {
			t.Fatalf("the example has no %q any more", c.old)
		}
		file := filepath.Join(t.TempDir(), "run.toml")
		if err := os.WriteFile(file, bytes.Replace(good, []byte(c.old), []byte(c.new), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Run(context.Background(), Options{File: file, Rounds: 1, Progress: io.Discard})
		var text bytes.Buffer
		if code := failure.Report(&text, err); code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.new, code, c.code)
		}
		for _, want := range c.want {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: %q is not in\n%s", c.new, want, &text)
			}
		}
	}
}

func TestOptionsAndInterrupts(t *testing.T) {
	for _, o := range []Options{{File: diagnosis, Rounds: 0}, {File: diagnosis, Rounds: 9}} {
		o.Progress = io.Discard
		_, err := Run(context.Background(), o)
		if code := failure.Report(io.Discard, err); code != failure.Usage {
			t.Errorf("%d rounds: exit code %d", o.Rounds, code)
		}
	}
	if _, err := Run(context.Background(), Options{File: "none.toml", Rounds: 1, Progress: io.Discard}); failure.Report(io.Discard, err) != failure.NotFound {
		t.Errorf("no such file: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopper := writer(func(b []byte) {
		if bytes.HasPrefix(b, []byte("round 1")) {
			cancel() // in the middle of the simulation
		}
	})
	if _, err := Run(ctx, Options{File: diagnosis, Rounds: 1, Progress: stopper}); !errors.Is(err, context.Canceled) || failure.Report(io.Discard, err) != failure.Interrupted {
		t.Errorf("interrupted: %v", err)
	}
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }
