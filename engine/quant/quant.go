// Package quant makes a graph of 8-bit integers of a trained graph of float32, from samples of its inputs: post-training static
// quantisation. Products and convolutions with constant weights become exact sums of integers; everything between them stays
// float32. It changes no operator: the result is an ordinary graph, which any ONNX runtime can run. It imports graph, exec and
// tensor. Source: Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference (2018).
package quant

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// ErrNothing reports a graph without a product or convolution that could be made of integers.
var ErrNothing = errors.New("nothing to quantise")

// Inputs are the inputs of one run, by name.
type Inputs = map[string]*tensor.Tensor

// Range is what a value holds in the samples.
type Range struct{ Low, High float32 }

// Ranges are those of the values that feed products, by name.
type Ranges map[string]Range

// Report says what Quantize did.
type Report struct {
	Quantized   int    `json:"quantized"`    // products and convolutions that are of integers now
	Kept        int    `json:"kept"`         // those that stay float32
	MACs        uint64 `json:"macs"`         // multiply-accumulates of the quantised ones
	WeightBytes int    `json:"weight_bytes"` // of all initializers
	FloatBytes  int    `json:"float_bytes"`  // of all initializers before
}

// site is a node that can be quantised: one that multiplies a value by constant weights.
type site struct {
	call    *graph.Call
	weights *tensor.Tensor
	conv    bool
	transB  bool // the weights are stored [outputs, terms]
}

// leastOutputs is how many outputs a group of a convolution has at least to be quantised.
const leastOutputs = 8

// sites finds the nodes of a valid graph that can be quantised, by their place in g.Nodes, and counts the other products.
func sites(g *graph.Graph) (list map[int]site, others int, err error) {
	calls, err := graph.Calls(g)
	if err != nil {
		return nil, 0, err
	}
	constants := map[string]*tensor.Tensor{}
	for _, t := range g.Initializers {
		constants[t.Name] = t.Tensor
	}
	list = map[int]site{}
	for i := range calls {
		c := &calls[i]
		op := c.Node.Op
		if op != "MatMul" && op != "Gemm" && op != "Conv" {
			continue
		}
		s := site{call: c, weights: constants[c.Node.Inputs[1]], conv: op == "Conv"}
		plain := s.weights != nil && len(c.In[0].Shape) >= 2 && (s.conv || len(c.In[1].Shape) == 2)
		if s.conv { // integers gain nothing in groups of few outputs, such as depthwise ones
			plain = plain && c.In[1].Shape[0]/c.Int("group") >= leastOutputs
		}
		if op == "Gemm" {
			s.transB = c.Int("transB") != 0
			plain = plain && c.Int("transA") == 0 && c.Float("alpha") == 1 && (!c.Has(2) || c.Float("beta") == 1)
		}
		if plain && constants[c.Node.Inputs[0]] == nil {
			list[i] = s
		} else {
			others++
		}
	}
	return list, others, nil
}

// Observe runs a graph on samples and returns the ranges that hold all but one in ten thousand elements of each value that feeds a
// product. At least one sample is needed. Errors: ErrNothing, those of package exec.
func Observe(g *graph.Graph, samples []Inputs) (Ranges, error) {
	list, _, err := sites(g)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, ErrNothing
	}
	if len(samples) == 0 {
		return nil, fmt.Errorf("%w: no sample", exec.ErrInput)
	}
	seen := map[string]*sketch{}
	watched := *g
	watched.Outputs = nil
	for _, s := range list {
		in := s.call.In[0]
		if seen[in.Name] == nil {
			seen[in.Name] = &sketch{}
			watched.Outputs = append(watched.Outputs, in)
		}
	}
	slices.SortFunc(watched.Outputs, func(a, b graph.Value) int { return cmpNames(a.Name, b.Name) })
	p, err := exec.Compile(&watched)
	if err != nil {
		return nil, err
	}
	for i, in := range samples {
		out, err := p.Run(in)
		if err != nil {
			return nil, fmt.Errorf("sample %d: %w", i, err)
		}
		for name, t := range out {
			seen[name].add(t.Float32())
		}
	}
	ranges := Ranges{}
	for name, s := range seen {
		ranges[name] = s.bounds()
	}
	return ranges, nil
}

func cmpNames(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Quantize makes the graph of integers. Ranges are Observe's of the same graph; a product whose input has none stays as it is. The
// error wraps ErrNothing if none is left.
func Quantize(g *graph.Graph, ranges Ranges) (*graph.Graph, Report, error) {
	list, others, err := sites(g)
	if err != nil {
		return nil, Report{}, err
	}
	r := &rewriter{in: g, taken: names(g), quantised: map[string]string{}, weights: map[string]packed{}}
	report := Report{Kept: others, FloatBytes: bytes(g)}
	for i := range g.Nodes {
		s, ok := list[i]
		span, known := ranges[g.Nodes[i].Inputs[0]]
		if !ok || !known {
			if ok {
				report.Kept++
			}
			r.nodes = append(r.nodes, g.Nodes[i])
			continue
		}
		r.rewrite(s, span)
		report.Quantized++
		report.MACs += uint64(s.call.Out[0].Len()) * uint64(terms(s))
	}
	if report.Quantized == 0 {
		return nil, Report{}, ErrNothing
	}
	out := &graph.Graph{Name: g.Name, Opset: g.Opset, Inputs: g.Inputs, Outputs: g.Outputs, Nodes: r.nodes}
	out.Initializers = used(slices.Concat(g.Initializers, r.initializers), out)
	report.WeightBytes = bytes(out)
	if _, err := graph.Infer(out); err != nil {
		return nil, Report{}, err
	}
	return out, report, nil
}

// names are those of all values and nodes of a graph.
func names(g *graph.Graph) map[string]bool {
	taken := map[string]bool{}
	for _, v := range g.Inputs {
		taken[v.Name] = true
	}
	for _, t := range g.Initializers {
		taken[t.Name] = true
	}
	for _, n := range g.Nodes {
		taken[n.Name] = true
		for _, o := range n.Outputs {
			taken[o] = true
		}
	}
	return taken
}

// used drops the initializers that no node and no output reads.
func used(all []tensor.Named, g *graph.Graph) []tensor.Named {
	read := map[string]bool{}
	for _, n := range g.Nodes {
		for _, name := range n.Inputs {
			read[name] = true
		}
	}
	for _, v := range g.Outputs {
		read[v.Name] = true
	}
	return slices.DeleteFunc(all, func(t tensor.Named) bool { return !read[t.Name] })
}

// bytes is the size of all initializers.
func bytes(g *graph.Graph) int {
	n := 0
	for _, t := range g.Initializers {
		n += t.Tensor.Len() * t.Tensor.DType().Size()
	}
	return n
}
