package round

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/optim"
	"github.com/mutirao/mutirao/learn/recipe"
)

// The golden values are bits. They hold on every machine, for every kernel (MUTIRAO_KERNEL), any number
// of threads and any GOAMD64. If one changes, runs that are under way can no longer be verified: find out
// why before writing the new value here.

// text is a trainer of the model in examples/gocode on bytes that are the same everywhere: the
// measurements of examples/diagnosis, read as text. Batches are small for the portable kernels' sake.
func text(t testing.TB, change func(*recipe.Recipe)) *Trainer {
	examples := filepath.Join("..", "..", "examples")
	file, err := os.ReadFile(filepath.Join(examples, "gocode", "run.toml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	r.Train.Batch = 2
	if change != nil {
		change(r)
	}
	bytes, err := os.ReadFile(filepath.Join(examples, "diagnosis", "wdbc.csv"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.CutText(bytes, r.Model.Context)
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := NewTrainer(r, set)
	if err != nil {
		t.Fatal(err)
	}
	return trainer
}

// tenLosses takes ten inner steps and returns the bits of their losses.
func tenLosses(t *testing.T, trainer *Trainer) (bits [10]uint32) {
	in := trainer.begin(firstTask(t, trainer, 1).Theta, shardSeed(0, 0))
	for j := range bits {
		if err := in.advance(optim.Rate(trainer.Recipe().Train.LR, j, 10)); err != nil {
			t.Fatal(err)
		}
		bits[j] = math.Float32bits(in.losses[j])
	}
	return bits
}

func TestGoldenLosses(t *testing.T) {
	for _, c := range []struct {
		name    string
		trainer *Trainer
		want    [10]uint32
	}{
		{"diagnosis", diagnosis(t, nil), [10]uint32{
			0x3f44b652, 0x3f258078, 0x3f0b68ce, 0x3f1f7a6c, 0x3f2d48e4, 0x3f2037be, 0x3f1fe6f8, 0x3f20fb11, 0x3f1d63ec, 0x3f23611a}},
		{"text", text(t, nil), [10]uint32{
			0x40b1749a, 0x40ac8aae, 0x40a4c020, 0x409ab5b6, 0x408c1e4c, 0x40793d3a, 0x405aa23e, 0x4041e0ec, 0x4032e94a, 0x4026a937}},
	} {
		if got := tenLosses(t, c.trainer); got != c.want {
			t.Errorf("%s with kernel %s: losses %#08x, want %#08x", c.name, kernel.Active(), got, c.want)
		}
	}
}

// TestGoldenRun runs six machines for three rounds of diagnosis and two for one short round of text, on
// one and on two threads.
func TestGoldenRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, threads := range []int{1, 2} {
		runtime.GOMAXPROCS(threads)
		for _, c := range []struct {
			name            string
			trainer         *Trainer
			rounds, workers int
			want            string
		}{
			{"diagnosis", diagnosis(t, nil), 3, 6, "ed0a54f0379ff35463d3e6d1c86c6621e2f221b21ad43e6fcdc5f79baeff6dd8"},
			{"text", text(t, func(r *recipe.Recipe) { r.Train.Steps = 2 }), 1, 2, "555c35663188ee575179792154c605da7da46c471b6541b1a4c346a87a0d6196"},
		} {
			p := run(t, c.trainer, c.rounds, c.workers, nil)
			if got := digest(p.Theta); got != c.want {
				t.Errorf("%s with kernel %s on %d threads: weights %s, want %s", c.name, kernel.Active(), threads, got, c.want)
			}
		}
	}
}

// TestResume checks that a run continued from its encoded public state ends with the same bits.
func TestResume(t *testing.T) {
	trainer := diagnosis(t, func(r *recipe.Recipe) { r.Train.Steps = 20 })
	var middle []byte
	whole := run(t, trainer, 4, 2, func(round int, p Public, _ float32) {
		if round == 2 {
			middle = EncodePublic(p)
		}
	})
	fresh := diagnosis(t, func(r *recipe.Recipe) { r.Train.Steps = 20 })
	p, err := DecodePublic(middle)
	if err != nil {
		t.Fatal(err)
	}
	for round := 2; round < 4; round++ {
		var cs []Contribution
		for w := range 2 {
			out, err := fresh.Unit(context.Background(), Task{Theta: p.Theta, Seed: shardSeed(round, w), Steps: 20}, nil)
			if err != nil {
				t.Fatal(err)
			}
			cs = append(cs, Contribution{out.Payload, out.Tokens})
		}
		if p, _, err = fresh.Aggregate(p, cs); err != nil {
			t.Fatal(err)
		}
	}
	a, b := sha256.Sum256(EncodePublic(whole)), sha256.Sum256(EncodePublic(p))
	if a != b {
		t.Errorf("resumed run ends with %s, the whole with %s", hex.EncodeToString(b[:8]), hex.EncodeToString(a[:8]))
	}
}
