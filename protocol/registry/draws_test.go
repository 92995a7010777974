package registry

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// draw makes one node of an operator at shapes and attributes that an attacker might think of, and returns what it computes.
type draw func(d *drawing) []graph.Ref

// drawing is a graph that is being drawn at random.
type drawing struct {
	*rand.Rand
	b    *graph.Builder
	x    graph.Ref // [1, wide]
	made map[string]graph.Ref
}

// size is a number from 1 to most, small ones as likely as large ones.
func (d *drawing) size(most int) int {
	return max(1, min(most, int(math.Exp(d.Float64()*math.Log(float64(most)+1)))))
}

// of picks one.
func of[T any](d *drawing, list ...T) T { return list[d.IntN(len(list))] }

// shape is a shape of least to most axes with up to so many elements.
func (d *drawing) shape(least, most, elements int) []int {
	shape := make([]int, least+d.IntN(most-least+1))
	for i := range shape {
		shape[i] = 1
	}
	left := d.size(elements)
	for _, i := range d.Perm(len(shape)) {
		shape[i] = d.size(left)
		if d.IntN(3) == 0 {
			shape[i] = left
		}
		left /= shape[i]
	}
	return shape
}

// floats is a value of float32.
func (d *drawing) floats(shape ...int) graph.Ref {
	return d.once(tensor.Float32, shape, func() graph.Ref {
		n := count(shape)
		if n <= wide || n%wide == 0 {
			return spread(d.b, d.x, shape...)
		}
		whole := spread(d.b, d.x, (n+wide-1)/wide*wide)
		return d.b.Op("Reshape", nil, d.b.Op("Slice", nil, whole, d.b.Ints(0), d.b.Ints(n), d.b.Ints(0)), d.b.Ints(shape...))
	})
}

// differing is a value of float32 that does not repeat soon.
func (d *drawing) differing(shape ...int) graph.Ref {
	return d.once(104, shape, func() graph.Ref {
		n := count(shape)
		rows := (n + 127) / 128
		whole := varied(d.b, d.floats(rows, 128))
		whole = d.b.Op("Slice", nil, d.b.Op("Reshape", nil, whole, d.b.Ints(rows*128)), d.b.Ints(0), d.b.Ints(n), d.b.Ints(0))
		return d.b.Op("Reshape", nil, whole, d.b.Ints(shape...))
	})
}

// once makes a value of a type and shape once for all copies of a node.
func (d *drawing) once(dt tensor.DType, shape []int, make func() graph.Ref) graph.Ref {
	key := dt.String()
	for _, n := range shape {
		key += " " + strconv.Itoa(n)
	}
	if _, ok := d.made[key]; !ok {
		d.made[key] = make()
	}
	return d.made[key]
}

// constant is an initializer of float32, if it is small enough to be one, else a value.
func (d *drawing) constant(shape ...int) graph.Ref {
	if n := count(shape); n <= 1<<14 && d.IntN(3) > 0 {
		return d.once(100, shape, func() graph.Ref { return floats(d.b, "w"+strconv.Itoa(len(d.made)), shape...) })
	}
	return d.floats(shape...)
}

// typed is a value of any type: few numbers, expanded.
func (d *drawing) typed(dt tensor.DType, shape ...int) graph.Ref {
	if dt == tensor.Float32 {
		return d.floats(shape...)
	}
	return d.once(dt, shape, func() graph.Ref {
		n, last := count(shape), 1
		for last < n && last < wide {
			last *= 2
		}
		r := rand.New(rand.NewPCG(5, uint64(dt)))
		var t *tensor.Tensor
		switch dt {
		case tensor.Int64:
			t = numbers(last, func() int64 { return r.Int64() >> r.IntN(60) })
		case tensor.Int32:
			t = numbers(last, func() int32 { return int32(r.Int64()) })
		case tensor.Int8:
			t = numbers(last, func() int8 { return int8(r.Int64()) })
		case tensor.Uint8:
			t = numbers(last, func() uint8 { return uint8(r.Int64()) })
		default:
			t = numbers(last, func() bool { return r.IntN(2) == 0 })
		}
		row := d.b.Initializer("t"+strconv.Itoa(len(d.made)), t)
		rows := (n + last - 1) / last
		if rows > 1 {
			row = d.b.Op("Expand", nil, row, d.b.Ints(rows, last))
			row = d.b.Op("Reshape", nil, row, d.b.Ints(rows*last))
		}
		if rows*last > n {
			row = d.b.Op("Slice", nil, row, d.b.Ints(0), d.b.Ints(n), d.b.Ints(0))
		}
		return d.b.Op("Reshape", nil, row, d.b.Ints(shape...))
	})
}

