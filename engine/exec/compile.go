package exec

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// operation is how an operator is run.
type operation struct {
	// emit makes the function that a step calls. It is given the step with its storages and takes what it needs from there.
	emit func(*compiler, *instruction) func(*Program) error
	// overwrites lists inputs whose storage the output may take over, if nothing needs them afterwards: the operation reads
	// element i of them no later than it writes element i of the output.
	overwrites []int
}

// operations has an entry for every operator of package graph that is not a mere renaming (see aliases).
var operations = func() map[string]operation {
	table := map[string]operation{}
	for _, family := range []map[string]operation{
		elementwiseOps, selectionOps, matmulOps, movementOps, indexingOps, reduceOps, normalizationOps, attentionOps, lossOps, windowOps, windowGradientOps, recurrentOps, rankingOps, treeOps, quantizeOps,
	} {
		for name, op := range family {
			table[name] = op
		}
	}
	return table
}()

// Compile validates g and plans its execution. It returns graph.Infer's error. The initializers are shared with g and must
// not change while the program is in use. The memory it takes is within a small multiple of graph.Elements plus graph.MACs,
// both of which callers bound for graphs of strangers.
func Compile(g *graph.Graph) (*Program, error) { return compile(g, &Update{}, NewWeights()) }

// compile is Compile with outputs that replace inputs, and with weights that other programs share.
func compile(g *graph.Graph, u *Update, w *Weights) (*Program, error) {
	calls, err := graph.Calls(g)
	if err != nil {
		return nil, err
	}
	if u.State == nil {
		if s := split(g, calls); s != nil {
			return compileSplit(s, w)
		}
	}
	return compileCalls(g, calls, u, w, false)
}

// compileWhole is compile for a graph that is taken layer by layer; serial says that it runs on one goroutine beside others.
func compileWhole(g *graph.Graph, u *Update, w *Weights, serial bool) (*Program, error) {
	calls, err := graph.Calls(g)
	if err != nil {
		return nil, err
	}
	return compileCalls(g, calls, u, w, serial)
}

func compileCalls(g *graph.Graph, calls []graph.Call, u *Update, w *Weights, serial bool) (*Program, error) {
	c := &compiler{ids: map[string]int{}, initializers: map[int]*tensor.Tensor{}, weights: w, own: NewWeights(), serial: serial}
	for _, v := range g.Inputs {
		c.add(v, external)
	}
	for _, t := range g.Initializers {
		id := c.add(graph.Value{Name: t.Name, DType: t.Tensor.DType(), Shape: t.Tensor.Shape()}, constant)
		c.initializers[id] = t.Tensor
	}
	for i := range calls {
		c.instruct(&calls[i])
	}
	c.foldTransposes()
	p := &Program{}
	for _, v := range g.Inputs {
		p.inputs = append(p.inputs, port{Value: v, storage: c.ids[v.Name]})
	}
	needed := []int{}
	for _, v := range g.Outputs {
		needed = append(needed, c.ids[v.Name])
		if _, ok := u.State[v.Name]; !ok {
			p.outputs = append(p.outputs, c.output(v))
		}
	}
	c.removeDead(needed)
	c.joinSilu(needed)
	c.joinProducts(needed)
	c.fuse(needed)
	if u.State == nil {
		c.channelsLast(needed)
	}
	p.guard, p.commit = -1, len(c.code)
	if u.State != nil {
		p.guard = c.ids[u.Guard]
		p.state, p.commit = c.replace(u)
	}
	c.allocate(p)
	for _, t := range g.Initializers {
		p.set(c.ids[t.Name], t.Tensor)
	}
	for i := range c.code {
		in := &c.code[i]
		if in.group != nil {
			p.steps = append(p.steps, step{in.call.Node, emitFused(c, in)})
			continue
		}
		if in.relayout != nil {
			p.steps = append(p.steps, step{in.call.Node, emitRelayout(in)})
			continue
		}
		if in.take != nil {
			p.steps = append(p.steps, step{in.call.Node, emitTake(in)})
			continue
		}
		if in.scores != nil {
			p.steps = append(p.steps, step{in.call.Node, emitScores(c, in)})
			continue
		}
		op, ok := operations[in.call.Node.Op]
		if !ok {
			return nil, fmt.Errorf("node %q: operator %s cannot be run", in.call.Node.Name, in.call.Node.Op)
		}
		p.steps = append(p.steps, step{in.call.Node, op.emit(c, in)})
	}
	for i := range p.outputs {
		p.outputs[i].canonical = !p.outputs[i].copied && c.isCanonical(p.outputs[i].storage)
	}
	for i := range p.state {
		p.state[i].canonical = !p.state[i].copied && c.isCanonical(p.state[i].out)
	}
	p.scratch = make([]float32, c.scratchLen)
	return p, nil
}

// compiler is the state of Compile. A storage is a piece of memory, numbered; values that are the same bytes under another
// name or shape have the same storage.
type compiler struct {
	ids          map[string]int // value name -> storage
	storages     []storage
	initializers map[int]*tensor.Tensor // by storage
	weights, own *Weights               // shared with other programs, and this program's
	serial       bool                   // the program runs on one goroutine
	code         []instruction
	scratchLen   int
	isOutput     map[int]bool // by storage
}

type storage struct {
	dtype tensor.DType
	len   int
	place place
	maker int // index in code of the instruction that writes it, for planned and result
}

// place says whose memory a storage is.
type place uint8

