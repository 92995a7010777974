package split

import "math"

var indexingRules = map[string]func(*plan) stage{
	"Gather": gather, "GatherND": gather, "ScatterND": scatter, "TensorScatter": tensorScatter,
}

// tuple reads tuple i of an index input and returns the row that it names of the leading axes dims.
func (in *inputs) tuple(i int, dims []int) int {
	row := 0
	for axis, d := range dims {
		v := in.int(1, i*len(dims)+axis)
		if v < int64(-d) || v >= int64(d) {
			in.fail("index %d is outside [%d, %d)", v, -d, d)
			return 0
		}
		if v < 0 {
			v += int64(d)
		}
		row = row*d + int(v)
	}
	return row
}

func gather(p *plan) stage {
	data, depth := p.In[0].Shape, 1
	if p.Node.Op == "GatherND" {
		depth = p.In[1].Shape[len(p.In[1].Shape)-1]
	}
	row := size(data[depth:])
	return once(func(a Acc, in *inputs) {
		at := in.tuple(p.element/row, data[:depth])
		a.doneBits(in.bits(0, at*row+p.element%row))
	})
}

// scatter applies the updates of its row in index order, one tuple in a micro-operation.
func scatter(p *plan) stage {
	data, indices := p.In[0].Shape, p.In[1].Shape
	depth := indices[len(indices)-1]
	row := size(data[depth:])
	reductions := map[string]func(x, y float32) float32{
		"add": func(x, y float32) float32 { return x + y }, "mul": func(x, y float32) float32 { return float32(x * y) },
		"max": maximum, "min": minimum,
	}
	reduce := reductions[p.String("reduction")]
	return seq(copied(0, p.element), stage{p.In[1].Len() / depth, func(op int, a Acc, in *inputs) {
		if in.tuple(op, data[:depth]) != p.element/row || in.err != nil {
			return
		}
		update := in.bits(2, op*row+p.element%row)
		if reduce == nil {
			a.doneBits(update)
			return
		}
		a.done(reduce(a.float(0), math.Float32frombits(uint32(update))))
	}})
}

// tensorScatter reads the update where it covers the element and the cache elsewhere.
func tensorScatter(p *plan) stage {
	cache, update := p.In[0].Shape, p.In[1].Shape
	at, axis := p.index(), p.Axis()
	circular := p.String("mode") == "circular"
	return once(func(a Acc, in *inputs) {
		start := int64(0)
		if p.Has(2) {
			start = in.int(2, at[0])
		}
		length, n := int64(cache[axis]), int64(update[axis])
		if start < 0 || !circular && start > length-n {
			in.fail("write index %d for %d of %d", start, n, length)
			return
		}
		d := int64(at[axis]) - start%length
		if circular && d < 0 {
			d += length
		}
		if d < 0 || d >= n {
			a.doneBits(in.bits(0, p.element))
			return
		}
		a.doneBits(in.bits(1, ravel(update, moved(at, axis, int(d)))))
	})
}
