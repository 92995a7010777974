package kernel

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"
)

var (
	peerProgram = flag.String("peer", "", "the program of bench/gemm.sh that runs other libraries' products")
	peerRows    = flag.Int("peer.m", 0, "run the shapes of so many rows only; 0 runs all")
	peerKind    = flag.String("peer.kind", "fp32", "fp32 or int8")
)

// peer is a child process that times products of other libraries on request.
type peer struct {
	in  io.Writer
	out *bufio.Reader
}

// seconds is the time of the fastest product that the library made in d.
func (p *peer) seconds(t *testing.T, library string, s [3]int, d time.Duration) float64 {
	t.Helper()
	fmt.Fprintf(p.in, "%s %d %d %d %d %d\n", library, s[0], s[1], s[2], runtime.GOMAXPROCS(0), d.Milliseconds())
	var seconds float64
	if _, err := fmt.Fscan(p.out, &seconds); err != nil {
		t.Fatalf("%s %v: %v", library, s, err)
	}
	// Threads of the library may still spin.
	time.Sleep(40 * time.Millisecond)
	return seconds
}

// fastest is the time of the fastest call of f in d.
func fastest(d time.Duration, f func()) float64 {
	least := time.Hour
	for end, runs := time.Now().Add(d), 0; runs < 3 || time.Now().Before(end); runs++ {
		start := time.Now()
		f()
		least = min(least, time.Since(start))
	}
	return least.Seconds()
}

// peerShapes are m, k, n: cubes, and the layers of transformers.
func peerShapes() (shapes [][3]int) {
	defer func() {
		shapes = slices.DeleteFunc(shapes, func(s [3]int) bool { return *peerRows != 0 && s[0] != *peerRows })
	}()
	for _, n := range []int{256, 512, 1024, 2048} {
		shapes = append(shapes, [3]int{n, n, n})
	}
	for _, m := range []int{1, 8, 64, 512} {
		for _, kn := range [][2]int{{768, 768}, {768, 3072}, {3072, 768}, {1024, 4096}, {4096, 4096}} {
			shapes = append(shapes, [3]int{m, kn[0], kn[1]})
		}
	}
	return shapes
}

// TestBesidePeers prints how our products compare with other libraries' on the same cores, by turns. It measures only,
// and runs only if bench/gemm.sh gives it a peer.
func TestBesidePeers(t *testing.T) {
	if *peerProgram == "" {
		t.Skip("needs -peer: see bench/gemm.sh")
	}
	cmd := exec.Command(*peerProgram)
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
	p := &peer{in: in, out: bufio.NewReader(out)}
	fmt.Printf("%s, %d thread(s), %s\n", *peerKind, runtime.GOMAXPROCS(0), Active())
	switch *peerKind {
	case "fp32":
		compareFloat(t, p)
	case "int8":
		compareInt8(t, p)
	default:
		t.Fatalf("-peer.kind=%q is neither fp32 nor int8", *peerKind)
	}
}

// compareFloat prints fp32 products: the plain one, the packed one and the ratios of one of them; for one row also to the time that
// reading the weights takes.
func compareFloat(t *testing.T, p *peer) {
	fmt.Printf("%18s %10s %10s %10s %10s %12s %12s %12s\n", "m x k x n", "plain", "packed", "OpenBLAS", "oneDNN", "to OpenBLAS", "to oneDNN", "to reading")
	const rounds, burst = 3, 60 * time.Millisecond
	for _, s := range peerShapes() {
		m, k, n := s[0], s[1], s[2]
		a, b, c := normal(m*k), normal(k*n), make([]float32, m*n)
		packed := Pack(b, k, n, false)
		var times [5]float64
		for range rounds {
			for i, f := range []func() float64{
				func() float64 { return fastest(burst, func() { MatMul(c, a, b, m, k, n, false, false) }) },
				func() float64 { return fastest(burst, func() { MatMulPacked(c, a, packed, m, k, n, false) }) },
				func() float64 { return p.seconds(t, "openblas", s, burst) },
				func() float64 { return p.seconds(t, "onednn", s, burst) },
				func() float64 { return p.seconds(t, "read", s, burst) },
			} {
				if took := f(); times[i] == 0 || took < times[i] {
					times[i] = took
				}
			}
		}
		name := fmt.Sprintf("%dx%dx%d", m, k, n)
		rate := func(i int) float64 { return 2e-9 * float64(m) * float64(k) * float64(n) / times[i] }
		// Cubes are compared without packing, layers with it.
		ours := 1
		if m == n {
			ours = 0
		}
		fmt.Printf("%18s %10.1f %10.1f %10.1f %10.1f %12.2f %12.2f", name, rate(0), rate(1), rate(2), rate(3), times[2]/times[ours], times[3]/times[ours])
		if m == 1 {
			fmt.Printf(" %12.2f", times[4]/times[ours])
		}
		fmt.Println()
	}
}

// compareInt8 prints int8 products with packed weights.
func compareInt8(t *testing.T, p *peer) {
	fmt.Printf("%18s %10s %10s %12s   (Gop/s)\n", "m x k x n", "packed", "oneDNN", "to oneDNN")
	const rounds, burst = 3, 60 * time.Millisecond
	rng := rand.New(rand.NewPCG(1, 2))
	for _, s := range peerShapes() {
		m, k, n := s[0], s[1], s[2]
		a, c, packed := int8s(rng, m*k), make([]int32, m*n), PackInt8(int8s(rng, k*n), k, n, false)
		var ours, theirs float64
		for round := range rounds {
			o := fastest(burst, func() { MatMulInt8Packed(c, a, packed, m, k, n) })
			p := p.seconds(t, "onednn8", s, burst)
			if round == 0 {
				ours, theirs = o, p
			}
			ours, theirs = min(ours, o), min(theirs, p)
		}
		ops := 2e-9 * float64(m) * float64(k) * float64(n)
		fmt.Printf("%18s %10.1f %10.1f %12.2f\n", fmt.Sprintf("%dx%dx%d", m, k, n), ops/ours, ops/theirs, theirs/ours)
	}
}
