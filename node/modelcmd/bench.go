package modelcmd

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
)

// BenchOptions say what to measure.
type BenchOptions struct {
	File    string
	Inputs  []string // as for Run; random numbers and zeros if there are none
	Picture Picture
	Dims    map[string]int // sizes of named dimensions of random inputs
	Batch   int            // size of the first dimension of random inputs where the file leaves it open
	Threads int            // GOMAXPROCS while it runs; 0 leaves it
	Time    time.Duration  // how long to measure, at least three runs
}

// Bench is the answer of `mutirao model bench --json`.
type Bench struct {
	Schema    string            `json:"schema"` // "mutirao.model-bench/v1"
	File      string            `json:"file"`
	Processor string            `json:"processor"` // architecture and kernels
	Threads   int               `json:"threads"`
	Inputs    map[string]string `json:"inputs"` // type and shape
	Rows      int               `json:"rows"`   // of the first dimension of the first input
	Runs      int               `json:"runs"`
	P50       float64           `json:"p50_ms"`
	P95       float64           `json:"p95_ms"`
	Best      float64           `json:"best_ms"`
	PerSecond float64           `json:"rows_per_second"` // at the median
	MACs      uint64            `json:"macs"`
	GMACs     float64           `json:"gmacs_per_second"` // at the median
	Weights   uint64            `json:"weight_bytes"`
	Planned   uint64            `json:"planned_bytes"` // what a run needs beside weights, inputs and outputs
	Heap      uint64            `json:"heap_bytes"`    // of this process after the runs
	Allocated float64           `json:"allocations_per_run"`
	Bytes     float64           `json:"allocated_bytes_per_run"`
}

// warmUp is how many runs are not counted.
const warmUp = 3

// Measure runs a model over and over. It measures the steady state: the graph is compiled, outputs have their memory.
func Measure(o BenchOptions) (*Bench, error) {
	m, err := load(o.File)
	if err != nil {
		return nil, err
	}
	next := "mutirao model inspect " + o.File
	in, err := o.inputs(m)
	if err != nil {
		return nil, err
	}
	if o.Threads > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(o.Threads))
	}
	feeds := map[string]onnx.Feed{}
	for name, t := range in {
		feeds[name] = onnx.FeedOf(t)
	}
	g, err := m.specialise(feeds)
	if err != nil {
		return nil, failure.New(failure.General, "cannot measure "+o.File, err, next)
	}
	if g, err = exec.Optimize(g); err != nil {
		return nil, failure.New(failure.General, "cannot measure "+o.File, err, next)
	}
	p, err := exec.Compile(g)
	if err != nil {
		return nil, failure.New(failure.General, "cannot measure "+o.File, err, next)
	}
	given, out := map[string]*tensor.Tensor{}, map[string]*tensor.Tensor{}
	for _, v := range g.Inputs {
		given[v.Name] = in[v.Name]
	}
	for _, v := range g.Outputs {
		out[v.Name] = tensor.New(v.DType, v.Shape...)
	}
	r := &Bench{Schema: "mutirao.model-bench/v1", File: o.File, Processor: runtime.GOARCH, Threads: runtime.GOMAXPROCS(0), Inputs: map[string]string{}, Planned: uint64(p.Memory())}
	r.describe(g, m, given)
	if err := r.measure(func() error { return p.RunInto(given, out) }, o.Time); err != nil {
		return nil, failure.New(failure.General, "cannot run "+o.File, err, next)
	}
	return r, nil
}

func (r *Bench) describe(g *graph.Graph, m *model, in map[string]*tensor.Tensor) {
	r.MACs, _ = graph.MACs(g) // Specialise has validated g
	for _, t := range g.Initializers {
		r.Weights += uint64(t.Tensor.Len() * t.Tensor.DType().Size())
	}
	for i, p := range m.inputs() {
		if t := in[p.Name]; t != nil {
			r.Inputs[p.Name] = fmt.Sprintf("%v%v", t.DType(), t.Shape())
			if i == 0 && len(t.Shape()) > 0 {
				r.Rows = t.Shape()[0]
			}
		}
	}
	r.Rows = max(1, r.Rows)
}

