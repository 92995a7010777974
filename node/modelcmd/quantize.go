package modelcmd

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/quant"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
)

// QuantizeOptions say what to quantise by which samples.
type QuantizeOptions struct {
	File, Out string
	Inputs    []string // name=file; the first axis counts the records
	Labels    string   // file of one integer a record, "" for none
	Batch     int      // records of one run of the model that is written
}

// Quantization is the answer of `mutirao model quantize --json`.
type Quantization struct {
	Schema string `json:"schema"` // "mutirao.model-quantize/v1"
	File   string `json:"file"`
	Out    string `json:"out"`
	quant.Report
	Calibrated int      `json:"calibrated"` // records that the ranges come from
	Compared   int      `json:"compared"`   // other records, on which both models ran
	Run        float64  `json:"run_ms"`     // fastest run of the new model, in milliseconds
	RunBefore  float64  `json:"run_before_ms"`
	Changes    []Change `json:"changes"`
}

// Change is what quantising changed in one output.
type Change struct {
	quant.Change
	Decibels       *float64 `json:"decibels,omitempty"` // signal over noise; absent without noise
	Accuracy       *float64 `json:"accuracy,omitempty"` // only with labels
	AccuracyBefore *float64 `json:"accuracy_before,omitempty"`
}

// Quantize writes a model whose products and convolutions are of 8-bit integers. The first half of the records calibrates it, both
// models run on the second half.
func Quantize(o QuantizeOptions) (*Quantization, error) {
	next := "mutirao model inspect " + o.File
	m, err := load(o.File)
	if err != nil {
		return nil, err
	}
	samples, err := o.samples(m)
	if err != nil {
		return nil, err
	}
	g, err := m.specialise(feedsOf(samples[0]))
	if err != nil {
		return nil, failure.New(failure.General, "cannot specialise "+o.File, err, next)
	}
	half := (len(samples) + 1) / 2
	ranges, err := quant.Observe(g, samples[:half])
	if err != nil {
		return nil, failure.New(failure.General, "cannot calibrate "+o.File, err, next)
	}
	q, report, err := quant.Quantize(g, ranges)
	if err != nil {
		return nil, failure.New(failure.General, "cannot quantise "+o.File, err, next)
	}
	labels, err := o.labels(half)
	if err != nil {
		return nil, failure.New(failure.Usage, "cannot read labels from "+o.Labels, err, "give an array of one integer for each record")
	}
	changes, err := quant.Compare(g, q, samples[half:], labels)
	if err != nil {
		return nil, failure.New(failure.General, "cannot compare both models", err, next)
	}
	before, after, err := race(g, q, samples[0])
	if err != nil {
		return nil, failure.New(failure.General, "cannot run both models", err, next)
	}
	file, err := onnx.Save(q)
	if err != nil {
		return nil, failure.New(failure.General, "cannot write "+o.Out, err, next)
	}
	if err := writeNew(o.Out, file); err != nil {
		return nil, err
	}
	r := &Quantization{
		Schema: "mutirao.model-quantize/v1", File: o.File, Out: o.Out, Report: report,
		Calibrated: half * o.Batch, Compared: (len(samples) - half) * o.Batch, Run: after, RunBefore: before,
	}
	for _, c := range changes {
		r.Changes = append(r.Changes, changed(c, len(labels) > 0 && c.Output == g.Outputs[0].Name))
	}
	return r, nil
}

// race returns the fastest of a few runs of two graphs by turns, in milliseconds.
func race(g, q *graph.Graph, in quant.Inputs) (float64, float64, error) {
	fastest := [2]time.Duration{time.Hour, time.Hour}
	var programs [2]*exec.Program
	var outputs [2]map[string]*tensor.Tensor
	for i, g := range []*graph.Graph{g, q} {
		p, err := exec.Compile(g)
		if err != nil {
			return 0, 0, err
		}
		programs[i], outputs[i] = p, map[string]*tensor.Tensor{}
		for _, v := range g.Outputs {
			outputs[i][v.Name] = tensor.New(v.DType, v.Shape...)
		}
	}
	for range 5 {
		for i, p := range programs {
			start := time.Now()
			if err := p.RunInto(in, outputs[i]); err != nil {
				return 0, 0, err
			}
			fastest[i] = min(fastest[i], time.Since(start))
		}
	}
	return fastest[0].Seconds() * 1e3, fastest[1].Seconds() * 1e3, nil
}

func changed(c quant.Change, labelled bool) Change {
	out := Change{Change: c}
	if c.Ratio > 0 {
		d := 10 * math.Log10(c.Ratio)
		out.Decibels = &d
	}
	if labelled {
		out.Accuracy, out.AccuracyBefore = &c.Accuracy, &c.AccuracyBefore
	}
	return out
}