const (
	planned  place = iota // ours, shared over time
	external              // a graph input
	constant              // an initializer
	result                // a graph output's tensor
	replaced              // the tensor of a graph input that it replaces
	kept                  // ours alone
)

// instruction is a node with storages for values.
type instruction struct {
	call           *graph.Call
	in, out        []int     // storages; in has -1 where an optional input is left out
	transA, transB bool      // MatMul and Gemm: the factor is stored transposed
	then           *then     // MatMul and Gemm: what joinProducts made part of it
	conv           *convThen // the same for Conv
	scores         *scores   // set for attention that a file writes out, of which call is the last product
	rescale        *rescale  // the same for MatMulInteger and ConvInteger, whose results are float32 then
	group          *fused    // set for an instruction that stands for several, of which call is the first
	take           *taking   // set for a Gather that joinTakes made
	relayout       *relayout // set for a copy that channelsLast made
	from, to       kernel.Layout
}

func (c *compiler) add(v graph.Value, where place) int {
	id := len(c.storages)
	c.storages = append(c.storages, storage{v.DType, v.Len(), where, -1})
	c.ids[v.Name] = id
	return id
}

// instruct adds a node, or only a name if its output is its input.
func (c *compiler) instruct(call *graph.Call) {
	if isAlias(call) {
		c.ids[call.Out[0].Name] = c.ids[call.In[0].Name]
		return
	}
	in := instruction{call: call}
	for i := range call.In {
		if call.Has(i) {
			in.in = append(in.in, c.ids[call.In[i].Name])
		} else {
			in.in = append(in.in, -1)
		}
	}
	for _, v := range call.Out {
		id := c.add(v, planned)
		c.storages[id].maker = len(c.code)
		in.out = append(in.out, id)
	}
	if call.Node.Op == "Gemm" {
		in.transA, in.transB = call.Int("transA") != 0, call.Int("transB") != 0
	}
	c.code = append(c.code, in)
}

// isAlias reports whether the node's output is its input, bytes and all.
func isAlias(call *graph.Call) bool {
	same := slices.Equal(call.In[0].Shape, call.Out[0].Shape)
	switch call.Node.Op {
	case "Identity", "Reshape", "Squeeze", "Unsqueeze":
		return true
	case "Expand":
		return call.In[0].Len() == call.Out[0].Len()
	case "Cast":
		return call.In[0].DType == call.Out[0].DType
	case "Max", "Min", "Concat":
		return len(call.In) == 1
	case "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin":
		return same && len(call.ReducedAxes()) == 0
	case "Transpose":
		return ascending(call.Perm(), call.In[0].Shape)
	}
	return false
}

// ascending reports whether a permutation keeps the order of all axes longer than 1, and thus of all elements.
func ascending(perm, shape []int) bool {
	last := -1
	for _, p := range perm {
		if shape[p] == 1 {
			continue
		}
		if p < last {
			return false
		}
		last = p
	}
	return true
}

// foldTransposes lets products read a transposed factor where it is: the kernel adds in the same order either way.
func (c *compiler) foldTransposes() {
	for i := range c.code {
		in := &c.code[i]
		if op := in.call.Node.Op; op != "MatMul" && op != "Gemm" {
			continue
		}
		for side, trans := range []*bool{&in.transA, &in.transB} {
			if t := c.swapsLastAxes(in.in[side], in.call.In[side].Shape); t >= 0 {
				in.in[side], *trans = t, !*trans
			}
		}
	}
}

// swapsLastAxes returns the storage of which the given one is a transpose of the last two axes, or -1. The shape is the one
// under which it is read.
func (c *compiler) swapsLastAxes(id int, shape []int) int {
	maker := c.storages[id].maker
	if maker < 0 || c.code[maker].call.Node.Op != "Transpose" {
		return -1
	}
	call := c.code[maker].call
	perm := slices.Clone(call.Perm())
	n := len(perm)
	if !slices.Equal(call.Out[0].Shape, shape) {
		return -1
	}
	perm[n-2], perm[n-1] = perm[n-1], perm[n-2]
	if !ascending(perm, call.In[0].Shape) {
		return -1
	}
	return c.code[maker].in[0]
}

// output makes a storage that an instruction writes the caller's tensor, so that nothing is copied. Inputs, initializers and
// what is an output already are copied.
func (c *compiler) output(v graph.Value) port {
	id := c.ids[v.Name]
	if c.storages[id].place != planned {
		return port{Value: v, storage: id, copied: true}
	}
	c.storages[id].place = result
	return port{Value: v, storage: id}
}

// removeDead drops instructions whose outputs nothing needs.
func (c *compiler) removeDead(outputs []int) {
	needed := make([]bool, len(c.storages))
	for _, id := range outputs {
		needed[id] = true
	}
	live := make([]bool, len(c.code))
	for i := len(c.code) - 1; i >= 0; i-- {
		live[i] = slices.ContainsFunc(c.code[i].out, func(id int) bool { return needed[id] })
		if live[i] {
			for _, id := range c.code[i].in {
				if id >= 0 {
					needed[id] = true
				}
			}
		}
	}
	kept := c.code[:0]
	for i, in := range c.code {
		if live[i] {
			kept = append(kept, in)
		}
	}
	c.code = kept
}

// scratch asks for n elements of memory that a step may use while it runs.
func (c *compiler) scratch(n int) { c.scratchLen = max(c.scratchLen, n) }
