package exec

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

var rewrite = flag.Bool("rewrite", false, "write spec/vectors/operators.json")

const vectorsFile = "../../spec/vectors/operators.json"

// operatorVector is an operator on inputs that Philox gives, and the hash of each output (spec/vectors/README.md).
type operatorVector struct {
	Operator   string         `json:"operator"`
	Attributes map[string]any `json:"attributes,omitempty"`
	Inputs     []*vectorInput `json:"inputs"`
	SHA256     []string       `json:"sha256"`
}

// vectorInput is an input: numbers of the stream of key (its place + 1, 0), or int64 values.
type vectorInput struct {
	Shape  []int   `json:"shape"`
	From   string  `json:"from,omitempty"` // "unit": u - 0.5; "wide": 16 times that; "mask": whether u < 0.75
	Values []int64 `json:"values,omitempty"`
}

func unit(shape ...int) *vectorInput  { return &vectorInput{Shape: shape, From: "unit"} }
func wide(shape ...int) *vectorInput  { return &vectorInput{Shape: shape, From: "wide"} }
func masks(shape ...int) *vectorInput { return &vectorInput{Shape: shape, From: "mask"} }
func list(v ...int64) *vectorInput    { return &vectorInput{Shape: []int{len(v)}, Values: v} }

// operatorVectors has what engine/kernel's vectors lack: operators of several steps. outputs are their numbers of outputs.
var operatorVectors = []struct {
	operator   string
	outputs    int
	attributes map[string]any
	inputs     []*vectorInput
}{
	{"Softmax", 1, map[string]any{"axis": 1}, []*vectorInput{wide(3, 70, 5)}},
	{"LogSoftmax", 1, nil, []*vectorInput{wide(5, 131)}},
	{"LayerNormalization", 1, nil, []*vectorInput{wide(7, 131), unit(131), unit(131)}},
	{"RMSNormalization", 1, map[string]any{"axis": 1}, []*vectorInput{wide(3, 7, 40), unit(7, 40)}},
	{"Gelu", 1, nil, []*vectorInput{wide(1031)}},
	{"Attention", 1, map[string]any{"is_causal": 1}, []*vectorInput{wide(2, 4, 67, 16), unit(2, 2, 67, 16), unit(2, 2, 67, 9)}},
	{"Attention", 1, nil, []*vectorInput{wide(1, 2, 3, 40), unit(1, 2, 600, 40), unit(1, 2, 600, 33)}},
	{"Attention", 3, map[string]any{"is_causal": 1}, []*vectorInput{wide(2, 4, 5, 16), unit(2, 2, 5, 16), unit(2, 2, 5, 16), nil, unit(2, 2, 300, 16), unit(2, 2, 300, 16)}},
	{"Attention", 1, map[string]any{"scale": 0.375}, []*vectorInput{wide(2, 2, 9, 8), unit(2, 2, 70, 8), unit(2, 2, 70, 8), masks(2, 1, 9, 70)}},
	{"Attention", 1, map[string]any{"is_causal": 1, "softcap": 2.5}, []*vectorInput{wide(2, 2, 40, 8), unit(2, 2, 40, 8), unit(2, 2, 40, 8), wide(2, 40, 40)}},
	{"Attention", 1, map[string]any{"is_causal": 1}, []*vectorInput{wide(2, 2, 4, 8), unit(2, 1, 90, 8), unit(2, 1, 90, 8), nil, nil, nil, list(77, 3)}},
	{"TensorScatter", 1, map[string]any{"mode": "circular"}, []*vectorInput{unit(2, 3, 9, 4), unit(2, 3, 4, 4), list(7, 1)}},
	{"LSTM", 3, map[string]any{"direction": "bidirectional"}, []*vectorInput{unit(9, 3, 20), unit(2, 160, 20), unit(2, 160, 40), unit(2, 320), nil, unit(2, 3, 40), unit(2, 3, 40)}},
	{"LSTM", 3, map[string]any{"direction": "reverse"}, []*vectorInput{wide(5, 1, 7), unit(1, 400, 7), unit(1, 400, 100)}},
	{"GRU", 2, nil, []*vectorInput{unit(9, 3, 20), unit(1, 120, 20), unit(1, 120, 40), unit(1, 240)}},
	{"GRU", 2, map[string]any{"direction": "bidirectional", "linear_before_reset": 1}, []*vectorInput{wide(5, 1, 7), unit(2, 300, 7), unit(2, 300, 100), unit(2, 600), nil, unit(2, 1, 100)}},
	{"TopK", 2, map[string]any{"axis": 1}, []*vectorInput{unit(3, 100, 4), list(7)}},
	{"TopK", 2, map[string]any{"largest": 0}, []*vectorInput{unit(500), list(500)}},
}