func numbers[T tensor.Element](n int, f func() T) *tensor.Tensor {
	data := make([]T, n)
	for i := range data {
		data[i] = f()
	}
	return tensor.From(data, n)
}

// places are indices into n, of that shape.
func (d *drawing) places(n int, shape ...int) graph.Ref {
	return d.once(103, append([]int{n}, shape...), func() graph.Ref {
		want := count(shape)
		most := min(want, 4096)
		list, r := make([]int64, most), rand.New(rand.NewPCG(uint64(n), 6))
		for i := range list {
			list[i] = r.Int64N(int64(n))
		}
		row := d.b.Initializer("i"+strconv.Itoa(len(d.made)), tensor.FromInt64(list, most))
		if want > most {
			rows := (want + most - 1) / most
			row = d.b.Op("Reshape", nil, d.b.Op("Expand", nil, row, d.b.Ints(rows, most)), d.b.Ints(rows*most))
			row = d.b.Op("Slice", nil, row, d.b.Ints(0), d.b.Ints(want), d.b.Ints(0))
		}
		return d.b.Op("Reshape", nil, row, d.b.Ints(shape...))
	})
}

func count(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// broadcast is a shape that broadcasts to another.
func (d *drawing) broadcast(shape []int) []int {
	if d.IntN(3) == 0 {
		return shape
	}
	part := append([]int{}, shape[d.IntN(len(shape)):]...)
	for i := range part {
		if d.IntN(2) == 0 {
			part[i] = 1
		}
	}
	return part
}

const manyElements = 1 << 18

// draws has a line for every operator.
var draws = func() map[string]draw {
	table := map[string]draw{}
	add := func(f func(op string) draw, ops ...string) {
		for _, op := range ops {
			table[op] = f(op)
		}
	}
	anyType := func(d *drawing) tensor.DType {
		return of(d, tensor.Float32, tensor.Float32, tensor.Int64, tensor.Int32, tensor.Int8, tensor.Bool)
	}
	one := func(op string) draw {
		return func(d *drawing) []graph.Ref {
			return []graph.Ref{d.b.Op(op, nil, d.floats(d.shape(1, 4, manyElements)...))}
		}
	}
	add(one, "Neg", "Abs", "Sign", "Relu", "Sqrt", "Reciprocal", "Exp", "Log", "Tanh", "Erf", "Sigmoid", "Sin", "Cos", "Gelu", "Identity")
	two := func(op string) draw {
		return func(d *drawing) []graph.Ref {
			dt := tensor.Float32
			if d.IntN(3) == 0 {
				dt = tensor.Int64
			}
			shape := d.shape(1, 8, manyElements)
			in := []graph.Ref{d.typed(dt, shape...), d.typed(dt, d.broadcast(shape)...)}
			if d.IntN(2) == 0 {
				in[0], in[1] = in[1], in[0]
			}
			if op == "Max" || op == "Min" {
				for range d.size(20) - 1 {
					in = append(in, d.typed(dt, d.broadcast(shape)...))
				}
			}
			return []graph.Ref{d.b.Op(op, nil, in...)}
		}
	}
	add(two, "Add", "Sub", "Mul", "Div", "Max", "Min", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
	table["Where"] = func(d *drawing) []graph.Ref {
		shape, dt := d.shape(1, 8, manyElements), anyType(d)
		shapes := [][]int{shape, d.broadcast(shape), d.broadcast(shape)}
		d.Shuffle(3, func(i, j int) { shapes[i], shapes[j] = shapes[j], shapes[i] })
		return []graph.Ref{d.b.Op("Where", nil, d.typed(tensor.Bool, shapes[0]...), d.typed(dt, shapes[1]...), d.typed(dt, shapes[2]...))}
	}
	table["Cast"] = func(d *drawing) []graph.Ref {
		return []graph.Ref{d.b.Op("Cast", graph.Attrs{"to": int(anyType(d))}, d.typed(anyType(d), d.shape(1, 2, manyElements)...))}
	}
	product := func(op string) draw { return func(d *drawing) []graph.Ref { return d.product(op) } }
	add(product, "MatMul", "Gemm", "MatMulInteger")
	move := func(op string) draw { return func(d *drawing) []graph.Ref { return d.move(op, anyType(d)) } }
	add(move, "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Expand", "Concat", "Slice", "SliceGrad", "Split", "Gather", "GatherND", "ScatterND", "TensorScatter")
	reduce := func(op string) draw {
		return func(d *drawing) []graph.Ref {
			shape := d.shape(1, 8, manyElements)
			var axes []int
			for i := range shape {
				if d.IntN(2) == 0 {
					axes = append(axes, i)
				}
			}
			in := []graph.Ref{d.floats(shape...)}
			if len(axes) > 0 {
				in = append(in, d.b.Ints(axes...))
			}
			return []graph.Ref{d.b.Op(op, graph.Attrs{"keepdims": d.IntN(2)}, in...)}
		}
	}
	add(reduce, "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare")
	softmax := func(op string) draw {
		return func(d *drawing) []graph.Ref {
			shape := d.shape(1, 4, manyElements)
			return []graph.Ref{d.b.Op(op, graph.Attrs{"axis": d.IntN(len(shape))}, d.floats(shape...))}
		}
	}
	add(softmax, "Softmax", "LogSoftmax")
	norm := func(op string) draw {
		return func(d *drawing) []graph.Ref {
			shape := d.shape(1, 4, manyElements)
			axis := d.IntN(len(shape))
			x, scale := d.floats(shape...), d.floats(shape[axis:]...)
			attrs := graph.Attrs{"axis": axis}
			switch op {
			case "LayerNormalization":
				if d.IntN(2) == 0 {
					return []graph.Ref{d.b.Op(op, attrs, x, scale, scale)}
				}
				return []graph.Ref{d.b.Op(op, attrs, x, scale)}
			case "LayerNormalizationGrad":
				return d.b.OpN(op, 3, attrs, x, x, scale)
			case "RMSNormalizationGrad":
				return d.b.OpN(op, 2, attrs, x, x, scale)
			}
			return []graph.Ref{d.b.Op(op, attrs, x, scale)}
		}
	}
	add(norm, "LayerNormalization", "RMSNormalization", "LayerNormalizationGrad", "RMSNormalizationGrad")
	table["GeluGrad"] = func(d *drawing) []graph.Ref {
		x := d.floats(d.shape(1, 2, manyElements)...)
		return []graph.Ref{d.b.Op("GeluGrad", nil, x, x)}
	}
	table["QuantizeLinear"] = func(d *drawing) []graph.Ref {
		shape := d.shape(1, 4, manyElements)
		axis := d.IntN(len(shape))
		dt := of(d, tensor.Int8, tensor.Uint8)
		x := d.floats(shape...)
		if d.IntN(2) == 0 {
			return []graph.Ref{d.b.Op("QuantizeLinear", graph.Attrs{"axis": axis}, x, d.floats(shape[axis]), d.typed(dt, shape[axis]))}
		}
		zero := d.b.Op("Squeeze", nil, d.typed(dt, 1))
		return []graph.Ref{d.b.Op("QuantizeLinear", nil, x, d.b.Float(0.02), zero)}
	}
	loss := func(op string) draw {
		return func(d *drawing) []graph.Ref {
			rows := d.size(1 << 14)
			classes := d.size(manyElements / rows)
			scores, labels := d.floats(rows, classes), d.places(classes, rows)
			if op == "SoftmaxCrossEntropyLossGrad" {
				return []graph.Ref{d.b.Op(op, nil, d.b.Float(1), scores, labels)}
			}
			return d.b.OpN(op, 2, nil, scores, labels)
		}
	}
	add(loss, "SoftmaxCrossEntropyLoss", "SoftmaxCrossEntropyLossGrad")
	windowed := func(op string) draw { return func(d *drawing) []graph.Ref { return d.window(op) } }
	add(windowed, "Conv", "ConvInteger", "ConvWeightGrad", "MaxPool", "AveragePool", "MaxPoolGrad", "AveragePoolGrad")
	sequence := func(op string) draw { return func(d *drawing) []graph.Ref { return d.sequence(op) } }
	add(sequence, "Attention", "AttentionGrad", "LSTM", "GRU")
	table["TopK"] = func(d *drawing) []graph.Ref {
		shape := d.shape(1, 3, manyElements)
		axis := d.IntN(len(shape))
		k := d.size(shape[axis])
		return d.b.OpN("TopK", 2, graph.Attrs{"axis": axis, "largest": d.IntN(2)}, d.differing(shape...), d.b.Ints(k))
	}
	table["TreeEnsemble"] = func(d *drawing) []graph.Ref { return []graph.Ref{d.forest()} }
	return table
}()

func (d *drawing) product(op string) []graph.Ref {
	m, k := d.size(4096), d.size(4096)
	for m*k > manyElements {
		m = (m + 1) / 2
	}
	n := d.size(4096)
	for m*n > manyElements || k*n > manyElements || m*n*k > 1<<24 {
		n = (n + 1) / 2
		if n == 1 {
			break
		}
	}
	switch op {
	case "Gemm":
		attrs := graph.Attrs{"transA": d.IntN(2), "transB": d.IntN(2), "alpha": of(d, float32(1), 0.5), "beta": of(d, float32(1), 0.5)}
		a, b := []int{m, k}, []int{k, n}
		if attrs["transA"] == 1 {
			a = []int{k, m}
		}
		if attrs["transB"] == 1 {
			b = []int{n, k}
		}
		in := []graph.Ref{d.floats(a...), d.constant(b...)}
		if d.IntN(2) == 0 {
			in = append(in, d.floats(d.broadcast([]int{m, n})...))
		}
		return []graph.Ref{d.b.Op(op, attrs, in...)}
	case "MatMulInteger":
		w := d.typed(tensor.Int8, k, n)
		if k*n <= 1<<15 && d.IntN(2) == 0 {
			w = d.once(101, []int{k, n}, func() graph.Ref { return bytesOf(d.b, "bytes", k, n) })
		}
		x := d.typed(of(d, tensor.Int8, tensor.Uint8), m, k)
		if d.IntN(2) == 0 {
			zero := d.b.Op("Squeeze", nil, d.typed(d.b.Value(x).DType, 1))
			return []graph.Ref{d.b.Op(op, nil, x, w, zero, d.typed(tensor.Int8, n))}
		}
		return []graph.Ref{d.b.Op(op, nil, x, w)}
	}
	lead := []int{}
	if d.IntN(3) == 0 {
		batch := d.size(max(1, manyElements/max(m*k, k*n, m*n)))
		lead = of(d, []int{batch}, []int{batch, 1}, []int{1, batch})
		if s := d.size(batch); d.IntN(2) == 0 {
			lead = []int{batch / s, s}
		}
	}
	right := lead
	if len(lead) > 0 {
		right = d.broadcast(lead)
	}
	a, b := append(append([]int{}, lead...), m, k), append(append([]int{}, right...), k, n)
	if len(lead) == 0 {
		return []graph.Ref{d.b.Op(op, nil, d.floats(a...), d.constant(b...))}
	}
	return []graph.Ref{d.b.Op(op, nil, d.floats(a...), d.floats(b...))}
}

func (d *drawing) move(op string, dt tensor.DType) []graph.Ref {
	shape := d.shape(1, 8, manyElements)
	x := d.typed(dt, shape...)
	rank := len(shape)
	switch op {
	case "Transpose":
		return []graph.Ref{d.b.Op(op, graph.Attrs{"perm": d.Perm(rank)}, x)}
	case "Reshape":
		return []graph.Ref{d.b.Op(op, nil, x, d.b.Ints(1, count(shape)))}
	case "Squeeze":
		return []graph.Ref{d.b.Op(op, nil, x)}
	case "Unsqueeze":
		if rank == 8 {
			return []graph.Ref{d.b.Op(op, nil, d.typed(dt, 3), d.b.Ints(0))}
		}
		return []graph.Ref{d.b.Op(op, nil, x, d.b.Ints(0))}
	case "Expand":
		return []graph.Ref{d.b.Op(op, nil, d.typed(dt, d.broadcast(shape)...), d.b.Ints(shape...))}
	case "Concat":
		axis := d.IntN(rank)
		n := d.size(200)
		shape[axis] = max(1, shape[axis]/n)
		if d.IntN(2) == 0 {
			shape[axis] = 1
		}
		var in []graph.Ref
		for range n {
			in = append(in, d.typed(dt, shape...))
		}
		return []graph.Ref{d.b.Op(op, graph.Attrs{"axis": axis}, in...)}
	case "Split":
		axis := d.IntN(rank)
		parts := d.parts(shape[axis])
		return d.b.OpN(op, len(parts), graph.Attrs{"axis": axis}, x, d.b.Ints(parts...))
	case "Slice", "SliceGrad":
		starts, ends, axes, steps := make([]int, rank), make([]int, rank), make([]int, rank), make([]int, rank)
		part := make([]int, rank)
		for i, n := range shape {
			axes[i], steps[i], starts[i], ends[i] = i, 1, 0, n
			switch d.IntN(4) {
			case 0:
				steps[i], starts[i], ends[i] = -1, -1, -1<<30
			case 1:
				steps[i] = d.size(n)
			case 2:
				ends[i] = d.size(n)
			}
			part[i] = n
			if steps[i] > 0 {
				part[i] = (ends[i]-1)/steps[i] + 1
			}
		}
		if op == "Slice" {
			return []graph.Ref{d.b.Op(op, nil, x, d.b.Ints(starts...), d.b.Ints(ends...), d.b.Ints(axes...), d.b.Ints(steps...))}
		}
		return []graph.Ref{d.b.Op(op, graph.Attrs{"shape": shape}, d.floats(part...), d.b.Ints(starts...), d.b.Ints(ends...), d.b.Ints(axes...), d.b.Ints(steps...))}
	case "Gather":
		n := d.size(max(1, manyElements/(count(shape)/shape[0])))
		return []graph.Ref{d.b.Op(op, nil, x, d.places(shape[0], n))}
	case "TensorScatter":
		if rank == 1 {
			return d.move(op, dt)
		}
		axis := 1 + d.IntN(rank-1)
		part := append([]int{}, shape...)
		part[axis] = d.size(shape[axis])
		if d.IntN(2) == 0 {
			return []graph.Ref{d.b.Op(op, graph.Attrs{"axis": axis, "mode": "circular"}, x, d.typed(dt, part...), d.places(shape[axis], shape[0]))}
		}
		return []graph.Ref{d.b.Op(op, graph.Attrs{"axis": axis}, x, d.typed(dt, part...))}
	}
	depth := 1 + d.IntN(rank)
	least := shape[0]
	for _, n := range shape[:depth] {
		least = min(least, n)
	}
	row := count(shape[depth:])
	n := d.size(max(1, manyElements/max(row, depth)))
	index := d.places(least, n, depth)
	if op == "GatherND" {
		return []graph.Ref{d.b.Op(op, nil, x, index)}
	}
	reduction := "none"
	if dt == tensor.Float32 {
		reduction = of(d, "none", "add", "mul", "max")
	}
	return []graph.Ref{d.b.Op(op, graph.Attrs{"reduction": reduction}, x, index, d.typed(dt, append([]int{n}, shape[depth:]...)...))}
}

// parts are the lengths of up to 200 parts of an axis.
func (d *drawing) parts(n int) []int {
	size := (n + d.size(min(n, 200)) - 1) / min(n, 200)
	size = max(size, (n+199)/200)
	var list []int
	for ; n > 0; n -= size {
		list = append(list, min(n, size))
	}
	return list
}

// window draws convolutions and pools over one to three axes: whatever windows, steps and padding.
func (d *drawing) window(op string) []graph.Ref {
	axes := 1 + d.IntN(3)
	var in, kernel, strides, dilations, pads, out []int
	left := 1 << 14
	places := of(d, 1, 4, 9, 64, 1024, 1<<14, 1<<18)
	for range axes {
		n := d.size(left)
		left = max(1, left/n)
		k := d.size(max(1, min(places, 4*n)))
		places = max(1, places/k)
		s, l, p := 1, 1, 0
		if d.IntN(2) == 0 {
			s = d.size(4)
		}
		if d.IntN(3) == 0 {
			l = d.size(8)
		}
		if need := (k-1)*l + 1 - n; need > 0 || d.IntN(2) == 0 {
			p = (max(need, 0)+1)/2 + d.size(k) - 1
		}
		in, kernel, strides, dilations, pads = append(in, n), append(kernel, k), append(strides, s), append(dilations, l), append(pads, p)
		out = append(out, (n+2*p-(k-1)*l-1)/s+1)
	}
	pads = append(pads, pads...)
	attrs := graph.Attrs{"strides": strides, "dilations": dilations, "pads": pads}
	work := count(out) * count(kernel)
	most := max(1, min(256, manyElements/max(count(in), count(out)), (1<<23)/work))
	channels, batch := d.size(most), 1
	if d.IntN(4) == 0 {
		batch = d.size(max(1, most/channels))
	}
	whole := func(first ...int) []int { return append(first, in...) }
	if op == "MaxPool" || op == "AveragePool" || op == "MaxPoolGrad" || op == "AveragePoolGrad" {
		attrs["kernel_shape"] = kernel
		if op == "AveragePool" || op == "AveragePoolGrad" {
			attrs["count_include_pad"] = d.IntN(2)
		}
		dy := append([]int{batch, channels}, out...)
		switch op {
		case "MaxPoolGrad":
			return []graph.Ref{d.b.Op(op, attrs, d.floats(dy...), d.floats(whole(batch, channels)...))}
		case "AveragePoolGrad":
			attrs["shape"] = whole(batch, channels)
			return []graph.Ref{d.b.Op(op, attrs, d.floats(dy...))}
		}
		return []graph.Ref{d.b.Op(op, attrs, d.floats(whole(batch, channels)...))}
	}
	group := of(d, 1, 1, d.size(channels), channels)
	for channels%group != 0 {
		group--
	}
	each := channels / group
	outs := group * d.size(max(1, min(256/group, (1<<23)/(work*each*group), manyElements/max(1, count(out)*group), manyElements/max(1, each*count(kernel)*group))))
	attrs["group"] = group
	w := append([]int{outs, each}, kernel...)
	switch op {
	case "ConvWeightGrad":
		attrs["kernel_shape"] = kernel
		return []graph.Ref{d.b.Op(op, attrs, d.floats(append([]int{batch, outs}, out...)...), d.floats(whole(batch, channels)...))}
	case "ConvInteger":
		weights := d.typed(tensor.Int8, w...)
		if count(w) <= 1<<15 && d.IntN(3) > 0 {
			weights = d.once(102, w, func() graph.Ref { return bytesOf(d.b, "bytes", w...) })
		}
		x := d.typed(of(d, tensor.Int8, tensor.Uint8), whole(batch, channels)...)
		if d.IntN(2) == 0 {
			zero := d.b.Op("Squeeze", nil, d.typed(d.b.Value(x).DType, 1))
			return []graph.Ref{d.b.Op(op, attrs, x, weights, zero, d.typed(tensor.Int8, outs))}
		}
		return []graph.Ref{d.b.Op(op, attrs, x, weights)}
	}
	ins := []graph.Ref{d.floats(whole(batch, channels)...), d.constant(w...)}
	if d.IntN(2) == 0 {
		ins = append(ins, d.floats(outs))
	}
	return []graph.Ref{d.b.Op(op, attrs, ins...)}
}

func (d *drawing) sequence(op string) []graph.Ref {
	if op == "LSTM" || op == "GRU" {
		gates, outs := map[string]int{"LSTM": 4, "GRU": 3}[op], map[string]int{"LSTM": 3, "GRU": 2}[op]
		steps, batch := d.size(1024), 1
		if d.IntN(2) == 0 {
			batch = d.size(64)
		}
		in, hidden := d.size(128), d.size(128)
		for steps*batch*hidden > 1<<16 || steps*batch*in > 1<<17 || steps*batch*hidden*(in+hidden)*gates > 1<<24 {
			steps = (steps + 1) / 2
		}
		directions, attrs := 1, graph.Attrs{}
		if d.IntN(3) == 0 {
			directions, attrs["direction"] = 2, "bidirectional"
		}
		ins := []graph.Ref{d.floats(steps, batch, in), d.constant(directions, gates*hidden, in), d.constant(directions, gates*hidden, hidden)}
		if d.IntN(2) == 0 {
			ins = append(ins, d.floats(directions, 2*gates*hidden))
		}
		return d.b.OpN(op, outs, attrs, ins...)
	}
	batch, kv := 1, d.size(16)
	heads := kv * of(d, 1, 1, 2, 4)
	if d.IntN(3) == 0 {
		batch = d.size(8)
	}
	queries, keys, size, dv := d.size(1024), d.size(1024), d.size(128), d.size(128)
	if d.IntN(2) == 0 {
		keys, dv = queries, size
	}
	for batch*heads*max(queries, keys)*max(size, dv) > manyElements || batch*heads*queries*keys*(size+dv+16) > 1<<24 {
		queries, keys = (queries+1)/2, (keys+1)/2
		if queries == 1 && keys == 1 {
			break
		}
	}
	q, k, v := d.floats(batch, heads, queries, size), d.floats(batch, kv, keys, size), d.floats(batch, kv, keys, dv)
	attrs := graph.Attrs{"is_causal": d.IntN(2)}
	if op == "AttentionGrad" {
		return d.b.OpN(op, 3, attrs, d.floats(batch, heads, queries, dv), q, k, v)
	}
	if d.IntN(3) == 0 {
		attrs["softcap"] = float32(3)
	}
	switch d.IntN(4) {
	case 0:
		return []graph.Ref{d.b.Op(op, attrs, q, k, v, d.typed(of(d, tensor.Bool, tensor.Float32), d.broadcast([]int{batch, heads, queries, keys})...))}
	case 1:
		return d.b.OpN(op, 3, attrs, q, k, v, graph.None, k, v)
	case 2:
		return []graph.Ref{d.b.Op(op, attrs, q, k, v, graph.None, graph.None, graph.None, d.places(keys, batch))}
	}
	return []graph.Ref{d.b.Op(op, attrs, q, k, v)}
}

// forest draws full trees, or chains in which every row goes all the way, with leaves of some weights.
func (d *drawing) forest() graph.Ref {
	rows, features := d.size(1024), d.size(256)
	for rows*features > manyElements {
		rows = (rows + 1) / 2
	}
	targets := d.size(max(1, min(64, manyElements/rows)))
	shared, depth, trees := d.IntN(2) == 0, d.size(10), d.size(300)
	inner := 1<<depth - 1
	if shared {
		inner = d.size(200)
	}
	for inner*trees > 6000 {
		trees = (trees + 1) / 2
	}
	each := d.size(min(targets, max(1, 6000/(inner*trees))))
	var thresholds, weights []float32
	var nodes, roots, starts, to []int32
	for t := range trees {
		at, leaf := int32(t*inner), int32(t*(inner+1))
		roots = append(roots, at)
		for i := range inner {
			child := func(c int) int32 {
				if c < inner {
					return at + int32(c)
				}
				return -1 - (leaf + int32(min(c-inner, inner)))
			}
			first, second := child(2*i+1), child(2*i+2)
			if shared {
				first, second = child(i+1), child(i+1)
			}
			thresholds = append(thresholds, float32(d.NormFloat64()))
			nodes = append(nodes, int32(d.IntN(features)), first, second, int32(d.IntN(2)))
		}
		for range inner + 1 {
			starts = append(starts, int32(len(weights)))
			for range each {
				weights, to = append(weights, float32(d.NormFloat64())), append(to, int32(d.IntN(targets)))
			}
		}
	}
	starts = append(starts, int32(len(weights)))
	name := func(s string) string { return s + strconv.Itoa(d.b.Nodes()) }
	return d.b.Op("TreeEnsemble", graph.Attrs{"targets": targets, "aggregate": of(d, "SUM", "SUM", "MIN")}, d.differing(rows, features),
		d.b.Initializer(name("thresholds"), tensor.FromFloat32(thresholds, len(thresholds))), d.b.Initializer(name("nodes"), tensor.From(nodes, len(thresholds), 4)),
		d.b.Initializer(name("roots"), tensor.From(roots, trees)), d.b.Initializer(name("starts"), tensor.From(starts, len(starts))),
		d.b.Initializer(name("targets"), tensor.From(to, len(to))), d.b.Initializer(name("weights"), tensor.FromFloat32(weights, len(weights))))
}
