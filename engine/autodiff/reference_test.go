package autodiff

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// array is a tensor of reference.json, which testdata/reference.py writes with JAX in float64.
type array struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

func (a array) float32() *tensor.Tensor {
	t := tensor.New(tensor.Float32, a.Shape...)
	for i, v := range a.Data {
		t.Float32()[i] = float32(v)
	}
	return t
}

func (a array) int64() *tensor.Tensor {
	t := tensor.New(tensor.Int64, a.Shape...)
	for i, v := range a.Data {
		t.Int64()[i] = int64(v)
	}
	return t
}

type reference struct {
	Loss   float64          `json:"loss"`
	Data   map[string]array `json:"data"`
	Params map[string]array `json:"params"`
	Grads  map[string]array `json:"grads"`
}

func loadReference(t testing.TB, model string) reference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	models := map[string]reference{}
	if err := json.Unmarshal(b, &models); err != nil {
		t.Fatal(err)
	}
	return models[model]
}

// declare makes the parameters inputs of the graph.
func (r reference) declare(b *graph.Builder) map[string]graph.Ref {
	refs := map[string]graph.Ref{}
	for _, name := range r.names() {
		refs[name] = b.Input(name, tensor.Float32, r.Params[name].Shape...)
	}
	return refs
}

func (r reference) names() []string {
	var names []string
	for name := range r.Params {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// check runs loss and gradients and compares them with the reference, relative to the largest element of each gradient.
// It returns the bytes of all results.
func (r reference) check(t *testing.T, b *graph.Builder, loss graph.Ref, feed map[string]*tensor.Tensor) string {
	t.Helper()
	b.Output("loss", loss)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	dg, names, err := Gradient(g, "loss", r.names())
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range r.Params {
		feed[name] = p.float32()
	}
	out := run(t, compile(t, dg), feed)
	if got := float64(out["loss"].Float32()[0]); math.Abs(got-r.Loss) > 1e-6*(1+r.Loss) {
		t.Errorf("loss %v, want %v", got, r.Loss)
	}
	all := string(out["loss"].Bytes())
	for _, name := range r.names() {
		want, worst, scale := r.Grads[name].Data, 0.0, 0.0
		for i, v := range out[names[name]].Float32() {
			worst, scale = max(worst, math.Abs(float64(v)-want[i])), max(scale, math.Abs(want[i]))
		}
		if !(worst <= 2e-6*scale) {
			t.Errorf("gradient of %s is off by %g of %g", name, worst, scale)
		}
		all += string(out[names[name]].Bytes())
	}
	return all
}

func TestMLPAgainstJAX(t *testing.T) {
	r := loadReference(t, "mlp")
	b := graph.NewBuilder("mlp")
	p := r.declare(b)
	op := func(name string, in ...graph.Ref) graph.Ref { return b.Op(name, nil, in...) }
	h := op("Relu", op("Add", op("MatMul", b.Input("x", tensor.Float32, r.Data["x"].Shape...), p["w1"]), p["b1"]))
	h = op("Tanh", b.Op("Gemm", nil, h, p["w2"], p["b2"]))
	z := op("Squeeze", op("Add", op("MatMul", h, p["w3"]), p["b3"]), b.Ints(1))
	y := b.Input("y", tensor.Float32, r.Data["y"].Shape...)
	soft := op("Log", op("Add", op("Exp", op("Neg", op("Abs", z))), b.Float(1)))
	loss := b.Op("ReduceMean", graph.Attrs{"keepdims": 0}, op("Add", op("Sub", op("Max", z, b.Float(0)), op("Mul", z, y)), soft))
	r.check(t, b, loss, map[string]*tensor.Tensor{"x": r.Data["x"].float32(), "y": r.Data["y"].float32()})
}

// goldenTransformer is the hash of loss and gradients, the same on every processor.
const goldenTransformer = "6e672acd14be70c742bb304e078ccaa159d7ba09a647a8b39aece4fdaaf9d3c2"

// TestTransformerAgainstJAX also checks that the number of processors does not show in the bits.
func TestTransformerAgainstJAX(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	r := loadReference(t, "transformer")
	var results []string
	for _, n := range []int{1, 2} {
		runtime.GOMAXPROCS(n)
		b := graph.NewBuilder("transformer")
		p := r.declare(b)
		op := func(name string, in ...graph.Ref) graph.Ref { return b.Op(name, nil, in...) }
		const batch, length, heads, kvHeads, size = 2, 7, 4, 2, 3
		x := op("Add", op("Gather", p["embedding"], b.Input("tokens", tensor.Int64, batch, length)), p["position"])
		h := op("LayerNormalization", x, p["ln1"], p["ln1b"])
		split := func(w string, n int) graph.Ref {
			return b.Op("Transpose", graph.Attrs{"perm": []int{0, 2, 1, 3}}, op("Reshape", op("MatMul", h, p[w]), b.Ints(batch, length, n, size)))
		}
		a := b.Op("Attention", graph.Attrs{"is_causal": 1}, split("wq", heads), split("wk", kvHeads), split("wv", kvHeads))
		a = op("Reshape", b.Op("Transpose", graph.Attrs{"perm": []int{0, 2, 1, 3}}, a), b.Ints(batch, length, heads*size))
		x = op("Add", x, op("MatMul", a, p["wo"]))
		h = op("RMSNormalization", x, p["rms"])
		x = op("Add", x, op("MatMul", op("Gelu", op("MatMul", h, p["up"])), p["down"]))
		logits := op("Reshape", op("MatMul", x, op("Transpose", p["embedding"])), b.Ints(batch*length, -1))
		loss := op("SoftmaxCrossEntropyLoss", logits, b.Input("labels", tensor.Int64, batch*length))
		results = append(results, r.check(t, b, loss, map[string]*tensor.Tensor{"tokens": r.Data["tokens"].int64(), "labels": r.Data["labels"].int64()}))
	}
	if hash := fmt.Sprintf("%x", sha256.Sum256([]byte(results[0]))); hash != goldenTransformer {
		t.Errorf("loss and gradients have hash %s, want %s", hash, goldenTransformer)
	}
	if results[0] != results[1] {
		t.Error("GOMAXPROCS 1 and 2 give different bits")
	}
}
