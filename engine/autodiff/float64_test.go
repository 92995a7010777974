package autodiff

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// double is a tensor in float64. Tensors of other types keep their contents in other.
type double struct {
	shape []int
	x     []float64
	other *tensor.Tensor
}

func newDouble(shape ...int) double {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return double{shape: slices.Clone(shape), x: make([]float64, n)}
}

func widened(t *tensor.Tensor) double {
	if t.DType() != tensor.Float32 {
		return double{shape: t.Shape(), other: t}
	}
	d := newDouble(t.Shape()...)
	for i, v := range t.Float32() {
		d.x[i] = float64(v)
	}
	return d
}

// evaluator runs one operator in float64, by its mathematical definition.
type evaluator func(c *graph.Call, in []double) []double

// evaluate runs a graph in float64.
func evaluate(t *testing.T, g *graph.Graph, feed map[string]double) map[string]double {
	t.Helper()
	calls, err := graph.Calls(g)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]double{}
	for name, v := range feed {
		values[name] = v
	}
	for _, i := range g.Initializers {
		values[i.Name] = widened(i.Tensor)
	}
	for i := range calls {
		c := &calls[i]
		var in []double
		for _, v := range c.In {
			in = append(in, values[v.Name])
		}
		f := evaluators[c.Node.Op]
		if f == nil {
			f = moved
		}
		for o, y := range f(c, in) {
			if want := c.Out[o].Len(); len(y.x) != want {
				t.Fatalf("%s: %d elements, want %d", c.Node.Op, len(y.x), want)
			}
			y.shape = c.Out[o].Shape
			values[c.Out[o].Name] = y
		}
	}
	return values
}

// moved evaluates an operator that moves elements and does no arithmetic: it is run on three pieces of float32 whose sum is exact.
func moved(c *graph.Call, in []double) []double {
	g := &graph.Graph{Name: "moved", Opset: graph.Opset, Nodes: []graph.Node{*c.Node}, Outputs: c.Out}
	var dynamic []graph.Value
	for i, v := range c.In {
		if in[i].other != nil && v.DType == tensor.Int64 {
			g.Initializers = append(g.Initializers, tensor.Named{Name: v.Name, Tensor: in[i].other})
		} else if v.Name != "" {
			dynamic = append(dynamic, v)
		}
	}
	g.Inputs = dynamic
	p, err := exec.Compile(g)
	if err != nil {
		panic(err)
	}
	out := make([]double, len(c.Out))
	rest := map[string][]float64{}
	for range 3 {
		feed := map[string]*tensor.Tensor{}
		for i, v := range c.In {
			switch {
			case in[i].x != nil:
				if rest[v.Name] == nil {
					rest[v.Name] = slices.Clone(in[i].x)
				}
				feed[v.Name] = tensor.New(tensor.Float32, v.Shape...)
			case v.DType == tensor.Bool:
				feed[v.Name] = in[i].other
			}
		}
		for name, r := range rest {
			for j := range r {
				piece := float32(r[j])
				feed[name].Float32()[j], r[j] = piece, r[j]-float64(piece)
			}
		}
		results, err := p.Run(feed)
		if err != nil {
			panic(err)
		}
		for o, v := range c.Out {
			if out[o].x == nil {
				out[o] = newDouble(v.Shape...)
			}
			for j, piece := range results[v.Name].Float32() {
				out[o].x[j] += float64(piece)
			}
		}
	}
	return out
}

// indices calls f with each index of a shape in row-major order.
func indices(shape []int, f func(at []int)) {
	at := make([]int, len(shape))
	for {
		f(at)
		axis := len(shape) - 1
		for ; axis >= 0; axis-- {
			if at[axis]++; at[axis] < shape[axis] {
				break
			}
			at[axis] = 0
		}
		if axis < 0 {
			return
		}
	}
}

// place is where in d the element is that broadcasts to an index.
func (d double) place(at []int) int {
	i := 0
	for axis, size := range d.shape {
		i *= size
		if size > 1 {
			i += at[len(at)-len(d.shape)+axis]
		}
	}
	return i
}

func elementwise(f func(x []float64) float64) evaluator {
	return func(c *graph.Call, in []double) []double {
		y := newDouble(c.Out[0].Shape...)
		x := make([]float64, len(in))
		i := 0
		indices(y.shape, func(at []int) {
			for j, d := range in {
				x[j] = d.x[d.place(at)]
			}
			y.x[i] = f(x)
			i++
		})
		return []double{y}
	}
}

func of(f func(float64) float64) evaluator {
	return elementwise(func(x []float64) float64 { return f(x[0]) })
}

func fold(f func(a, b float64) float64) evaluator {
	return elementwise(func(x []float64) float64 {
		y := x[0]
		for _, v := range x[1:] {
			y = f(y, v)
		}
		return y
	})
}