// samples reads the inputs and cuts them into batches; what does not fill the last one is left out.
func (o QuantizeOptions) samples(m *model) ([]quant.Inputs, error) {
	ports := m.inputs()
	usage := func(what string, err error) error {
		return failure.New(failure.Usage, what, err, "mutirao model quantize --help")
	}
	if o.Batch < 1 {
		return nil, usage(fmt.Sprintf("cannot run %d records at a time", o.Batch), errors.New("want at least 1"))
	}
	var samples []quant.Inputs
	for _, arg := range o.Inputs {
		name, file, ok := strings.Cut(arg, "=")
		i := slices.IndexFunc(ports, func(p onnx.Port) bool { return p.Name == name })
		if !ok || i < 0 {
			return nil, usage("cannot use --input "+arg, fmt.Errorf("want name=file with a name of %s", names(ports)))
		}
		v, err := readInput(file, ports[i], Picture{})
		if err != nil {
			return nil, failure.New(failure.General, "cannot read input "+name+" from "+file, err, "mutirao model inspect "+o.File)
		}
		if v.Tensor == nil || len(v.Tensor.Shape()) == 0 || v.Tensor.Shape()[0] < 2*o.Batch {
			return nil, usage("too few records in "+file, fmt.Errorf("%v, want at least %d along the first axis: half to calibrate, half to compare", v, 2*o.Batch))
		}
		n := v.Tensor.Shape()[0] / o.Batch
		if samples == nil {
			samples = make([]quant.Inputs, n)
		}
		if n != len(samples) {
			return nil, usage("cannot use --input "+arg, fmt.Errorf("%d records, other inputs have about %d", v.Tensor.Shape()[0], len(samples)*o.Batch))
		}
		for i := range samples {
			if samples[i] == nil {
				samples[i] = quant.Inputs{}
			}
			samples[i][name] = rows(v.Tensor, i*o.Batch, (i+1)*o.Batch)
		}
	}
	if samples == nil {
		return nil, usage("there are no samples", errors.New("give records of every input with --input name=file"))
	}
	return samples, nil
}

// rows is the part of a tensor from row lo to before row hi of its first axis.
func rows(t *tensor.Tensor, lo, hi int) *tensor.Tensor {
	shape := slices.Clone(t.Shape())
	each := t.Len() / shape[0]
	shape[0] = hi - lo
	return t.Part(lo*each, hi*each).Reshape(shape...)
}

func feedsOf(in quant.Inputs) map[string]onnx.Feed {
	feeds := map[string]onnx.Feed{}
	for name, t := range in {
		feeds[name] = onnx.Feed{DType: t.DType(), Shape: t.Shape()}
	}
	return feeds
}

// labels reads those of the records that are compared.
func (o QuantizeOptions) labels(firstBatch int) ([]int, error) {
	if o.Labels == "" {
		return nil, nil
	}
	v, err := readInput(o.Labels, onnx.Port{DType: tensor.Int64}, Picture{})
	if err != nil {
		return nil, err
	}
	if v.Tensor == nil || v.Tensor.DType() != tensor.Int64 {
		return nil, fmt.Errorf("%v, want integers of 64 bits", v)
	}
	all := v.Tensor.Int64()
	from, to := firstBatch*o.Batch, len(all)/o.Batch*o.Batch
	if from >= to {
		return nil, fmt.Errorf("%d labels", len(all))
	}
	list := make([]int, to-from)
	for i, label := range all[from:to] {
		list[i] = int(label)
	}
	return list, nil
}

// writeNew writes a file that does not exist.
func writeNew(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return failure.New(failure.General, "cannot write "+name, err, "choose a name that is not taken")
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return failure.New(failure.General, "cannot write "+name, err, "look for space on the disk")
	}
	return nil
}

// Print writes the answer for people.
func (r *Quantization) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s  %d products of 8-bit integers (%.3g million multiply-accumulates), %d of float32\n", r.Out, r.Quantized, float64(r.MACs)/1e6, r.Kept)
	fmt.Fprintf(w, "weights    %s, before %s\n", sizeOf(r.WeightBytes), sizeOf(r.FloatBytes))
	fmt.Fprintf(w, "samples    %d records calibrated it, %d others compared it\n", r.Calibrated, r.Compared)
	fmt.Fprintf(w, "time       %.3g ms a run, before %.3g ms\n", r.Run, r.RunBefore)
	for _, c := range r.Changes {
		fmt.Fprintf(w, "%-10s error %.3g at most, %.3g on average", c.Output, c.Largest, c.Mean)
		if c.Decibels != nil {
			fmt.Fprintf(w, ", signal to noise %.1f dB", *c.Decibels)
		}
		if c.Rows > 0 {
			fmt.Fprintf(w, ", same first choice %.2f %%", 100*c.Agreement)
		}
		if c.Accuracy != nil {
			fmt.Fprintf(w, ", accuracy %.2f %%, before %.2f %%", 100**c.Accuracy, 100**c.AccuracyBefore)
		}
		fmt.Fprintln(w)
	}
	return nil
}

func sizeOf(bytes int) string {
	switch {
	case bytes >= 10e6:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	case bytes >= 10e3:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%d B", bytes)
}
