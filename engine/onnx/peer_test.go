package onnx

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	engine "github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var (
	peerCommand = flag.String("peer", "", "the command of bench/onnx.sh that runs models with ONNX Runtime")
	peerModels  = flag.String("peer.models", "", "models, each FILE,NAME=SIZE,... with the sizes of named dimensions; spaces between them")
	peerTurn    = flag.Duration("peer.turn", 600*time.Millisecond, "how long each turn takes")
	peerTurns   = flag.Int("peer.turns", 3, "turns of each")
)

// runtimePeer is a child process that runs models with ONNX Runtime on request (bench/onnx/peer.py).
type runtimePeer struct {
	in  io.Writer
	out *bufio.Reader
}

func (p *runtimePeer) ask(t *testing.T, format string, args ...any) string {
	t.Helper()
	fmt.Fprintf(p.in, format+"\n", args...)
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("asked "+format+": %v", append(args, err)...)
	}
	return strings.TrimSpace(line)
}

// TestBesidePeers prints how models run beside ONNX Runtime on the same cores, by turns, and how far the outputs are apart. It
// measures only, and runs only if bench/onnx.sh gives it a peer.
func TestBesidePeers(t *testing.T) {
	if *peerCommand == "" {
		t.Skip("needs -peer: see bench/onnx.sh")
	}
	words := strings.Fields(*peerCommand)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	p := &runtimePeer{in, bufio.NewReader(out)}
	fmt.Printf("%d thread(s), %s, ONNX Runtime %s\n", runtime.GOMAXPROCS(0), kernel.Active(), p.ask(t, "version"))
	fmt.Printf("%-34s %12s %12s %8s %14s\n", "model", "ours", "ONNX Runtime", "ratio", "largest error")
	for _, model := range strings.Fields(*peerModels) {
		compareModel(t, p, model)
	}
}

// compareModel prints one line for a model with sizes of its named dimensions.
func compareModel(t *testing.T, p *runtimePeer, model string) {
	file, sizes, _ := strings.Cut(model, ",")
	named := map[string]int{}
	for _, pair := range strings.Split(sizes, ",") {
		if name, size, ok := strings.Cut(pair, "="); ok {
			n, err := strconv.Atoi(size)
			if err != nil {
				t.Fatalf("%s: %v", model, err)
			}
			named[name] = n
		}
	}
	m, err := LoadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	r := rand.New(rand.NewPCG(51, 52))
	feeds, inputs, dims := map[string]Feed{}, map[string]*tensor.Tensor{}, []string{}
	for i, port := range m.Inputs() {
		x := noise(r, port, named)
		feeds[port.Name], inputs[port.Name] = Feed{DType: x.DType(), Shape: x.Shape()}, x
		dims = append(dims, "dims "+strings.Trim(fmt.Sprint(x.Shape()), "[]"))
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(i, ".bin")), x.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g, err := m.Specialise(feeds)
	if err != nil {
		t.Fatalf("%s: %v", model, err)
	}
	if g, err = engine.Optimize(g); err != nil {
		t.Fatalf("%s: %v", model, err)
	}
	program, err := engine.Compile(g)
	if err != nil {
		t.Fatalf("%s: %v", model, err)
	}
	outputs, err := program.Run(inputs)
	if err != nil {
		t.Fatalf("%s: %v", model, err)
	}
	p.ask(t, "open %s %d", file, runtime.GOMAXPROCS(0))
	p.ask(t, "feed %s\n%s", folder, strings.Join(dims, "\n"))
	ours, theirs := math.Inf(1), math.Inf(1)
	for range *peerTurns {
		for end, runs := time.Now().Add(*peerTurn), 0; runs < 3 || time.Now().Before(end); runs++ {
			start := time.Now()
			if err := program.RunInto(inputs, outputs); err != nil {
				t.Fatal(err)
			}
			ours = min(ours, time.Since(start).Seconds())
		}
		seconds, err := strconv.ParseFloat(p.ask(t, "run %d", peerTurn.Milliseconds()), 64)
		if err != nil {
			t.Fatal(err)
		}
		theirs = min(theirs, seconds)
		time.Sleep(40 * time.Millisecond) // its threads may still spin
	}
	p.ask(t, "out %s", folder)
	worst, scale := 0.0, 0.0
	for i, port := range m.Outputs() {
		b, err := os.ReadFile(filepath.Join(folder, fmt.Sprint(i, ".bin")))
		if err != nil {
			t.Fatal(err)
		}
		got := outputs[port.Name]
		if got.DType() != tensor.Float32 || len(b) != 4*got.Len() {
			continue
		}
		for j, v := range got.Float32() {
			want := float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*j:])))
			worst, scale = max(worst, math.Abs(float64(v)-want)), max(scale, math.Abs(want))
		}
	}
	name := strings.TrimSuffix(filepath.Base(file), ".onnx")
	if sizes != "" {
		name += " " + sizes
	}
	fmt.Printf("%-34s %9.2f ms %9.2f ms %8.2f %8.1e of %.1f\n", name, 1e3*ours, 1e3*theirs, theirs/ours, worst, scale)
	if !(worst <= 1e-3*scale) {
		t.Errorf("%s: outputs differ by %g of %g", model, worst, scale)
	}
}

// noise is an input: normal deviates, small whole numbers, or true.
func noise(r *rand.Rand, port Port, named map[string]int) *tensor.Tensor {
	var shape []int
	for _, d := range port.Dims {
		if d.Size == 0 {
			d.Size = max(1, named[d.Symbol])
		}
		shape = append(shape, d.Size)
	}
	x := tensor.New(port.DType, shape...)
	switch port.DType {
	case tensor.Float32:
		for i := range x.Float32() {
			x.Float32()[i] = float32(r.NormFloat64())
		}
	case tensor.Int64:
		for i := range x.Int64() {
			x.Int64()[i] = r.Int64N(2)
			if strings.Contains(port.Name, "ids") && !strings.Contains(port.Name, "type") {
				x.Int64()[i] = r.Int64N(1000)
			}
			if strings.Contains(port.Name, "mask") {
				x.Int64()[i] = 1
			}
		}
	case tensor.Bool:
		for i := range x.Bool() {
			x.Bool()[i] = true
		}
	}
	return x
}
