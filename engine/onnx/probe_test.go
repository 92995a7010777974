package onnx

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// The columns of docs/operators.md that are found out by trying: a node of each operator with inputs of each element type.

// firstOpsets are the operator sets that operators came with, from ONNX's schemas (onnx.defs.get_all_schemas_with_history).
func firstOpsets(t testing.TB) map[string]string {
	f, err := os.Open(filepath.Join("testdata", "first_opset.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	first := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		name, version, _ := strings.Cut(s.Text(), " ")
		first[name] = version
	}
	return first
}

// form is a node that an operator accepts: shapes of inputs of the type that is tried, lists of int64 and attributes.
type form struct {
	inputs []any // []int is a shape of the type; tensors are known contents; typed is another type; nil is left out
	attrs  []graph.Attr
}

// typed is an input of a type that stays.
type typed struct {
	dtype tensor.DType
	shape []int
}

func known(v ...int64) *tensor.Tensor { return tensor.FromInt64(v, len(v)) }

var (
	picture = []int{1, 4, 2, 2}
	scalars = []int{}
)

// forms that most operators accept one of.
var forms = []form{
	{inputs: []any{picture}}, {inputs: []any{picture, picture}}, {inputs: []any{picture, picture, picture}},
	{inputs: []any{picture, []int{4}, []int{4}}}, {inputs: []any{picture, []int{4}, []int{4}, []int{4}, []int{4}}},
	{inputs: []any{picture, known(1)}}, {inputs: []any{picture, known(1, 4, 2, 2)}},
}

// formOf are forms of operators that accept none of those.
var formOf = map[string]form{
	"AffineGrid":         {inputs: []any{[]int{1, 2, 3}, known(1, 1, 2, 2)}},
	"LayerNormalization": {inputs: []any{picture, []int{2}}}, "RMSNormalization": {inputs: []any{picture, []int{2}}},
	"Attention":     {inputs: []any{picture, picture, picture}},
	"AveragePool":   {[]any{picture}, []graph.Attr{counts("kernel_shape", 1, 1)}},
	"BitShift":      {[]any{picture, picture}, []graph.Attr{written("direction", "LEFT")}},
	"Cast":          {[]any{picture}, []graph.Attr{whole("to", 1)}},
	"BitCast":       {[]any{picture}, []graph.Attr{whole("to", 7)}},
	"CenterCropPad": {inputs: []any{picture, known(1, 4, 1, 3)}},
	"Col2Im":        {inputs: []any{[]int{1, 4, 1}, known(2, 2), known(2, 2)}},
	"Compress":      {inputs: []any{[]int{2}, tensor.FromBool([]bool{true, false}, 2)}},
	"CumSum":        {inputs: []any{picture, tensor.FromInt64([]int64{1})}}, "CumProd": {inputs: []any{picture, tensor.FromInt64([]int64{1})}},
	"CausalConvWithState": {inputs: []any{[]int{1, 4, 2}, []int{4, 1, 2}}},
	"DeformConv":          {inputs: []any{picture, []int{4, 4, 1, 1}, []int{1, 2, 2, 2}}},
	"DepthToSpace":        {[]any{picture}, []graph.Attr{whole("blocksize", 2)}}, "SpaceToDepth": {[]any{picture}, []graph.Attr{whole("blocksize", 2)}},
	"DequantizeLinear": {inputs: []any{picture, typed{tensor.Float32, scalars}}},
	"DFT":              {inputs: []any{[]int{1, 4, 2}}}, "STFT": {inputs: []any{[]int{1, 8, 1}, tensor.FromInt64([]int64{2}), nil, tensor.FromInt64([]int64{4})}},
	"Einsum":     {[]any{picture}, []graph.Attr{written("equation", "abcd->d")}},
	"GridSample": {inputs: []any{picture, []int{1, 2, 2, 2}}}, "GroupNormalization": {[]any{picture, []int{2}, []int{2}}, []graph.Attr{whole("num_groups", 2)}},
	"Gather": {inputs: []any{picture, known(0)}}, "GatherElements": {inputs: []any{[]int{2}, known(0, 1)}}, "GatherND": {inputs: []any{[]int{2}, tensor.FromInt64([]int64{0}, 1, 1)}},
	"Gemm": {inputs: []any{[]int{2, 2}, []int{2, 2}}}, "LRN": {[]any{picture}, []graph.Attr{whole("size", 1)}},
	"GRU": {inputs: []any{[]int{1, 1, 2}, []int{1, 6, 2}, []int{1, 6, 2}}}, "LSTM": {inputs: []any{[]int{1, 1, 2}, []int{1, 8, 2}, []int{1, 8, 2}}},
	"RNN": {inputs: []any{[]int{1, 1, 2}, []int{1, 2, 2}, []int{1, 2, 2}}}, "Conv": {inputs: []any{picture, []int{4, 4, 1, 1}}}, "ConvTranspose": {inputs: []any{picture, []int{4, 4, 1, 1}}},
	"ConvInteger": {inputs: []any{picture, []int{4, 4, 1, 1}}}, "LinearAttention": {[]any{[]int{1, 1, 2}, []int{1, 1, 2}, []int{1, 1, 2}}, []graph.Attr{whole("kv_num_heads", 1), whole("q_num_heads", 1), written("update_rule", "linear")}},
	"LpPool": {[]any{picture}, []graph.Attr{counts("kernel_shape", 1, 1)}}, "MaxPool": {[]any{picture}, []graph.Attr{counts("kernel_shape", 1, 1)}},
	"MaxUnpool": {[]any{picture, typed{tensor.Int64, picture}}, []graph.Attr{counts("kernel_shape", 1, 1)}}, "Mod": {[]any{picture, picture}, []graph.Attr{whole("fmod", 1)}},
	"Multinomial": {inputs: []any{[]int{1, 2}}}, "NegativeLogLikelihoodLoss": {inputs: []any{[]int{2, 3}, typed{tensor.Int64, []int{2}}}},
	"OneHot": {inputs: []any{typed{tensor.Int64, []int{2}}, tensor.FromInt64([]int64{3}), []int{2}}}, "Pad": {inputs: []any{[]int{2}, known(1, 1)}},
	"ReverseSequence": {inputs: []any{[]int{2, 2}, known(1, 2)}}, "RoiAlign": {[]any{picture, []int{1, 4}, typed{tensor.Int64, []int{1}}}, []graph.Attr{whole("sampling_ratio", 1)}},
	"RotaryEmbedding": {inputs: []any{picture, []int{1, 2, 1}, []int{1, 2, 1}}}, "ScatterElements": {inputs: []any{[]int{2}, known(1), []int{1}}}, "Scatter": {inputs: []any{[]int{2}, known(1), []int{1}}},
	"ScatterND": {inputs: []any{[]int{2}, tensor.FromInt64([]int64{0}, 1, 1), []int{1}}}, "Slice": {inputs: []any{[]int{2}, known(0), known(1)}},
	"SoftmaxCrossEntropyLoss": {inputs: []any{[]int{2, 3}, typed{tensor.Int64, []int{2}}}}, "TensorScatter": {inputs: []any{picture, picture}}, "TopK": {inputs: []any{[]int{4}, known(2)}},
	"Tile": {inputs: []any{[]int{2}, known(2)}}, "Unsqueeze": {inputs: []any{[]int{2}, known(0)}}, "Upsample": {inputs: []any{picture, tensor.FromFloat32([]float32{1, 1, 2, 2}, 4)}},
	"Resize": {inputs: []any{picture, nil, tensor.FromFloat32([]float32{1, 1, 2, 2}, 4)}}, "Where": {inputs: []any{typed{tensor.Bool, picture}, picture, picture}},
	"Reshape": {inputs: []any{[]int{2}, known(2, 1)}}, "Expand": {inputs: []any{[]int{1}, known(2)}}, "EyeLike": {inputs: []any{[]int{2, 2}}},
	"PRelu": {inputs: []any{picture, picture}}, "QuantizeLinear": {inputs: []any{typed{tensor.Float32, picture}, typed{tensor.Float32, scalars}, scalars}},
	"And": {inputs: []any{picture, picture}}, "Det": {inputs: []any{picture}}, "Trilu": {inputs: []any{picture}}, "MatMul": {inputs: []any{picture, picture}},
	trainingDomain + ".Adagrad": {inputs: []any{scalars, typed{tensor.Int64, scalars}, []int{2}, []int{2}, []int{2}}}, trainingDomain + ".Momentum": {inputs: []any{scalars, typed{tensor.Int64, scalars}, []int{2}, []int{2}, []int{2}}},
	trainingDomain + ".Adam": {inputs: []any{scalars, typed{tensor.Int64, scalars}, []int{2}, []int{2}, []int{2}, []int{2}}},
}

// accepts reports whether a node of the operator in this form can be read with the element type.
func (f form) accepts(op string, e Element) bool {
	domain := ""
	if i := strings.LastIndex(op, "."); i >= 0 {
		domain, op = op[:i], op[i+1:]
	}
	m := &Model{}
	m.proto.opsets = []opsetProto{{version: 13}}
	if slices.Contains([]string{"AffineGrid", "BitCast", "CenterCropPad", "Col2Im", "CumProd", "DeformConv", "DFT", "STFT", "GridSample", "SwiGLU", "Swish"}, op) || e > 16 {
		m.proto.opsets[0].version = MaxOpset
	}
	if op == "Upsample" || op == "Scatter" {
		m.proto.opsets[0].version = 9
	}
	node := nodeProto{op: op, domain: domain, name: "n", outputs: []string{"y"}}
	if domain == trainingDomain {
		node.outputs = []string{"y", "z", "w"}[:2+max(0, len(f.inputs)-5)]
	}
	declare := func(name string, number int64, shape []int) {
		kind := typeProto{tensor: true, dtype: number, shaped: true}
		for _, d := range shape {
			kind.dims = append(kind.dims, dimProto{value: int64(d), known: true})
		}
		m.proto.graph.inputs = append(m.proto.graph.inputs, valueProto{name: name, kind: kind})
	}
	for i, in := range f.inputs {
		name := fmt.Sprintf("x%d", i)
		switch in := in.(type) {
		case []int:
			declare(name, int64(e), in)
		case typed:
			declare(name, int64(in.dtype), in.shape)
		case *tensor.Tensor:
			var p tensorProto
			if err := readTensor(WriteTensor(tensor.Named{Name: name, Tensor: in}), &p); err != nil {
				return false
			}
			m.proto.graph.initializers = append(m.proto.graph.initializers, p)
		default:
			name = ""
		}
		node.inputs = append(node.inputs, name)
	}
	for _, a := range f.attrs {
		var p attrProto
		if err := readAttr(maxDepth)(saveAttr(a), &p); err != nil {
			return false
		}
		node.attrs = append(node.attrs, p)
	}
	m.proto.graph.nodes = []nodeProto{node}
	m.proto.graph.outputs = []valueProto{{name: "y"}}
	_, err := m.Specialise(nil)
	return err == nil
}

// typeGroups are element types that go together in the table.
var typeGroups = []struct {
	name  string
	types []Element
}{
	{"floats", []Element{1, Float64, Float16, BFloat16, Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ, Float4E2M1}},
	{"integers", []Element{6, 7, 2, 3, Uint16, Int16, Uint32, Uint64, Uint4, Int4, Uint2, Int2}}, {"bool", []Element{9}},
}

// typesOf names the element types that an operator is read with, "" if that is not found out here.
func typesOf(op string) string {
	tried := forms
	if f, ok := formOf[op]; ok {
		tried = []form{f}
	}
	var best []Element
	for _, f := range tried {
		var types []Element
		for _, g := range typeGroups {
			for _, e := range g.types {
				if f.accepts(op, e) {
					types = append(types, e)
				}
			}
		}
		if len(types) > len(best) {
			best = types
		}
	}
	var parts []string
	for _, g := range typeGroups {
		var missing, have []string
		for _, e := range g.types {
			if slices.Contains(best, e) {
				have = append(have, e.String())
			} else {
				missing = append(missing, e.String())
			}
		}
		switch {
		case len(have) == 0:
		case len(missing) == 0:
			parts = append(parts, g.name)
		case len(missing) < len(have):
			parts = append(parts, g.name+" but "+strings.Join(missing, ", "))
		default:
			parts = append(parts, strings.Join(have, ", "))
		}
	}
	if len(parts) == len(typeGroups) && !strings.Contains(strings.Join(parts, ""), " ") {
		return "all"
	}
	return strings.Join(parts, ", ")
}

// limits says what an operator of ONNX can do that is not read here, or that is done in a way of its own.
var limits = map[string]string{
	"Attention": "no output qk_matmul_output", "BitCast": "integers as integers only", "Bernoulli": drawnOnce, "Multinomial": drawnOnce,
	"RandomNormal": drawnOnce, "RandomNormalLike": drawnOnce, "RandomUniform": drawnOnce, "RandomUniformLike": drawnOnce, "Dropout": "in training " + drawnOnce,
	"Det": fmt.Sprintf("at most %d rows", maxDeterminant), "DFT": quadratic, "STFT": quadratic,
	"If": "in a graph the condition is known beforehand", "Loop": "in a graph the number of iterations is known beforehand", "Scan": "written out",
	"LinearAttention": fmt.Sprintf("written out, at most %d tokens", maxSteps), "Mod": "of floats in 277 steps",
	"Pow": "of integers: through float32, or known exponents to 64", "Range": "known beforehand, or in a session", "NonZero": "known beforehand, or in a session",
	"Compress": "condition known beforehand, or in a session", "Resize": "no antialias", "RoiAlign": "sampling_ratio 0 for known regions only",
	"TopK": fmt.Sprintf("of integers: k at most %d", maxTop), "Cast": "float8: rounded by the graph; NaN as float4e2m1 is 6",
	"QuantizeLinear": "to types of at most 16 bits", "Reshape": "shape known beforehand, or in a session", "Trilu": "k known beforehand",
	"Gelu": "exact, or by tanh", "LRN": "size at most 256", "StringNormalizer": "locale is ignored", "RegexFullMatch": "RE2 syntax of Go",
	"MatMul": "of integers: by products and sums", "Einsum": "letters of the alphabet and one ellipsis",
}

const (
	drawnOnce = "drawn once, from Philox, while the file is read"
	quadratic = "as a product with a matrix"
)