// reduced evaluates a reduction: f starts from the first element.
func reduced(start func(x float64) float64, f func(y, x float64) float64, mean bool) evaluator {
	return func(c *graph.Call, in []double) []double {
		axes, shape := c.ReducedAxes(), slices.Clone(c.In[0].Shape)
		for _, a := range axes {
			shape[a] = 1
		}
		y := newDouble(shape...)
		seen := make([]bool, len(y.x))
		i := 0
		indices(c.In[0].Shape, func(at []int) {
			to := y.place(at)
			if !seen[to] {
				y.x[to], seen[to] = start(in[0].x[i]), true
			} else {
				y.x[to] = f(y.x[to], in[0].x[i])
			}
			i++
		})
		if mean {
			for j := range y.x {
				y.x[j] /= float64(len(in[0].x) / len(y.x))
			}
		}
		return []double{y}
	}
}

func same(x float64) float64   { return x }
func square(x float64) float64 { return x * x }

// rowsAlong calls f with the elements of each row along an axis, and puts what f leaves there.
func rowsAlong(f func(row []float64)) evaluator {
	return func(c *graph.Call, in []double) []double {
		y := newDouble(c.Out[0].Shape...)
		axis := c.Axis()
		n, inner := y.shape[axis], 1
		for _, d := range y.shape[axis+1:] {
			inner *= d
		}
		row := make([]float64, n)
		for start := range y.x {
			if start/inner%n != 0 {
				continue
			}
			for j := range row {
				row[j] = in[0].x[start+j*inner]
			}
			f(row)
			for j, v := range row {
				y.x[start+j*inner] = v
			}
		}
		return []double{y}
	}
}

func softmax64(row []float64) {
	logSoftmax64(row)
	for i := range row {
		row[i] = math.Exp(row[i])
	}
}

func logSoftmax64(row []float64) {
	most, sum := slices.Max(row), 0.0
	for _, v := range row {
		sum += math.Exp(v - most)
	}
	for i := range row {
		row[i] -= most + math.Log(sum)
	}
}

func matmul64(c *graph.Call, in []double) []double {
	a, b := in[0], in[1]
	if len(a.shape) == 1 {
		a.shape = []int{1, a.shape[0]}
	}
	if len(b.shape) == 1 {
		b.shape = []int{b.shape[0], 1}
	}
	m, k, n := a.shape[len(a.shape)-2], a.shape[len(a.shape)-1], b.shape[len(b.shape)-1]
	lead, _ := graph.Broadcast(a.shape[:len(a.shape)-2], b.shape[:len(b.shape)-2])
	y := newDouble(append(slices.Clone(lead), m, n)...)
	i := 0
	indices(y.shape, func(at []int) {
		left, right := slices.Clone(at), slices.Clone(at)
		for l := range k {
			left[len(at)-1], right[len(at)-2] = l, l
			y.x[i] += a.x[a.place(left)] * b.x[b.place(right)]
		}
		i++
	})
	return []double{y}
}

func gemm64(c *graph.Call, in []double) []double {
	swapped := func(d double) double {
		y := newDouble(d.shape[1], d.shape[0])
		for i, v := range d.x {
			y.x[i%d.shape[1]*d.shape[0]+i/d.shape[1]] = v
		}
		return y
	}
	a, b := in[0], in[1]
	if c.Int("transA") != 0 {
		a = swapped(a)
	}
	if c.Int("transB") != 0 {
		b = swapped(b)
	}
	y := matmul64(c, []double{a, b})[0]
	i := 0
	indices(y.shape, func(at []int) {
		y.x[i] *= float64(c.Float("alpha"))
		if c.Has(2) {
			y.x[i] += float64(c.Float("beta")) * in[2].x[in[2].place(at)]
		}
		i++
	})
	return []double{y}
}

func scatter64(c *graph.Call, in []double) []double {
	y := newDouble(in[0].shape...)
	copy(y.x, in[0].x)
	list := in[1].other.Int64()
	depth := c.In[1].Shape[len(c.In[1].Shape)-1]
	row := 1
	for _, d := range y.shape[depth:] {
		row *= d
	}
	for i := 0; i*depth < len(list); i++ {
		at := 0
		for axis, v := range list[i*depth : (i+1)*depth] {
			at = at*y.shape[axis] + (int(v)+y.shape[axis])%y.shape[axis]
		}
		for j := range row {
			y.x[at*row+j] += in[2].x[i*row+j]
		}
	}
	return []double{y}
}

