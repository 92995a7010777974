package exec

import (
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// joinSilu makes x·sigmoid(x), which files write as Sigmoid and Mul, one instruction of an operator that graphs do not have.
func (c *compiler) joinSilu(outputs []int) {
	reads := make([]int, len(c.storages))
	for _, id := range outputs {
		reads[id]++
	}
	for i := range c.code {
		for _, id := range c.code[i].in {
			if id >= 0 {
				reads[id]++
			}
		}
	}
	made := map[int]int{} // storage of a sigmoid that is read once -> its argument
	makers := map[int]int{}
	gone := make([]bool, len(c.code))
	for i := range c.code {
		in := &c.code[i]
		switch in.call.Node.Op {
		case "Sigmoid":
			if id := in.out[0]; reads[id] == 1 && in.call.Out[0].DType == tensor.Float32 {
				made[id], makers[id] = in.in[0], i
			}
		case "Mul":
			for side, id := range in.in {
				x, ok := made[id]
				if !ok || in.in[1-side] != x || !slices.Equal(in.call.In[0].Shape, in.call.In[1].Shape) {
					continue
				}
				node := *in.call.Node
				node.Op = "Silu"
				in.call = &graph.Call{Node: &node, In: in.call.In[1-side : 2-side], Out: in.call.Out}
				in.in = []int{x}
				gone[makers[id]] = true
				break
			}
		}
	}
	at := -1
	c.code = slices.DeleteFunc(c.code, func(instruction) bool { at++; return gone[at] })
}
