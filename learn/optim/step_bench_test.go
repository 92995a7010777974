package optim

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/tensor"
)

func sqrt32(x float32) float32 { return float32(math.Sqrt(float64(x))) }

var (
	measured = flag.String("measure", "", "network whose training step TestMeasure times")
	duration = flag.Duration("measure.time", 3*time.Second, "how long")
)

// nets are those of bench/train/peer.py.
var nets = map[string]net{"mlp": perceptron(128, 784, 1024), "cnn": convolutional(32, 32, 32, 64, 128), "transformer": decoder(8, 128, 384, 6, 6)}

// session is a compiled step with its state, which each step replaces.
type session struct {
	program *exec.Program
	in, out map[string]*tensor.Tensor
	steps   int
}

func newSession(t testing.TB, n net) *session {
	b, gradients := n.loss(t)
	AppendAdamW(b.Builder, b.params, gradients, hyper)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	s := &session{in: b.feed, out: map[string]*tensor.Tensor{}}
	update := exec.Update{State: map[string]string{}, Guard: SumSquares}
	for _, v := range g.Inputs {
		switch {
		case s.in[v.Name] != nil:
		case v.Name == LearningRate:
			s.in[v.Name] = tensor.Scalar(1e-3)
		case strings.HasSuffix(v.Name, "_power"):
			s.in[v.Name] = tensor.Scalar(1)
		default:
			s.in[v.Name] = tensor.New(v.DType, v.Shape...)
		}
	}
	for _, v := range g.Outputs {
		if name, ok := strings.CutPrefix(v.Name, Next); ok {
			update.State[v.Name] = name
		} else {
			s.out[v.Name] = tensor.New(v.DType, v.Shape...)
		}
	}
	if s.program, err = exec.CompileUpdate(g, update); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *session) step(t testing.TB) float32 {
	s.steps++
	if err := s.program.RunInto(s.in, s.out); err != nil {
		t.Fatal(err)
	}
	return s.out["loss"].Float32()[0]
}

// TestStepAllocatesNothing: once a step has run, further ones take no memory.
func TestStepAllocatesNothing(t *testing.T) {
	for _, n := range []net{perceptron(32, 20, 24), convolutional(2, 8, 4, 8), decoder(2, 16, 32, 2, 2)} {
		s := newSession(t, n)
		if got := testing.AllocsPerRun(10, func() { s.step(t) }); got != 0 {
			t.Errorf("%s: %v allocations in a step, want none", n.name, got)
		}
	}
}

// resident reads a line of /proc/self/status in MB.
func resident(key string) float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		var kb float64
		if _, err := fmt.Sscanf(line, key+": %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	return math.NaN()
}

// TestMeasure prints one line as bench/train/peer.py does.
func TestMeasure(t *testing.T) {
	if *measured == "" {
		t.Skip("for bench/train.sh: -measure NAME")
	}
	before := resident("VmRSS")
	s := newSession(t, nets[*measured])
	best := time.Duration(math.MaxInt64)
	for end := time.Now().Add(*duration); s.steps < 4 || time.Now().Before(end); {
		start := time.Now()
		s.step(t)
		best = min(best, time.Since(start))
	}
	fmt.Printf("%s %d %.3f %.1f\n", *measured, s.steps, best.Seconds()*1e3, resident("VmHWM")-before)
}