func topK64(c *graph.Call, in []double) []double {
	values := newDouble(c.Out[0].Shape...)
	places := double{shape: values.shape, x: make([]float64, len(values.x))}
	axis := c.Axis()
	k, n, inner := values.shape[axis], in[0].shape[axis], 1
	for _, d := range values.shape[axis+1:] {
		inner *= d
	}
	for i := range values.x {
		outer, at, rest := i/(k*inner), i/inner%k, i%inner
		row := make([]float64, n)
		for j := range row {
			row[j] = in[0].x[(outer*n+j)*inner+rest]
		}
		slices.Sort(row)
		if c.Int("largest") != 0 {
			slices.Reverse(row)
		}
		values.x[i] = row[at]
	}
	return []double{values, places}
}

func crossEntropy64(c *graph.Call, in []double) []double {
	rows, classes := c.In[0].Shape[0], c.In[0].Shape[1]
	each, count, sum := newDouble(rows), 0.0, 0.0
	for r, label := range in[1].other.Int64() {
		if c.HasAttr("ignore_index") && label == int64(c.Int("ignore_index")) {
			continue
		}
		row := slices.Clone(in[0].x[r*classes : (r+1)*classes])
		logSoftmax64(row)
		each.x[r] = -row[label]
		sum += each.x[r]
		count++
	}
	switch c.String("reduction") {
	case "sum":
		return []double{{x: []float64{sum}}}
	case "mean":
		return []double{{x: []float64{sum / count}}}
	}
	return []double{each}
}

func norm64(c *graph.Call, in []double) []double {
	y := newDouble(in[0].shape...)
	n := len(in[1].x)
	for from := 0; from < len(y.x); from += n {
		row, mean, variance := in[0].x[from:from+n], 0.0, 0.0
		if c.Node.Op == "LayerNormalization" {
			for _, v := range row {
				mean += v / float64(n)
			}
		}
		for _, v := range row {
			variance += square(v-mean) / float64(n)
		}
		for i, v := range row {
			y.x[from+i] = (v - mean) / math.Sqrt(variance+float64(c.Float("epsilon"))) * in[1].x[i]
			if c.Has(2) {
				y.x[from+i] += in[2].x[i]
			}
		}
	}
	return []double{y}
}

func attention64(c *graph.Call, in []double) []double {
	q, k, v := in[0], in[1], in[2]
	y := newDouble(c.Out[0].Shape...)
	heads, queries, d := q.shape[1], q.shape[2], q.shape[3]
	kvHeads, keys, dv := k.shape[1], k.shape[2], v.shape[3]
	scale := float64(c.Float("scale"))
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(d))
	}
	for r := range q.shape[0] * heads * queries {
		i, head := r%queries, r/queries
		kv := head/heads*kvHeads + head%heads*kvHeads/heads
		seen := keys
		if c.Int("is_causal") != 0 {
			seen = min(i+1, keys)
		}
		row := make([]float64, seen)
		for j := range row {
			for e := range d {
				row[j] += scale * q.x[r*d+e] * k.x[(kv*keys+j)*d+e]
			}
		}
		softmax64(row)
		for j, p := range row {
			for e := range dv {
				y.x[r*dv+e] += p * v.x[(kv*keys+j)*dv+e]
			}
		}
	}
	return []double{y}
}

// windows64 calls f for each output and element of the input plane that its window reads, with the place of the window.
func windows64(c *graph.Call, f func(output, input, place int)) {
	w := c.Window()
	var out, kernel []int
	for _, s := range w {
		out, kernel = append(out, s.Out), append(kernel, s.Kernel)
	}
	o := 0
	indices(out, func(at []int) {
		place := 0
		indices(kernel, func(k []int) {
			input, inside := 0, true
			for a, s := range w {
				i := at[a]*s.Stride + k[a]*s.Dilation - s.Before
				inside = inside && i >= 0 && i < s.In
				input = input*s.In + i
			}
			if inside {
				f(o, input, place)
			}
			place++
		})
		o++
	})
}

// spatial is the number of elements behind batch and channels.
func spatial(shape []int) int {
	n := 1
	for _, d := range shape[2:] {
		n *= d
	}
	return n
}

func conv64(c *graph.Call, in []double) []double {
	y := newDouble(c.Out[0].Shape...)
	outputs, group := y.shape[1], c.Int("group")
	channels, places, plane, size := in[1].shape[1], spatial(in[1].shape), spatial(in[0].shape), spatial(y.shape)
	for r := range y.shape[0] * outputs {
		o := r % outputs
		windows64(c, func(output, input, place int) {
			for ch := range channels {
				from := (r/outputs*group+o/(outputs/group))*channels + ch
				y.x[r*size+output] += in[1].x[(o*channels+ch)*places+place] * in[0].x[from*plane+input]
			}
		})
		for j := range size {
			if c.Has(2) {
				y.x[r*size+j] += in[2].x[o]
			}
		}
	}
	return []double{y}
}

