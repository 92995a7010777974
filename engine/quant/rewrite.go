package quant

import (
	"fmt"
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// rewriter builds the nodes of the new graph.
type rewriter struct {
	in           *graph.Graph
	nodes        []graph.Node
	initializers []tensor.Named
	taken        map[string]bool
	quantised    map[string]string // value -> its 8-bit form
	weights      map[string]packed // by name and layout
}

// packed is weights as integers: name of the tensor, and by how much an integer is to be multiplied, by output.
type packed struct {
	name   string
	scales []float32
}

// name makes a name that is not taken, after another one.
func (r *rewriter) name(after, what string) string {
	for i := 0; ; i++ {
		name := after + "_" + what
		if i > 0 {
			name = fmt.Sprintf("%s_%d", name, i)
		}
		if len(name) > graph.MaxName {
			name = fmt.Sprintf("%s_%d", what, len(r.taken)+i)
		}
		if !r.taken[name] {
			r.taken[name] = true
			return name
		}
	}
}

func (r *rewriter) constant(after, what string, t *tensor.Tensor) string {
	name := r.name(after, what)
	r.initializers = append(r.initializers, tensor.Named{Name: name, Tensor: t})
	return name
}

// node adds a node with one output, which gets a name of its own unless one is given.
func (r *rewriter) node(after, op string, attrs []graph.Attr, output string, in ...string) string {
	if output == "" {
		output = r.name(after, op)
	}
	r.nodes = append(r.nodes, graph.Node{Op: op, Name: r.name(after, op+"_node"), Inputs: in, Outputs: []string{output}, Attrs: attrs})
	return output
}

// activation quantises a value once for all its readers, and returns the name of the result, of its zero point, and its scale.
func (r *rewriter) activation(v string, span Range) (q, zero string, scale float32) {
	low, high := float64(span.Low), float64(span.High)
	scale = float32((high - low) / 255)
	if !(scale > 0) || math.IsInf(float64(scale), 0) {
		scale = 1
	}
	z := uint8(min(255, max(0, math.RoundToEven(-low/float64(scale)))))
	zero = v + "\x00zero"
	if q, ok := r.quantised[v]; ok {
		return q, r.quantised[zero], scale
	}
	r.quantised[zero] = r.constant(v, "zero", tensor.From([]uint8{z}))
	r.quantised[v] = r.node(v, "QuantizeLinear", nil, "", v, r.constant(v, "scale", tensor.Scalar(scale)), r.quantised[zero])
	return r.quantised[v], r.quantised[zero], scale
}

// terms is how many products are added for one output.
func terms(s site) int {
	if s.conv {
		return s.weights.Len() / s.weights.Shape()[0]
	}
	return s.call.In[0].Shape[len(s.call.In[0].Shape)-1]
}

// rewrite replaces a product by: quantise, exact sum of integers, as float32, times the scales of input and output, plus bias.
func (r *rewriter) rewrite(s site, span Range) {
	n := s.call.Node
	q, zero, scale := r.activation(n.Inputs[0], span)
	w := r.weightsOf(s)
	factors := make([]float32, len(w.scales))
	for i, v := range w.scales {
		factors[i] = float32(v * scale)
	}
	shape := []int{len(factors)}
	if s.conv {
		for range len(s.call.In[0].Shape) - 2 {
			shape = append(shape, 1)
		}
	}
	op, attrs := "MatMulInteger", []graph.Attr(nil)
	if s.conv {
		op, attrs = "ConvInteger", n.Attrs
	}
	sum := r.node(n.Name, op, attrs, "", q, w.name, zero)
	float := r.node(n.Name, "Cast", []graph.Attr{{Name: "to", Kind: graph.KindInt, Int: int64(tensor.Float32)}}, "", sum)
	factor := r.constant(n.Name, "factor", tensor.FromFloat32(factors, shape...))
	if !s.call.Has(2) {
		r.node(n.Name, "Mul", nil, n.Outputs[0], float, factor)
		return
	}
	scaled := r.node(n.Name, "Mul", nil, "", float, factor)
	bias := n.Inputs[2]
	if s.conv && len(shape) > 1 {
		axes := make([]int64, len(shape)-1)
		for i := range axes {
			axes[i] = int64(i + 1)
		}
		bias = r.node(n.Name, "Unsqueeze", nil, "", bias, r.constant(n.Name, "axes", tensor.FromInt64(axes, len(axes))))
	}
	r.node(n.Name, "Add", nil, n.Outputs[0], scaled, bias)
}

// weightsOf rounds weights to [-127, 127], each output with a scale of its own: [outputs, terms] for a convolution, [terms,
// outputs] for a product.
func (r *rewriter) weightsOf(s site) packed {
	name := s.call.Node.Inputs[1]
	key := fmt.Sprint(name, "\x00", s.conv, s.transB)
	if p, ok := r.weights[key]; ok {
		return p
	}
	src, k := s.weights.Float32(), terms(s)
	n := len(src) / k
	at := func(j, l int) int { // element of output j and term l in the source
		if s.conv || s.transB {
			return j*k + l
		}
		return l*n + j
	}
	scales, ints := make([]float32, n), make([]int8, len(src))
	for j := range n {
		most := float32(0)
		for l := range k {
			if v := src[at(j, l)]; v == v {
				most = max(most, max(v, -v))
			}
		}
		scale := float32(most / 127)
		if !(scale > 0) || math.IsInf(float64(scale), 0) {
			scale = 1
		}
		scales[j] = scale
		for l := range k {
			q := math.RoundToEven(float64(src[at(j, l)] / scale))
			to := l*n + j
			if s.conv {
				to = j*k + l
			}
			if q == q {
				ints[to] = int8(min(127, max(-127, q)))
			}
		}
	}
	shape := []int{k, n}
	if s.conv {
		shape = s.weights.Shape()
	}
	p := packed{r.constant(name, "int8", tensor.From(ints, shape...)), scales}
	r.weights[key] = p
	return p
}
