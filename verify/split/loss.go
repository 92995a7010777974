package split

var lossRules = map[string]func(*plan) stage{
	"SoftmaxCrossEntropyLoss": crossEntropy, "SoftmaxCrossEntropyLossGrad": crossEntropyGrad,
}

// labels reads the labels of a cross-entropy.
type labels struct {
	p                    *plan
	input, rows, classes int
	count                int // word: rows that are not ignored
}

func (p *plan) newLabels(scores int) *labels {
	shape := p.In[scores].Shape
	return &labels{p, scores + 1, shape[0], shape[1], p.word(1)}
}

// of returns the label of a row and whether the row counts.
func (l *labels) of(in *inputs, row int) (label int, counts bool) {
	v := in.int(l.input, row)
	if l.p.HasAttr("ignore_index") && v == int64(l.p.Int("ignore_index")) {
		return 0, false
	}
	if v < 0 || v >= int64(l.classes) {
		in.fail("label %d of row %d is outside [0, %d)", v, row, l.classes)
		return 0, false
	}
	return int(v), true
}

// counted is the stage that counts the rows.
func (l *labels) counted() stage {
	return overall(l.rows, func(i int, a Acc, in *inputs) {
		if _, counts := l.of(in, i); counts {
			a[l.count]++
		}
	})
}

// crossEntropy is minus the logarithm of the share of each row's label; "sum" adds the rows, "mean" divides by how many count.
func crossEntropy(p *plan) stage {
	l := p.newLabels(0)
	row := 0
	e := p.newExponential(l.classes, func(i int, in *inputs) float32 { return in.float(0, row*l.classes+i) })
	logarithm := func(a Acc, in *inputs, class int) float32 {
		return e.logarithm(a, in.float(0, row*l.classes+class))
	}
	loss := func(a Acc, in *inputs) float32 {
		label, counts := l.of(in, row)
		if !counts {
			return 0
		}
		return -logarithm(a, in, label)
	}
	reduction := p.String("reduction")
	switch {
	case p.output == 1:
		row = p.element / l.classes
		return seq(e.stage, once(func(a Acc, in *inputs) { a.done(logarithm(a, in, p.element%l.classes)) }))
	case reduction == "none":
		row = p.element
		return seq(e.stage, once(func(a Acc, in *inputs) { a.done(loss(a, in)) }))
	}
	total := p.newSum(l.rows)
	each := seq(e.stage, once(func(a Acc, in *inputs) {
		if _, counts := l.of(in, row); counts {
			a[l.count]++
		}
		total.add(a, row, loss(a, in), 0)
	}))
	return seq(times(l.rows, func(r int) stage {
		return stage{each.ops, func(op int, a Acc, in *inputs) {
			row = r
			each.run(op, a, in)
		}}
	}), once(func(a Acc, _ *inputs) {
		v := total.of(a)
		if reduction == "mean" {
			v /= float32(a[l.count])
		}
		a.done(v)
	}))
}

// crossEntropyGrad is (share - 1 at the label)·f with f = dloss ("mean": divided by how many rows count), +0 in ignored rows.
func crossEntropyGrad(p *plan) stage {
	l := p.newLabels(1)
	row, class := p.element/l.classes, p.element%l.classes
	reduction := p.String("reduction")
	e := p.newExponential(l.classes, func(i int, in *inputs) float32 { return in.float(1, row*l.classes+i) })
	return seq(l.counted(), e.stage, once(func(a Acc, in *inputs) {
		label, counts := l.of(in, row)
		if !counts {
			a.done(0)
			return
		}
		factor := 0
		if reduction == "none" {
			factor = row
		}
		f := in.float(0, factor)
		if reduction == "mean" {
			f /= float32(a[l.count])
		}
		y := e.share(a, in.float(1, p.element))
		if label == class {
			y -= 1
		}
		a.done(float32(y * f))
	}))
}
