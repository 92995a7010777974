package modelcmd

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/verify/merkle"
	"github.com/mutirao/mutirao/verify/trace"
)

// traceSchema is the version of Trace.
const traceSchema = "mutirao.model-trace/v1"

// Trace is a run by the roots of its tensors: two machines that agree on them agree on every bit, and the first node whose roots differ is where
// they parted.
type Trace struct {
	Schema  string       `json:"schema"` // "mutirao.model-trace/v1"
	Program merkle.Hash  `json:"program"`
	Inputs  []TraceValue `json:"inputs"`
	Nodes   []TraceNode  `json:"nodes"` // in the order in which they run
}

// TraceNode is a node of the graph, with what it puts out.
type TraceNode struct {
	Name     string       `json:"name"`
	Operator string       `json:"operator"`
	Values   []TraceValue `json:"values"`
}

// TraceValue is a tensor.
type TraceValue struct {
	Name  string      `json:"name"`
	Type  string      `json:"type"`  // element type and shape
	First []string    `json:"first"` // the first elements, to see how far apart two machines are
	Root  merkle.Hash `json:"root"`
}

// traced is how many elements TraceValue shows.
const traced = 4

func traceValue(name string, t *tensor.Tensor) TraceValue {
	v := TraceValue{Name: name, Type: fmt.Sprintf("%v%v", t.DType(), t.Shape()), Root: trace.TensorRoot(t), First: []string{}}
	for i := range min(traced, t.Len()) {
		v.First = append(v.First, cell(onnx.Value{Tensor: t}, i))
	}
	return v
}

// traceRun runs the model's graph and keeps the root of every value.
func (m *model) traceRun(in map[string]onnx.Value) (*Trace, error) {
	feeds, numbers := map[string]onnx.Feed{}, map[string]*tensor.Tensor{}
	for name, v := range in {
		t := v.Tensor
		if v.Text != nil && m.onnx != nil {
			t = m.onnx.Vocabulary().Encode(v.Text.Data, v.Text.Shape...)
		}
		if t == nil {
			return nil, fmt.Errorf("input %q is %v: only tensors have roots", name, v)
		}
		numbers[name] = t
		feeds[name] = onnx.FeedOf(t)
	}
	g, err := m.specialise(feeds)
	if err != nil {
		return nil, err
	}
	program, err := exec.CompileTraced(g)
	if err != nil {
		return nil, err
	}
	for name := range numbers { // inputs that are empty are not in the graph
		if !slices.ContainsFunc(g.Inputs, func(v graph.Value) bool { return v.Name == name }) {
			delete(numbers, name)
		}
	}
	values, err := program.Run(numbers)
	if err != nil {
		return nil, err
	}
	t := &Trace{Schema: traceSchema, Program: trace.ProgramHash(g), Inputs: []TraceValue{}, Nodes: []TraceNode{}}
	byName := map[string]*tensor.Tensor{}
	for i, name := range program.Values() {
		byName[name] = values[i]
	}
	for _, v := range g.Inputs {
		t.Inputs = append(t.Inputs, traceValue(v.Name, byName[v.Name]))
	}
	for i := range g.Nodes {
		n := TraceNode{Name: g.Nodes[i].Name, Operator: g.Nodes[i].Op}
		for _, name := range g.Nodes[i].Outputs {
			n.Values = append(n.Values, traceValue(name, byName[name]))
		}
		t.Nodes = append(t.Nodes, n)
	}
	return t, nil
}

// maxTraceFile is the longest trace that is read, in bytes.
const maxTraceFile = 1 << 28

// readTrace reads what run --trace=FILE wrote.
func readTrace(b []byte) (*Trace, error) {
	if len(b) > maxTraceFile {
		return nil, fmt.Errorf("%d bytes of a trace, at most %d are read", len(b), maxTraceFile)
	}
	t := &Trace{}
	if err := json.Unmarshal(b, t); err != nil {
		return nil, err
	}
	if t.Schema != traceSchema {
		return nil, fmt.Errorf("schema %.80q, want %q", t.Schema, traceSchema)
	}
	return t, nil
}
