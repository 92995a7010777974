package exec

import (
	"fmt"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
)

var lossOps = map[string]operation{
	"SoftmaxCrossEntropyLoss":     {emitCrossEntropy, nil},
	"SoftmaxCrossEntropyLossGrad": {emitCrossEntropyGrad, nil},
}

// labels reads and checks the labels of a cross-entropy.
type labels struct {
	storage, classes int
	ignored          func(label int64) bool
}

func newLabels(call *graph.Call, id, classes int) labels {
	l := labels{id, classes, func(int64) bool { return false }}
	if call.HasAttr("ignore_index") {
		skip := int64(call.Int("ignore_index"))
		l.ignored = func(label int64) bool { return label == skip }
	}
	return l
}

// count returns how many labels are not ignored, or an error about one that is no class.
func (l *labels) count(list []int64) (int, error) {
	n := 0
	for i, v := range list {
		if l.ignored(v) {
			continue
		}
		if v < 0 || v >= int64(l.classes) {
			return 0, fmt.Errorf("%w: label %d of row %d is outside [0, %d)", ErrIndex, v, i, l.classes)
		}
		n++
	}
	return n, nil
}

// emitCrossEntropy computes log-probabilities row by row; a row's loss is minus that of its label, +0 if it is ignored. "sum"
// adds the rows as spec/numerics.md §4 says, "mean" divides that by the number of rows not ignored.
func emitCrossEntropy(c *compiler, in *instruction) func(*Program) error {
	rows, classes := in.call.In[0].Shape[0], in.call.In[0].Shape[1]
	l := newLabels(in.call, in.in[1], classes)
	scores, loss, reduction := in.in[0], in.out[0], in.call.String("reduction")
	logProb := -1
	if len(in.out) == 2 {
		logProb = in.out[1]
	}
	c.scratch(rows + rows*classes)
	return func(p *Program) error {
		list := p.values[l.storage].Int64()
		n, err := l.count(list)
		if err != nil {
			return err
		}
		each, logs := p.scratch[:rows], p.scratch[rows:rows+rows*classes]
		if logProb >= 0 {
			logs = p.f32[logProb]
		}
		logSoftmax(logs, p.f32[scores], rows, classes)
		for i, v := range list {
			each[i] = 0
			if !l.ignored(v) {
				each[i] = -logs[i*classes+int(v)]
			}
		}
		out := p.f32[loss]
		switch reduction {
		case "none":
			copy(out, each)
		case "sum":
			out[0] = kernel.Sum(each)
		case "mean":
			out[0] = kernel.Sum(each) / float32(n)
		}
		return nil
	}
}

// emitCrossEntropyGrad sets dscores = (softmax(scores) - onehot(label))·f with f = dloss ("mean": dloss divided by the number
// of rows not ignored), and +0 in ignored rows.
func emitCrossEntropyGrad(_ *compiler, in *instruction) func(*Program) error {
	rows, classes := in.call.In[1].Shape[0], in.call.In[1].Shape[1]
	l := newLabels(in.call, in.in[2], classes)
	dloss, scores, dscores, reduction := in.in[0], in.in[1], in.out[0], in.call.String("reduction")
	return func(p *Program) error {
		list := p.values[l.storage].Int64()
		n, err := l.count(list)
		if err != nil {
			return err
		}
		out, d := p.f32[dscores], p.f32[dloss]
		kernel.Softmax(out, p.f32[scores], rows, classes)
		for i, v := range list {
			row := out[i*classes : (i+1)*classes]
			if l.ignored(v) {
				clear(row)
				continue
			}
			factor := d[0]
			switch reduction {
			case "none":
				factor = d[i]
			case "mean":
				factor /= float32(n)
			}
			row[v] -= 1
			kernel.MulScalar(row, row, factor)
		}
		return nil
	}
}