func pool64(c *graph.Call, in []double) []double {
	y := newDouble(c.Out[0].Shape...)
	plane, size := spatial(in[0].shape), spatial(y.shape)
	for r := range y.shape[0] * y.shape[1] {
		count := make([]float64, size)
		windows64(c, func(output, input, _ int) {
			at, v := r*size+output, in[0].x[r*plane+input]
			if count[output]++; c.Node.Op == "MaxPool" {
				if count[output] == 1 || v > y.x[at] {
					y.x[at] = v
				}
				return
			}
			y.x[at] += v
		})
		for j := range count {
			switch {
			case c.Node.Op == "MaxPool":
			case c.Int("count_include_pad") != 0:
				y.x[r*size+j] /= float64(spatial(append([]int{1, 1}, c.Ints("kernel_shape")...)))
			default:
				y.x[r*size+j] /= count[j]
			}
		}
	}
	return []double{y}
}

// evaluators has every operator with a derivative that does arithmetic; others only move elements.
var evaluators = map[string]evaluator{
	"Neg": of(func(x float64) float64 { return -x }), "Abs": of(math.Abs), "Exp": of(math.Exp), "Log": of(math.Log), "Sqrt": of(math.Sqrt),
	"Tanh": of(math.Tanh), "Erf": of(math.Erf), "Sin": of(math.Sin), "Cos": of(math.Cos), "Reciprocal": of(func(x float64) float64 { return 1 / x }),
	"Sigmoid": of(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }), "Relu": of(func(x float64) float64 { return max(x, 0) }),
	"Gelu": of(func(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }), "Sign": of(func(x float64) float64 { return math.Copysign(1, x) }),
	"Add": fold(func(a, b float64) float64 { return a + b }), "Sub": fold(func(a, b float64) float64 { return a - b }),
	"Mul": fold(func(a, b float64) float64 { return a * b }), "Div": fold(func(a, b float64) float64 { return a / b }),
	"Max": fold(func(a, b float64) float64 { return max(a, b) }), "Min": fold(func(a, b float64) float64 { return min(a, b) }),
	"ReduceSum": reduced(same, func(y, x float64) float64 { return y + x }, false), "ReduceMean": reduced(same, func(y, x float64) float64 { return y + x }, true),
	"ReduceMax": reduced(same, func(y, x float64) float64 { return max(y, x) }, false), "ReduceMin": reduced(same, func(y, x float64) float64 { return min(y, x) }, false),
	"ReduceSumSquare": reduced(square, func(y, x float64) float64 { return y + x*x }, false),
	"Softmax":         rowsAlong(softmax64), "LogSoftmax": rowsAlong(logSoftmax64), "SoftmaxCrossEntropyLoss": crossEntropy64,
	"MatMul": matmul64, "Gemm": gemm64, "ScatterND": scatter64, "TopK": topK64, "LayerNormalization": norm64, "RMSNormalization": norm64,
	"Attention": attention64, "Conv": conv64, "MaxPool": pool64, "AveragePool": pool64,
}

// TestFiniteDifferencesInFloat64 compares each derivative with central differences of the operator's mathematical definition in float64.
// What remains is the rounding of the derivative to float32: 1e-6 of the gradient's size, where a mistake of a sign, a factor or a
// place is off by the size itself.
func TestFiniteDifferencesInFloat64(t *testing.T) {
	const h = 1e-5
	for _, e := range examples() {
		if e.op == "LSTM" || e.op == "GRU" {
			continue // compositions of the others, tested as such
		}
		g, wrt := e.build(t)
		dg, names, err := Gradient(g, "loss", wrt)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(7, 8))
		feed, wide := map[string]*tensor.Tensor{}, map[string]double{}
		for _, v := range g.Inputs {
			x := tensor.New(v.DType, v.Shape...)
			if v.DType == tensor.Float32 {
				for i := range x.Float32() {
					x.Float32()[i] = float32(r.NormFloat64())
				}
			}
			feed[v.Name] = x
		}
		for i, x := range e.in {
			if x.DType() != tensor.Int64 {
				feed[fmt.Sprint("x", i)] = x
			}
		}
		for name, x := range feed {
			wide[name] = widened(x)
		}
		grads := run(t, compile(t, dg), feed)
		for _, name := range wrt {
			x, got := wide[name].x, grads[names[name]].Float32()
			want, scale := make([]float64, len(x)), 0.0
			for i, at := range x {
				x[i] = at + h
				up := evaluate(t, g, wide)["loss"].x[0]
				x[i] = at - h
				down := evaluate(t, g, wide)["loss"].x[0]
				x[i] = at
				want[i] = (up - down) / (2 * h)
				scale = max(scale, math.Abs(want[i]))
			}
			for i := range want {
				if d := math.Abs(float64(got[i]) - want[i]); !(d <= 1e-6*(1+scale)) {
					t.Errorf("%v: derivative by %s[%d] is %v, differences give %v", e, name, i, got[i], want[i])
				}
			}
		}
	}
}
