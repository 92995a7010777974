package exec

import (
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// A network of convolutions treats the images of a batch alone, up to its last layers. Taken layer by layer, the values of a whole batch
// do not fit the caches; taken image by image, they do, a program needs the memory of one image for each goroutine, and goroutines
// take whole images. Layers with more weights than values come after that: the weights would have to come from memory for each image. split finds the part of a graph for which that holds. An operator's result for an image does not
// depend on what else is in the batch, so the bits are the same.

// batchSplit is a graph in two: body computes some values for one image, rest everything else from whole batches of them.
type batchSplit struct {
	body, rest *graph.Graph
	images     int
	parts      map[string]bool // inputs of the body that are one image of the batch; others are for all images
	between    []graph.Value   // values that body computes and rest reads, whole
}

// fewWeights may be more than the values of a layer: they stay in a cache from one image to the next.
const fewWeights = 1 << 16

// splitter is the state of split.
type splitter struct {
	images  int
	batched map[string]bool // values whose first axis is the batch, computed image by image
	shared  map[string]bool // values that are the same for all images and known before: inputs and initializers
}

// split returns nil if there is no part that is worth it: one with convolutions, whose results are small beside what it computes.
func split(g *graph.Graph, calls []graph.Call) *batchSplit {
	first := slices.IndexFunc(calls, func(c graph.Call) bool { return c.Node.Op == "Conv" })
	if first < 0 || calls[first].In[0].Shape[0] < max(2, runtime.GOMAXPROCS(0)) {
		return nil
	}
	s := &splitter{images: calls[first].In[0].Shape[0], batched: map[string]bool{}, shared: map[string]bool{}}
	for _, v := range g.Inputs {
		if len(v.Shape) > 1 && v.Shape[0] == s.images {
			s.batched[v.Name] = true
		} else {
			s.shared[v.Name] = true
		}
	}
	for _, t := range g.Initializers {
		s.shared[t.Name] = true
	}
	inside := make([]bool, len(calls))
	for i := range calls {
		if inside[i] = s.imagewise(&calls[i]); inside[i] {
			for _, v := range calls[i].Out {
				s.batched[v.Name] = true
			}
		}
	}
	if !inside[first] {
		return nil
	}
	b := s.cut(g, calls, inside)
	computed, passed := 0, 0
	for i := range calls {
		if inside[i] {
			computed += calls[i].Out[0].Len()
		}
	}
	for _, v := range b.between {
		passed += v.Len()
	}
	if 8*passed > computed {
		return nil
	}
	return b
}

// imagewise reports whether a call computes each image of its outputs from the same image of its inputs, and how is known here.
func (s *splitter) imagewise(c *graph.Call) bool {
	isBatched := func(i int) bool { return s.batched[c.Node.Inputs[i]] }
	out := c.Out[0].Shape
	if len(out) == 0 || out[0] != s.images {
		return false
	}
	switch op := c.Node.Op; op {
	case "Conv":
		return isBatched(0) && s.known(c, 1) && c.In[1].Len() <= max(fewWeights, (c.In[0].Len()+c.Out[0].Len())/s.images)
	case "MaxPool", "AveragePool":
		return isBatched(0)
	case "Transpose":
		return isBatched(0) && c.Perm()[0] == 0
	case "Softmax", "LogSoftmax":
		return isBatched(0) && c.Axis() != 0
	case "LayerNormalization", "RMSNormalization":
		return isBatched(0) && c.Axis() != 0 && s.known(c, 1)
	case "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare":
		return isBatched(0) && !slices.Contains(c.ReducedAxes(), 0)
	case "Slice":
		return isBatched(0) && c.Ranges()[0] == graph.Range{Start: 0, Step: 1, Len: s.images}
	case "Reshape", "Squeeze", "Unsqueeze":
		return isBatched(0)
	case "Expand":
		return isBatched(0) && len(c.In[0].Shape) == len(out)
	case "Concat", "Split":
		if c.Axis() == 0 {
			return false
		}
		for i := range c.In {
			if op == "Split" && i == 1 {
				break
			}
			if !isBatched(i) {
				return false
			}
		}
		return true
	case "Cast", "Identity", "Where":
	default:
		if _, one := fusedUnary[op]; !one && fusedBinary[op] == nil && !slices.Contains([]string{"Sign", "Sin", "Cos"}, op) {
			return false
		}
	}
	any := false
	for i, v := range c.In {
		switch {
		case isBatched(i):
			if len(v.Shape) != len(out) {
				return false
			}
			any = true
		case !s.shared[c.Node.Inputs[i]] || len(v.Shape) == len(out) && v.Shape[0] != 1:
			return false
		}
	}
	return any
}

// known reports whether the inputs from the given one on are the same for all images.
func (s *splitter) known(c *graph.Call, from int) bool {
	for _, name := range c.Node.Inputs[from:] {
		if name != "" && !s.shared[name] {
			return false
		}
	}
	return true
}

// cut makes the two graphs of the calls that are inside and the others.
func (s *splitter) cut(g *graph.Graph, calls []graph.Call, inside []bool) *batchSplit {
	b := &batchSplit{images: s.images, parts: map[string]bool{}}
	b.body = &graph.Graph{Name: g.Name, Opset: g.Opset}
	b.rest = &graph.Graph{Name: g.Name, Opset: g.Opset, Inputs: slices.Clone(g.Inputs), Initializers: g.Initializers, Outputs: g.Outputs}
	makes := map[string]graph.Value{} // what is computed inside
	reads := map[string]bool{}        // what the inside reads
	needs := map[string]bool{}        // what the outside reads
	for i := range calls {
		c := &calls[i]
		if !inside[i] {
			b.rest.Nodes = append(b.rest.Nodes, *c.Node)
			for _, name := range c.Node.Inputs {
				needs[name] = true
			}
			continue
		}
		for _, v := range c.Out {
			makes[v.Name] = v
		}
		b.body.Nodes = append(b.body.Nodes, b.ofOne(c))
		for _, name := range b.body.Nodes[len(b.body.Nodes)-1].Inputs {
			reads[name] = true
		}
	}
	for _, v := range g.Outputs {
		needs[v.Name] = true
	}
	for _, v := range g.Inputs {
		if !reads[v.Name] {
			continue
		}
		if s.batched[v.Name] {
			v = one(v)
			b.parts[v.Name] = true
		}
		b.body.Inputs = append(b.body.Inputs, v)
	}
	for _, t := range g.Initializers {
		if reads[t.Name] {
			b.body.Initializers = append(b.body.Initializers, t)
		}
	}
	for i := range calls {
		for _, v := range calls[i].Out {
			if _, here := makes[v.Name]; here && needs[v.Name] {
				b.between = append(b.between, v)
				b.body.Outputs = append(b.body.Outputs, one(v))
				b.rest.Inputs = append(b.rest.Inputs, v)
			}
		}
	}
	return b
}

// one is a value for one image.
func one(v graph.Value) graph.Value {
	v.Shape = slices.Clone(v.Shape)
	v.Shape[0] = 1
	return v
}

// ofOne is a node for one image: where an operand says the shape, it says another.
func (b *batchSplit) ofOne(c *graph.Call) graph.Node {
	n := *c.Node
	switch n.Op {
	case "Squeeze", "Unsqueeze":
		n.Op = "Reshape"
	case "Reshape", "Expand":
	default:
		return n
	}
	n.Attrs = nil
	shape := make([]int64, len(c.Out[0].Shape))
	for i, d := range one(c.Out[0]).Shape {
		shape[i] = int64(d)
	}
	name := "shape of one " + n.Name
	b.body.Initializers = append(b.body.Initializers, tensor.Named{Name: name, Tensor: tensor.FromInt64(shape, len(shape))})
	n.Inputs = []string{n.Inputs[0], name}
	return n
}

// images runs the body of a split graph for each image.
type images struct {
	count   int
	workers []imageWorker
	ports   []imagePort
	next    atomic.Int64
	failed  atomic.Pointer[error]
	share   func(lo, hi int)
}

// imageWorker is what one goroutine needs.
type imageWorker struct {
	program *Program
	in, out map[string]*tensor.Tensor
}

// imagePort is an input or output of the body.
type imagePort struct {
	name    string
	storage int // of the whole program
	output  bool
	whole   *tensor.Tensor   // of which the parts are
	parts   []*tensor.Tensor // of the batch; one for all if it is not divided
	shape   []int            // of a part
	bytes   int              // of a part
	split   bool
}

// compileSplit compiles both graphs: the body once for each goroutine, with weights that all share.
func compileSplit(s *batchSplit, w *Weights) (*Program, error) {
	p, err := compileWhole(s.rest, &Update{}, w, false)
	if err != nil {
		return nil, err
	}
	im := &images{count: s.images}
	common := NewWeights()
	for _, t := range s.body.Initializers {
		common.Share(t.Tensor)
	}
	for range workers(im.count) {
		body, err := compileWhole(s.body, &Update{}, common, true)
		if err != nil {
			return nil, err
		}
		im.workers = append(im.workers, imageWorker{body, map[string]*tensor.Tensor{}, map[string]*tensor.Tensor{}})
	}
	storage := func(name string) int {
		return p.inputs[slices.IndexFunc(p.inputs, func(b port) bool { return b.Name == name })].storage
	}
	for _, v := range s.body.Inputs {
		im.ports = append(im.ports, imagePort{name: v.Name, storage: storage(v.Name), shape: v.Shape, split: s.parts[v.Name]})
	}
	for i, v := range s.between {
		im.ports = append(im.ports, imagePort{name: v.Name, storage: storage(v.Name), output: true, shape: s.body.Outputs[i].Shape, bytes: s.body.Outputs[i].Len() * v.DType.Size(), split: true})
		at := slices.IndexFunc(p.inputs, func(b port) bool { return b.Name == v.Name })
		p.set(p.inputs[at].storage, tensor.New(v.DType, v.Shape...))
		p.inputs = slices.Delete(p.inputs, at, at+1)
	}
	im.share = func(lo, hi int) {
		for i := lo; i < hi; i++ {
			im.work(&im.workers[i])
		}
	}
	p.images = im
	return p, nil
}

// run computes what rest reads.
func (im *images) run(p *Program) error {
	for i := range im.ports {
		im.ports[i].divide(p.values[im.ports[i].storage], im.count)
	}
	im.next.Store(0)
	im.failed.Store(nil)
	kernel.Parallel(len(im.workers), 1, im.share)
	if err := im.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// memory is what the workers hold and what they hand over, in bytes.
func (im *images) memory() int {
	n := 0
	for i := range im.workers {
		n += im.workers[i].program.Memory()
	}
	for i := range im.ports {
		if b := &im.ports[i]; b.output {
			n += im.count * b.bytes
		}
	}
	return n
}

// divide makes the parts of a tensor, which is usually that of the last run.
func (b *imagePort) divide(t *tensor.Tensor, count int) {
	if b.whole == t {
		return
	}
	b.whole, b.parts = t, []*tensor.Tensor{t}
	if !b.split {
		return
	}
	b.parts = nil
	n := t.Len() / count
	for i := range count {
		b.parts = append(b.parts, t.Part(i*n, (i+1)*n).Reshape(b.shape...))
	}
}

// work takes images until none is left.
func (im *images) work(w *imageWorker) {
	for {
		i := int(im.next.Add(1)) - 1
		if i >= im.count || im.failed.Load() != nil {
			return
		}
		for j := range im.ports {
			b := &im.ports[j]
			part := b.parts[min(i, len(b.parts)-1)]
			if b.output {
				w.out[b.name] = part
			} else {
				w.in[b.name] = part
			}
		}
		if err := w.program.RunInto(w.in, w.out); err != nil {
			failed := err // err itself would be on the heap for each image
			im.failed.CompareAndSwap(nil, &failed)
			return
		}
	}
}
