package exec

import (
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// treeOps are ensembles of decision trees.
var treeOps = map[string]operation{"TreeEnsemble": {emitTrees, nil}}

// The rows that a goroutine takes at a time: enough to read each tree once for many rows, few enough to stay in the cache. A multiple of the
// rows that the kernel walks together.
const (
	treeRows     = 256
	treeElements = 1 << 15 // of features of these rows
	treeLanes    = 8
)

// emitTrees runs a TreeEnsemble, whose structure is in initializers.
func emitTrees(c *compiler, in *instruction) func(*Program) error {
	constant := func(i int) *tensor.Tensor { return c.initializers[in.in[i]] }
	ints := func(i int) []int32 { return tensor.Data[int32](constant(i)) }
	combine := map[string]kernel.Combine{"SUM": kernel.TreeSum, "MIN": kernel.TreeMin, "MAX": kernel.TreeMax}[in.call.String("aggregate")]
	targets := in.call.Int("targets")
	trees := kernel.NewTrees(constant(1).Float32(), ints(2), ints(3), ints(4), ints(5), constant(6).Float32(), targets, combine)
	rows, features := in.call.In[0].Shape[0], in.call.In[0].Shape[1]
	share := (rows + workers(rows) - 1) / workers(rows)
	step := min(treeRows, treeElements/features, share) / treeLanes * treeLanes
	step = max(step, treeLanes)
	tasks := (rows + step - 1) / step
	w := newCrew(c, tasks, kernel.TreesScratch(min(step, rows), features))
	x, y := in.in[0], in.out[0]
	predict := func(p *Program, task int, scratch []float32) {
		src, dst := p.f32[x], p.f32[y]
		lo, hi := task*step, min((task+1)*step, rows)
		trees.Predict(dst[lo*targets:hi*targets], src[lo*features:hi*features], hi-lo, features, scratch)
	}
	return func(p *Program) error {
		w.do(p, tasks, predict)
		return nil
	}
}