// measure times runs one by one.
func (r *Bench) measure(run func() error, atLeast time.Duration) error {
	for range warmUp {
		if err := run(); err != nil {
			return err
		}
	}
	var before, after runtime.MemStats
	times := make([]time.Duration, 0, 1<<16)
	runtime.ReadMemStats(&before)
	for start := time.Now(); len(times) < 3 || time.Since(start) < atLeast && len(times) < cap(times); {
		at := time.Now()
		if err := run(); err != nil {
			return err
		}
		times = append(times, time.Since(at))
	}
	runtime.ReadMemStats(&after)
	slices.Sort(times)
	ms := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
	r.Runs, r.Best, r.P50, r.P95 = len(times), ms(times[0]), ms(times[len(times)/2]), ms(times[len(times)*95/100])
	r.PerSecond, r.GMACs = float64(r.Rows)/r.P50*1e3, float64(r.MACs)/r.P50/1e6
	r.Heap = after.HeapInuse
	r.Allocated = float64(after.Mallocs-before.Mallocs) / float64(len(times))
	r.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(len(times))
	return nil
}

// inputs reads the inputs, or makes them: normal deviates from a fixed seed for float32, zeros for others.
func (o BenchOptions) inputs(m *model) (map[string]*tensor.Tensor, error) {
	in := map[string]*tensor.Tensor{}
	if len(o.Inputs) > 0 {
		values, err := readInputs(m, o.File, o.Inputs, o.Picture)
		for name, v := range values {
			in[name] = v.Tensor
			if v.Text != nil {
				in[name] = m.onnx.Vocabulary().Encode(v.Text.Data, v.Text.Shape...)
			}
		}
		return in, err
	}
	ports := m.inputs()
	for i := range ports {
		if d := ports[i].Dims; len(d) > 0 && d[0].Size == 0 && o.Dims[d[0].Symbol] == 0 && o.Batch > 0 {
			d[0].Size = o.Batch
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	feeds := sized(ports, o.Dims)
	for _, p := range ports {
		f, ok := feeds[p.Name]
		n, err := tensor.Elements(f.Shape, graph.MaxElements)
		if !ok || err != nil {
			return nil, failure.New(failure.Usage, "cannot make input "+p.Name, fmt.Errorf("%s%v", p.Type, f.Shape), "give it with --input "+p.Name+"=FILE")
		}
		t := tensor.New(f.DType, f.Shape...)
		if f.DType == tensor.Float32 {
			for i := range n {
				t.Float32()[i] = float32(r.NormFloat64())
			}
		}
		in[p.Name] = t
	}
	return in, nil
}

// Print writes the measurement for a person.
func (r *Bench) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s · %s, %d threads\n\n", r.File, r.Processor, r.Threads)
	for _, name := range sortedKeys(r.Inputs) {
		fmt.Fprintf(&b, "input       %s  %s\n", name, r.Inputs[name])
	}
	fmt.Fprintf(&b, "time        %.4g ms median, %.4g ms p95, %.4g ms best of %d runs\n", r.P50, r.P95, r.Best, r.Runs)
	fmt.Fprintf(&b, "throughput  %.6g rows/s\n", r.PerSecond)
	fmt.Fprintf(&b, "work        %d multiply-accumulates, %.4g thousand million a second\n", r.MACs, r.GMACs)
	fmt.Fprintf(&b, "memory      %s of weights, %s planned, %s of heap\n", bytesOf(r.Weights), bytesOf(r.Planned), bytesOf(r.Heap))
	fmt.Fprintf(&b, "allocations %.3g a run, %s\n", r.Allocated, bytesOf(uint64(r.Bytes)))
	_, err := io.WriteString(w, b.String())
	return err
}

// bytesOf is a number of bytes for a person.
func bytesOf(n uint64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