// tensor makes the input at a place of the operator.
func (v *vectorInput) tensor(place int) *tensor.Tensor {
	if v.Values != nil {
		return tensor.FromInt64(v.Values, v.Shape...)
	}
	x := tensor.New(tensor.Float32, v.Shape...)
	kernel.Uniform(x.Float32(), [2]uint32{uint32(place + 1), 0}, 0)
	if v.From == "mask" {
		m := tensor.New(tensor.Bool, v.Shape...)
		for i, u := range x.Float32() {
			m.Bool()[i] = u < 0.75
		}
		return m
	}
	kernel.AddScalar(x.Float32(), x.Float32(), -0.5)
	if v.From == "wide" {
		kernel.MulScalar(x.Float32(), x.Float32(), 16)
	}
	return x
}

// compute runs the operator and hashes its outputs.
func compute(t *testing.T, operator string, outputs int, attributes map[string]any, inputs []*vectorInput) []string {
	t.Helper()
	b := graph.NewBuilder(operator)
	feed := map[string]*tensor.Tensor{}
	attrs := graph.Attrs{}
	for name, v := range attributes {
		switch v := v.(type) {
		case float64:
			attrs[name] = float32(v)
			if slices.Contains([]string{"axis", "is_causal", "largest", "linear_before_reset"}, name) {
				attrs[name] = int(v)
			}
		default:
			attrs[name] = v
		}
	}
	var refs []graph.Ref
	for i, v := range inputs {
		if v == nil {
			refs = append(refs, graph.None)
			continue
		}
		x, name := v.tensor(i), fmt.Sprint("in", i)
		if operator == "TopK" && i == 1 {
			refs = append(refs, b.Initializer(name, x))
			continue
		}
		refs = append(refs, b.Input(name, x.DType(), x.Shape()...))
		feed[name] = x
	}
	for i, r := range b.OpN(operator, outputs, attrs, refs...) {
		b.Output(fmt.Sprint("out", i), r)
	}
	got, err := run(b, feed)
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for i := range outputs {
		sum := sha256.Sum256(got[fmt.Sprint("out", i)].Bytes())
		sums = append(sums, hex.EncodeToString(sum[:]))
	}
	return sums
}

// TestVectors computes the published vectors of operators, on one thread and on two.
func TestVectors(t *testing.T) {
	if *rewrite {
		rewriteVectors(t)
	}
	data, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var published []operatorVector
	if err := json.Unmarshal(data, &published); err != nil {
		t.Fatal(err)
	}
	if len(published) != len(operatorVectors) {
		t.Fatalf("%d vectors, %d published", len(operatorVectors), len(published))
	}
	for i, v := range published {
		for _, threads := range []int{1, 2} {
			before := runtime.GOMAXPROCS(threads)
			got := compute(t, v.Operator, len(v.SHA256), v.Attributes, v.Inputs)
			runtime.GOMAXPROCS(before)
			if !slices.Equal(got, v.SHA256) {
				t.Errorf("vector %d, %s %v on %d threads (%s): %v, want %v", i, v.Operator, v.Attributes, threads, kernel.Active(), got, v.SHA256)
			}
		}
	}
}

func rewriteVectors(t *testing.T) {
	var file bytes.Buffer
	for i, v := range operatorVectors {
		attributes := map[string]any{}
		for name, value := range v.attributes {
			attributes[name] = value
		}
		line, err := json.Marshal(operatorVector{v.operator, attributes, v.inputs, compute(t, v.operator, v.outputs, attributes, v.inputs)})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&file, "%s%s", map[bool]string{true: "[\n", false: ",\n"}[i == 0], line)
	}
	file.WriteString("\n]\n")
	if err := os.WriteFile(vectorsFile, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
