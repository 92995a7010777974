package onnx

import (
	"math"
	"slices"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// encodeRules turn categories into numbers and back.
var encodeRules = map[string]rule{
	mlDomain + ".LabelEncoder": labelEncoder, mlDomain + ".CategoryMapper": categoryMapper, mlDomain + ".OneHotEncoder": one(oneHotEncoder),
	mlDomain + ".CastMap": one(castMap),
}

// defaultWord is what ONNX puts where a category is unknown and the file does not say otherwise.
const defaultWord = "_Unused"

// column is a list of one type: the keys or the values of a table.
type column struct {
	t     *tensor.Tensor
	words bool
}

// column reads the list that one of the attributes prefix_int64s, prefix_floats, prefix_strings or prefix_tensor holds.
func (n *node) column(prefix string) column {
	if list := n.int64s(prefix + "_int64s"); list != nil {
		return column{t: tensor.FromInt64(slices.Clone(list), len(list))}
	}
	if list := n.floatList(prefix + "_floats"); list != nil {
		return column{t: tensor.FromFloat32(slices.Clone(list), len(list))}
	}
	if list := n.texts(prefix + "_strings"); list != nil {
		return column{n.strings(list), true}
	}
	if a := n.attr(prefix + "_tensor"); a != nil && a.tensor != nil {
		return n.tensorColumn(a.tensor)
	}
	unsupported("no attribute %s_…", prefix)
	return column{}
}

func (n *node) tensorColumn(p *tensorProto) column {
	v, err := n.l.constant(p)
	if err != nil {
		panic(stop{err})
	}
	t := v.known
	if dt := t.DType(); dt != tensor.Float32 && dt != tensor.Int64 {
		wide := make([]int64, t.Len())
		switch dt {
		case tensor.Int32:
			for i, x := range tensor.Data[int32](t) {
				wide[i] = int64(x)
			}
		default:
			unsupported("a table of %v", dt)
		}
		t = tensor.FromInt64(wide, len(wide))
	}
	return column{t.Reshape(t.Len()), v.words}
}

// labelEncoder replaces keys by values, and what is no key by a default.
func labelEncoder(n *node) []*value {
	var keys, values column
	if list := n.texts("classes_strings"); list != nil { // the first version: a string and its place
		keys, values = column{n.strings(list), true}, column{t: countTo(len(list))}
		if !n.in[0].words {
			keys, values = values, keys
		}
	} else {
		keys, values = n.column("keys"), n.column("values")
	}
	return []*value{n.translate(keys, values)}
}

func categoryMapper(n *node) []*value {
	n.need(0)
	keys, values := n.column("cats"), column{}
	if list, numbers := n.texts("cats_strings"), n.int64s("cats_int64s"); len(list) == len(numbers) {
		keys, values = column{n.strings(list), true}, column{t: tensor.FromInt64(slices.Clone(numbers), len(numbers))}
	} else {
		unsupported("%d strings for %d numbers", len(list), len(numbers))
	}
	if !n.in[0].words {
		keys, values = values, keys
	}
	return []*value{n.translate(keys, values)}
}

// countTo is the list 0 … n-1.
func countTo(n int) *tensor.Tensor {
	list := make([]int64, n)
	for i := range list {
		list[i] = int64(i)
	}
	return tensor.FromInt64(list, n)
}

// translate looks the elements of input 0 up among keys.
func (n *node) translate(keys, values column) *value {
	if keys.t.Len() != values.t.Len() || keys.t.Len() == 0 {
		unsupported("%d keys for %d values", keys.t.Len(), values.t.Len())
	}
	index := n.find(keys)
	n.spend(values.t.Len() + 1)
	var table *tensor.Tensor
	if values.t.DType() == tensor.Float32 {
		table = tensor.FromFloat32(append(slices.Clone(values.t.Float32()), n.defaultFloat()), values.t.Len()+1)
	} else {
		table = tensor.FromInt64(append(slices.Clone(values.t.Int64()), n.defaultInt(values.words)), values.t.Len()+1)
	}
	return &value{ref: n.op("Gather", nil, n.constant(table), index), words: values.words}
}

func (n *node) defaultFloat() float32 {
	if a := n.attr("default_tensor"); a != nil && a.tensor != nil {
		if t := n.tensorColumn(a.tensor).t; t.DType() == tensor.Float32 && t.Len() == 1 {
			return t.Float32()[0]
		}
		unsupported("default_tensor")
	}
	return n.float("default_float", float32(math.Copysign(0, -1)))
}

func (n *node) defaultInt(words bool) int64 {
	if a := n.attr("default_tensor"); a != nil && a.tensor != nil {
		if c := n.tensorColumn(a.tensor); c.t.DType() == tensor.Int64 && c.t.Len() == 1 && c.words == words {
			return c.t.Int64()[0]
		}
		unsupported("default_tensor")
	}
	if words {
		return n.l.words.number(n.text("default_string", defaultWord))
	}
	if a := n.attr("default_int64"); a != nil {
		return a.integer
	}
	return -1
}

// find is the place of each element of input 0 among keys, of equal keys the first; the number of keys where there is none. Whole numbers that
// lie close together are looked up in a table, others compared with every key.
func (n *node) find(keys column) graph.Ref {
	x := n.need(0)
	if n.in[0].words != keys.words {
		unsupported("keys and input are of different types")
	}
	if keys.t.DType() == tensor.Float32 {
		return n.search(n.cast(x, tensor.Float32), keys.t)
	}
	x = n.cast(x, tensor.Int64)
	list := keys.t.Int64()
	low, high := slices.Min(list), slices.Max(list)
	if low < -1<<40 || high > 1<<40 || high-low > int64(1024+16*len(list)) {
		return n.search(x, keys.t)
	}
	n.spend(int(high-low) + 3)
	table := make([]int64, high-low+3) // one more place at either end for what is outside
	for i := range table {
		table[i] = int64(len(list))
	}
	for i, k := range slices.Backward(list) {
		table[k-low+1] = int64(i)
	}
	at := n.sub(n.max(n.min(x, n.i(high+1)), n.i(low-1)), n.i(low-1))
	return n.op("Gather", nil, n.constant(tensor.FromInt64(table, len(table))), at)
}

func (n *node) search(x graph.Ref, keys *tensor.Tensor) graph.Ref {
	k := keys.Len()
	shape := n.shape(x)
	if len(shape) == graph.MaxRank || k > 1<<24 {
		unsupported("%d keys for an input of shape %v", k, shape)
	}
	wide := n.reshape(x, append(slices.Clone(shape), 1)...)
	list := n.constant(keys)
	hit := n.compare("Equal", wide, list)
	if keys.DType() == tensor.Float32 { // a NaN finds the key NaN
		nan := func(r graph.Ref) graph.Ref { return n.not(n.compare("Equal", r, r)) }
		hit = n.or(hit, n.and(nan(wide), nan(list)))
	}
	place := n.where(hit, n.iota(k, len(shape), len(shape)+1, tensor.Float32), n.f(float32(k)))
	return n.cast(n.reduce("ReduceMin", place, false, len(shape)), tensor.Int64)
}

// oneHotEncoder adds an axis with 1 at the category's place. An unknown category gives zeros, or with attribute zeros 0 an error in the run.
func oneHotEncoder(n *node) graph.Ref {
	var cats column
	if list := n.texts("cats_strings"); len(list) > 0 {
		cats = column{n.strings(list), true}
	} else if list := n.int64s("cats_int64s"); len(list) > 0 {
		cats = column{t: tensor.FromInt64(slices.Clone(list), len(list))}
	} else {
		unsupported("no categories")
	}
	at, k := n.find(cats), cats.t.Len()
	shape := n.shape(at)
	if len(shape) == graph.MaxRank {
		unsupported("%d axes", len(shape))
	}
	if n.integer("zeros", 1) == 0 {
		at = n.op("Gather", nil, n.constant(countTo(k)), at) // the index k is out of range
	}
	wide := n.reshape(at, append(slices.Clone(shape), 1)...)
	return n.cast(n.compare("Equal", wide, n.iota(k, 0, 1, tensor.Int64)), tensor.Float32)
}

// castMap makes a row of a map of whole numbers from 0 up to below max_map, which a graph has as that row already.
func castMap(n *node) graph.Ref {
	x := n.features()
	if n.text("map_form", "DENSE") != "SPARSE" || n.shape(x)[1] != n.integer("max_map", 1) {
		unsupported("a map of form %q with %d values", n.text("map_form", "DENSE"), n.shape(x)[1])
	}
	switch to := n.text("cast_to", "TO_FLOAT"); to {
	case "TO_FLOAT":
		return n.op("Identity", nil, x)
	case "TO_INT64":
		return n.cast(x, tensor.Int64)
	default:
		unsupported("cast_to %q", to)
	}
	return graph.None
}
