package registry

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
)

// shaped is a callable model that stresses one operator at one shape.
type shaped struct {
	name  string
	build func(b *graph.Builder, x graph.Ref) graph.Ref // from [1, wide] to any value
}

// wide is the length of the input of every shaped model.
const wide = 1024

// model finishes a shaped model: what it computes is cut down to a row of up to 16 numbers.
func (s shaped) model(t testing.TB) []byte {
	t.Helper()
	b := graph.NewBuilder(s.name)
	y := s.build(b, b.Input("x", tensor.Float32, 1, wide))
	if b.Value(y).DType != tensor.Float32 {
		y = b.Op("Cast", graph.Attrs{"to": 1}, y)
	}
	n := 1
	for _, d := range b.Shape(y) {
		n *= d
	}
	flat := b.Op("Reshape", nil, y, b.Ints(1, n))
	if n > 16 {
		flat = b.Op("Slice", nil, flat, b.Ints(0), b.Ints(16), b.Ints(1))
	}
	b.Output("y", flat)
	g, err := b.Graph()
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return graph.Encode(g)
}

// floats is an initializer of n normal numbers whose bytes are few: it is repeated from a row of the given shape.
func floats(b *graph.Builder, name string, shape ...int) graph.Ref {
	n := 1
	for _, d := range shape {
		n *= d
	}
	r := rand.New(rand.NewPCG(uint64(n), 7))
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(r.NormFloat64())
	}
	return b.Initializer(name, tensor.FromFloat32(data, shape...))
}

func bytesOf(b *graph.Builder, name string, shape ...int) graph.Ref {
	n := 1
	for _, d := range shape {
		n *= d
	}
	r := rand.New(rand.NewPCG(uint64(n), 8))
	data := make([]int8, n)
	for i := range data {
		data[i] = int8(r.IntN(255) - 127)
	}
	return b.Initializer(name, tensor.From(data, shape...))
}

// spread makes a value of any shape out of the row.
func spread(b *graph.Builder, x graph.Ref, shape ...int) graph.Ref {
	n := 1
	for _, d := range shape {
		n *= d
	}
	if n <= wide {
		return b.Op("Reshape", nil, b.Op("Slice", nil, x, b.Ints(0), b.Ints(n), b.Ints(1)), b.Ints(shape...))
	}
	return b.Op("Reshape", nil, b.Op("Expand", nil, x, b.Ints(n/wide, wide)), b.Ints(shape...))
}

// varied gives the rows of a matrix orders of their own, so that no branch is predicted from the row before.
func varied(b *graph.Builder, x graph.Ref) graph.Ref {
	shape := b.Shape(x)
	return b.Op("Abs", nil, b.Op("Sub", nil, x, floats(b, "column"+strconv.Itoa(b.Nodes()), shape[0], 1)))
}

// quantized is a value in 8-bit integers.
func quantized(b *graph.Builder, x graph.Ref) graph.Ref {
	zero := b.Initializer("zero", tensor.From([]int8{0}))
	return b.Op("QuantizeLinear", nil, x, b.Float(0.02), zero)
}

func repeat(times int, f func(graph.Ref) graph.Ref) func(graph.Ref) graph.Ref {
	return func(x graph.Ref) graph.Ref {
		for range times {
			x = f(x)
		}
		return x
	}
}

// shapedModels are all operators at small, middling and large shapes within the bounds of a callable model.
func shapedModels() []shaped {
	var list []shaped
	add := func(name string, build func(b *graph.Builder, x graph.Ref) graph.Ref) {
		list = append(list, shaped{name, build})
	}
	sizes := []struct {
		name  string
		n     int
		times int
	}{{"16", 16, 600}, {"1k", 1024, 400}, {"256k", 1 << 18, 6}}
	// Elementwise and movement: chains, so that the operator outweighs what surrounds it.
	for _, size := range sizes {
		shape := []int{size.n / 16, 16}
		if size.n > wide {
			shape = []int{size.n / wide, wide}
		}
		for _, op := range []string{"Neg", "Abs", "Sign", "Relu", "Sqrt", "Reciprocal", "Exp", "Log", "Tanh", "Erf", "Sigmoid", "Gelu", "Softmax", "LogSoftmax", "Identity"} {
			add(op+" "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
				return repeat(size.times, func(x graph.Ref) graph.Ref { return b.Op(op, nil, x) })(spread(b, x, shape...))
			})
		}
		for _, op := range []string{"Sin", "Cos"} {
			add(op+" "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
				return repeat((size.times+2)/3, func(x graph.Ref) graph.Ref { return b.Op(op, nil, b.Op("Mul", nil, x, b.Float(1000))) })(spread(b, x, shape...))
			})
		}
		add("Squeeze, Unsqueeze "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			return repeat(size.times/3, func(x graph.Ref) graph.Ref {
				return b.Op("Squeeze", nil, b.Op("Unsqueeze", nil, x, b.Ints(1)), b.Ints(1))
			})(spread(b, x, shape...))
		})
		for _, op := range []string{"Add", "Sub", "Mul", "Div", "Max", "Min"} {
			add(op+" "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
				x = spread(b, x, shape...)
				return repeat(size.times, func(y graph.Ref) graph.Ref { return b.Op(op, nil, y, x) })(x)
			})
			add(op+" row "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
				row := spread(b, x, 1, shape[1])
				return repeat(size.times, func(y graph.Ref) graph.Ref { return b.Op(op, nil, y, row) })(spread(b, x, shape...))
			})
			add(op+" column "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
				column := spread(b, x, shape[0], 1)
				return repeat(size.times, func(y graph.Ref) graph.Ref { return b.Op(op, nil, y, column) })(spread(b, x, shape...))
			})
		}
		for _, op := range []string{"Add", "Div"} {
			add(op+" int64 "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
				y := b.Op("Cast", graph.Attrs{"to": 7}, spread(b, x, shape...))
				return repeat(size.times-2, func(z graph.Ref) graph.Ref { return b.Op(op, nil, z, y) })(y)
			})
		}
		add("Max of 200 "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			x = spread(b, x, shape...)
			all := make([]graph.Ref, 200)
			for i := range all {
				all[i] = x
			}
			return b.Op("Max", nil, all...)
		})
		add("Where "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			x = spread(b, x, shape...)
			less := b.Op("Less", nil, x, b.Float(0))
			return repeat(size.times-2, func(y graph.Ref) graph.Ref { return b.Op("Where", nil, less, y, x) })(x)
		})
		for _, op := range []string{"Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"} {
			add(op+", Cast "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
				x = spread(b, x, shape...)
				return repeat(size.times/2, func(y graph.Ref) graph.Ref {
					return b.Op("Cast", graph.Attrs{"to": 1}, b.Op(op, nil, y, x))
				})(x)
			})
		}
		add("Cast int64 "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			return repeat(size.times/2, func(y graph.Ref) graph.Ref {
				return b.Op("Cast", graph.Attrs{"to": 1}, b.Op("Cast", graph.Attrs{"to": 7}, y))
			})(spread(b, x, shape...))
		})
		add("Transpose "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			return repeat(size.times, func(y graph.Ref) graph.Ref {
				return b.Op("Transpose", graph.Attrs{"perm": []int{1, 0}}, b.Op("Neg", nil, y))
			})(spread(b, x, shape...))
		})
		add("Transpose of 8 axes "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			many := []int{2, 2, 2, 2, 1, 1, 1, size.n / 16}
			y := spread(b, x, many...)
			return repeat(size.times, func(y graph.Ref) graph.Ref {
				return b.Op("Transpose", graph.Attrs{"perm": []int{7, 3, 1, 2, 0, 5, 4, 6}}, b.Op("Reshape", nil, y, b.Ints(many...)))
			})(y)
		})
		add("Concat "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			half := spread(b, x, shape[0], shape[1]/2)
			return repeat(size.times/2, func(y graph.Ref) graph.Ref {
				return b.Op("Slice", nil, b.Op("Concat", graph.Attrs{"axis": 1}, y, half), b.Ints(1), b.Ints(1+shape[1]/2), b.Ints(1))
			})(half)
		})
		add("Slice with steps "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			return repeat(size.times, func(y graph.Ref) graph.Ref {
				return b.Op("Slice", nil, y, b.Ints(-1, -1), b.Ints(-1<<30, -1<<30), b.Ints(0, 1), b.Ints(-1, -1))
			})(spread(b, x, shape...))
		})
		add("Split "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			return repeat(size.times/2, func(y graph.Ref) graph.Ref {
				parts := b.OpN("Split", 4, graph.Attrs{"axis": 1, "num_outputs": 4}, y)
				return b.Op("Concat", graph.Attrs{"axis": 1}, parts[3], parts[2], parts[1], parts[0])
			})(spread(b, x, shape...))
		})
		for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare"} {
			for axis, name := range []string{"columns", "rows"} {
				add(op+" of "+name+" "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
					y := spread(b, x, shape...)
					var all []graph.Ref
					for range min(size.times, 200) {
						all = append(all, b.Op(op, nil, y, b.Ints(axis)))
					}
					return b.Op("Concat", graph.Attrs{"axis": 0}, all...)
				})
			}
		}
		add("Softmax of columns "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			return repeat(size.times, func(y graph.Ref) graph.Ref { return b.Op("Softmax", graph.Attrs{"axis": 0}, y) })(spread(b, x, shape...))
		})
		add("LayerNormalization "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			scale := floats(b, "scale", shape[1])
			return repeat(size.times, func(y graph.Ref) graph.Ref { return b.Op("LayerNormalization", nil, y, scale) })(spread(b, x, shape...))
		})
		add("RMSNormalization "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			scale := floats(b, "scale", shape[1])
			return repeat(size.times, func(y graph.Ref) graph.Ref { return b.Op("RMSNormalization", nil, y, scale) })(spread(b, x, shape...))
		})
		add("LayerNormalizationGrad "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			scale := floats(b, "scale", shape[1])
			y := spread(b, x, shape...)
			return repeat(size.times, func(dy graph.Ref) graph.Ref { return b.OpN("LayerNormalizationGrad", 3, nil, dy, y, scale)[0] })(y)
		})
		add("GeluGrad "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			y := spread(b, x, shape...)
			return repeat(size.times, func(dy graph.Ref) graph.Ref { return b.Op("GeluGrad", nil, dy, y) })(y)
		})
		add("QuantizeLinear "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			y := spread(b, x, shape...)
			return repeat(size.times/2, func(y graph.Ref) graph.Ref { return b.Op("Cast", graph.Attrs{"to": 1}, quantizedOnce(b, y)) })(y)
		})
		add("TopK 1 "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			return topK(b, varied(b, spread(b, x, shape...)), 1, 60)
		})
		add("TopK half "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			return topK(b, varied(b, spread(b, x, shape...)), shape[1]/2, min(size.times/2, 60))
		})
		add("Gather "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			index := indices(b, "index", shape[0])
			return repeat(size.times, func(y graph.Ref) graph.Ref { return b.Op("Gather", nil, y, index) })(spread(b, x, shape...))
		})
		add("Gather of single numbers "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			n := min(size.n, 1<<13)
			index := indices(b, "index", n)
			return repeat(min(size.times, 200), func(y graph.Ref) graph.Ref { return b.Op("Gather", nil, y, index) })(spread(b, x, n))
		})
		add("ScatterND "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			n := min(size.n, 1<<13)
			index := b.Op("Unsqueeze", nil, indices(b, "index", n), b.Ints(1))
			updates := spread(b, x, n)
			return repeat(min(size.times, 200), func(y graph.Ref) graph.Ref {
				return b.Op("ScatterND", graph.Attrs{"reduction": "add"}, y, index, updates)
			})(spread(b, x, n))
		})
		add("ScatterND into one "+size.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			n := min(size.n, 1<<19)
			index := b.Op("Expand", nil, b.Ints(0), b.Ints(n, 1))
			updates := spread(b, x, n)
			return repeat(min(size.times, 200), func(y graph.Ref) graph.Ref {
				return b.Op("ScatterND", graph.Attrs{"reduction": "add"}, y, index, updates)
			})(spread(b, x, 1))
		})
	}
	for _, op := range []string{"LayerNormalizationGrad", "RMSNormalizationGrad"} {
		add(op+" of 8", func(b *graph.Builder, x graph.Ref) graph.Ref {
			y, scale := spread(b, x, 1<<12, 8), floats(b, "scale", 8)
			outs := 3
			if op == "RMSNormalizationGrad" {
				outs = 2
			}
			return repeat(6, func(dy graph.Ref) graph.Ref { return b.OpN(op, outs, nil, dy, y, scale)[0] })(y)
		})
	}
	add("SliceGrad", func(b *graph.Builder, x graph.Ref) graph.Ref {
		y := b.Op("Neg", nil, spread(b, x, 256, 512))
		return repeat(4, func(y graph.Ref) graph.Ref {
			grad := b.Op("SliceGrad", graph.Attrs{"shape": []int{512, 1024}}, y, b.Ints(0, 0), b.Ints(512, 1024), b.Ints(0, 1), b.Ints(2, 2))
			return b.Op("Slice", nil, grad, b.Ints(0, 0), b.Ints(256, 512), b.Ints(0, 1))
		})(y)
	})
	add("GatherND", func(b *graph.Builder, x graph.Ref) graph.Ref {
		index := b.Op("Unsqueeze", nil, indices(b, "index", 4096), b.Ints(1))
		return repeat(40, func(y graph.Ref) graph.Ref { return b.Op("GatherND", nil, y, index) })(spread(b, x, 4096))
	})
	add("Add of own constants", func(b *graph.Builder, x graph.Ref) graph.Ref {
		i := 0
		return repeat(300, func(y graph.Ref) graph.Ref {
			i++
			return b.Op("Add", nil, y, floats(b, "constant"+strconv.Itoa(i), 16))
		})(spread(b, x, 1, 16))
	})
	add("ReduceSum of every other axis", func(b *graph.Builder, x graph.Ref) graph.Ref {
		return b.Op("ReduceSum", nil, spread(b, x, 8, 4, 8, 4, 8, 4, 4, 2), b.Ints(0, 2, 4, 6))
	})
	add("Gather far apart", func(b *graph.Builder, x graph.Ref) graph.Ref {
		return b.Op("Gather", nil, spread(b, x, 1<<19), farApart(b, x, 1<<17))
	})
	add("ScatterND far apart", func(b *graph.Builder, x graph.Ref) graph.Ref {
		index := b.Op("Unsqueeze", nil, farApart(b, x, 1<<17), b.Ints(1))
		return b.Op("ScatterND", nil, spread(b, x, 1<<19), index, spread(b, x, 1<<17))
	})
	add("Transpose 512k", func(b *graph.Builder, x graph.Ref) graph.Ref {
		return b.Op("Transpose", graph.Attrs{"perm": []int{1, 0}}, spread(b, x, 512, 1024))
	})
	add("Softmax of columns 512k", func(b *graph.Builder, x graph.Ref) graph.Ref {
		return b.Op("Softmax", graph.Attrs{"axis": 0}, spread(b, x, 512, 1024))
	})
	add("TreeEnsemble of one tree over 1M", func(b *graph.Builder, x graph.Ref) graph.Ref {
		return forest(b, spread(b, x, 1024, 1024), 1, 1)
	})
	add("ConvInteger of few places of 1M", func(b *graph.Builder, x graph.Ref) graph.Ref {
		w := bytesOf(b, "w", 8, 16, 1, 1)
		return b.Op("ConvInteger", graph.Attrs{"strides": []int{64, 64}}, quantized(b, spread(b, x, 1, 16, 256, 256)), w)
	})
	add("AveragePoolGrad of few places of 1M", func(b *graph.Builder, x graph.Ref) graph.Ref {
		attrs := graph.Attrs{"kernel_shape": []int{1, 1}, "strides": []int{64, 64}, "shape": []int{1, 16, 256, 256}}
		return b.Op("AveragePoolGrad", attrs, spread(b, x, 1, 16, 4, 4))
	})
	add("Min int64", func(b *graph.Builder, x graph.Ref) graph.Ref {
		y := b.Op("Cast", graph.Attrs{"to": 7}, spread(b, x, 64, wide))
		return repeat(10, func(z graph.Ref) graph.Ref { return b.Op("Min", nil, z, y) })(y)
	})
	products(add)
	windows(add)
	sequences(add)
	return list
}

// farApart are n indices below 2^19 that a run computes: constants would be too many bytes, and a table that is read in any order of its own
// would be in the cache.
func farApart(b *graph.Builder, x graph.Ref, n int) graph.Ref {
	y := b.Op("Sigmoid", nil, varied(b, spread(b, x, n/wide, wide)))
	y = b.Op("Mul", nil, b.Op("Sub", nil, y, b.Float(0.5)), b.Float(1<<20))
	return b.Op("Reshape", nil, b.Op("Cast", graph.Attrs{"to": 7}, b.Op("Min", nil, b.Op("Abs", nil, y), b.Float(1<<19-1))), b.Ints(n))
}

func quantizedOnce(b *graph.Builder, x graph.Ref) graph.Ref {
	zero := graph.Ref("zero")
	if b.Shape(zero) == nil && b.Value(zero).DType == 0 {
		zero = b.Initializer("zero", tensor.From([]int8{0}))
	}
	return b.Op("QuantizeLinear", nil, x, b.Float(0.02), zero)
}

func indices(b *graph.Builder, name string, n int) graph.Ref {
	r := rand.New(rand.NewPCG(uint64(n), 9))
	data := make([]int64, n)
	for i := range data {
		data[i] = int64(r.IntN(n))
	}
	return b.Initializer(name, tensor.FromInt64(data, n))
}

func topK(b *graph.Builder, x graph.Ref, k, times int) graph.Ref {
	var all []graph.Ref
	for range times {
		all = append(all, b.OpN("TopK", 2, nil, x, b.Ints(k))[0])
		if len(all) == 8 {
			all = []graph.Ref{b.Op("Concat", graph.Attrs{"axis": 0}, all...)}
			break
		}
	}
	return all[0]
}

func products(add func(string, func(*graph.Builder, graph.Ref) graph.Ref)) {
	for _, s := range []struct{ m, k, n, times int }{
		{1, 16, 16, 200}, {1, 64, 64, 14}, {1, 1024, 60, 1}, {1, 60, 1000, 1}, {1, 8192, 7, 1},
		{16, 16, 16, 200}, {64, 64, 64, 14}, {128, 128, 128, 3}, {1024, 240, 160, 1}, {4096, 64, 128, 1}, {4096, 16, 256, 1}, {8192, 4, 64, 1}, {1 << 15, 16, 16, 1}, {1 << 15, 1, 32, 1},
	} {
		name := fmt.Sprintf("%dx%dx%d", s.m, s.k, s.n)
		add("MatMul "+name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			y, w := spread(b, x, s.m, s.k), floats(b, "w", s.k, s.n)
			if s.k != s.n {
				return b.Op("MatMul", nil, y, w)
			}
			return repeat(s.times, func(y graph.Ref) graph.Ref { return b.Op("MatMul", nil, y, w) })(y)
		})
		add("Gemm transposed "+name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			y, w := spread(b, x, s.m, s.k), floats(b, "w", s.n, s.k)
			bias := floats(b, "bias", s.n)
			return b.Op("Gemm", graph.Attrs{"transB": 1, "beta": float32(0.5)}, y, w, bias)
		})
		add("MatMulInteger "+name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			y, w := quantized(b, spread(b, x, s.m, s.k)), bytesOf(b, "w", s.k, s.n)
			return b.Op("MatMulInteger", nil, y, w)
		})
	}
	add("MatMul of values 512x512x128", func(b *graph.Builder, x graph.Ref) graph.Ref {
		return b.Op("MatMul", nil, spread(b, x, 512, 512), b.Op("Neg", nil, spread(b, x, 512, 128)))
	})
	add("MatMul of values, outer 1024x1x1024", func(b *graph.Builder, x graph.Ref) graph.Ref {
		return b.Op("MatMul", nil, spread(b, x, 1024, 1), spread(b, x, 1, 1024))
	})
	add("MatMul of many small 4096 4x4x4", func(b *graph.Builder, x graph.Ref) graph.Ref {
		y := spread(b, x, 4096, 4, 4)
		return repeat(10, func(z graph.Ref) graph.Ref { return b.Op("MatMul", nil, z, y) })(y)
	})
	add("MatMul of many tiny 65536 1x1x1", func(b *graph.Builder, x graph.Ref) graph.Ref {
		y := spread(b, x, 65536, 1, 1)
		return repeat(10, func(z graph.Ref) graph.Ref { return b.Op("MatMul", nil, z, y) })(y)
	})
}

func windows(add func(string, func(*graph.Builder, graph.Ref) graph.Ref)) {
	for _, s := range []struct {
		name                       string
		channels, size, out, k     int
		group, stride, dilate, pad int
		times                      int
	}{
		{"1x1 64 channels 64x64", 64, 64, 64, 1, 1, 1, 1, 0, 3},
		{"3x3 16 channels 64x64", 16, 64, 16, 3, 1, 1, 1, 1, 4},
		{"3x3 3 to 32 channels 128x128", 3, 128, 32, 3, 1, 2, 1, 1, 1},
		{"5x5 8 channels 64x64", 8, 64, 8, 5, 1, 1, 1, 2, 4},
		{"3x3 by channel 64x64", 64, 64, 64, 3, 64, 1, 1, 1, 4},
		{"7x7 by channel 64x64", 64, 64, 64, 7, 64, 1, 1, 3, 4},
		{"3x3 dilated 64x64", 16, 64, 16, 3, 1, 1, 4, 4, 4},
		{"3x3 small 8x8", 16, 8, 16, 3, 1, 1, 1, 1, 20},
		{"3x3 mostly padding 4x4", 16, 4, 16, 3, 1, 1, 16, 16, 20},
		{"1x1 groups of 2 64x64", 64, 64, 64, 1, 32, 1, 1, 0, 4},
		{"31x31 1 channel 64x64", 1, 64, 1, 31, 1, 1, 1, 15, 4},
	} {
		attrs := graph.Attrs{"group": s.group, "strides": []int{s.stride, s.stride}, "dilations": []int{s.dilate, s.dilate}, "pads": []int{s.pad, s.pad, s.pad, s.pad}}
		chained := s.channels == s.out && s.stride == 1
		add("Conv "+s.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			w := floats(b, "w", s.out, s.channels/s.group, s.k, s.k)
			f := func(y graph.Ref) graph.Ref { return b.Op("Conv", attrs, y, w) }
			if chained {
				f = repeat(s.times, f)
			}
			return f(spread(b, x, 1, s.channels, s.size, s.size))
		})
		add("ConvInteger "+s.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			w := bytesOf(b, "w", s.out, s.channels/s.group, s.k, s.k)
			return b.Op("ConvInteger", attrs, quantized(b, spread(b, x, 1, s.channels, s.size, s.size)), w)
		})
		if s.stride == 1 {
			add("ConvWeightGrad "+s.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
				y := spread(b, x, 1, s.channels, s.size, s.size)
				return b.Op("ConvWeightGrad", graph.Attrs{"group": s.group, "kernel_shape": []int{s.k, s.k}, "strides": []int{1, 1}, "dilations": []int{s.dilate, s.dilate}, "pads": []int{s.pad, s.pad, s.pad, s.pad}}, y, y)
			})
		}
	}
	add("Conv of a line 65536", func(b *graph.Builder, x graph.Ref) graph.Ref {
		w := floats(b, "w", 4, 4, 9)
		return repeat(5, func(y graph.Ref) graph.Ref { return b.Op("Conv", graph.Attrs{"pads": []int{4, 4}}, y, w) })(spread(b, x, 1, 4, 65536))
	})
	add("Conv of volumes", func(b *graph.Builder, x graph.Ref) graph.Ref {
		w := floats(b, "w", 8, 8, 3, 3, 3)
		return repeat(4, func(y graph.Ref) graph.Ref { return b.Op("Conv", graph.Attrs{"pads": []int{1, 1, 1, 1, 1, 1}}, y, w) })(spread(b, x, 1, 8, 16, 16, 16))
	})
	for _, s := range []struct {
		name        string
		k, s, p, in int
		channels    int
	}{{"2x2", 2, 2, 0, 128, 32}, {"3x3", 3, 1, 1, 128, 16}, {"16x16", 16, 1, 0, 64, 16}, {"64x64 at once", 64, 1, 0, 64, 128}, {"7x7 padded 8x8", 7, 1, 3, 8, 16}, {"1x1", 1, 1, 0, 128, 32}} {
		for _, op := range []string{"MaxPool", "AveragePool"} {
			attrs := graph.Attrs{"kernel_shape": []int{s.k, s.k}, "strides": []int{s.s, s.s}, "pads": []int{s.p, s.p, s.p, s.p}}
			add(op+" "+s.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
				return b.Op(op, attrs, b.Op("Neg", nil, spread(b, x, 1, s.channels, s.in, s.in)))
			})
		}
		add("AveragePoolGrad "+s.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			attrs := graph.Attrs{"kernel_shape": []int{s.k, s.k}, "strides": []int{s.s, s.s}, "pads": []int{s.p, s.p, s.p, s.p}}
			y := b.Op("AveragePool", attrs, spread(b, x, 1, s.channels, s.in, s.in))
			attrs["shape"] = []int{1, s.channels, s.in, s.in}
			return b.Op("AveragePoolGrad", attrs, y)
		})
		add("MaxPoolGrad "+s.name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			attrs := graph.Attrs{"kernel_shape": []int{s.k, s.k}, "strides": []int{s.s, s.s}, "pads": []int{s.p, s.p, s.p, s.p}}
			y := spread(b, x, 1, s.channels, s.in, s.in)
			return b.Op("MaxPoolGrad", attrs, b.Op("MaxPool", attrs, y), y)
		})
	}
	add("MaxPool dilated", func(b *graph.Builder, x graph.Ref) graph.Ref {
		return b.Op("MaxPool", graph.Attrs{"kernel_shape": []int{8, 8}, "dilations": []int{7, 7}}, spread(b, x, 1, 16, 128, 128))
	})
}

func sequences(add func(string, func(*graph.Builder, graph.Ref) graph.Ref)) {
	for _, s := range []struct{ heads, n, d int }{{1, 16, 16}, {4, 64, 16}, {4, 256, 64}, {1, 1024, 16}, {16, 1024, 1}, {64, 32, 32}} {
		name := fmt.Sprintf("%d heads %d of %d", s.heads, s.n, s.d)
		for _, causal := range []int{0, 1} {
			add(fmt.Sprintf("Attention %s causal %d", name, causal), func(b *graph.Builder, x graph.Ref) graph.Ref {
				y := spread(b, x, 1, s.heads, s.n, s.d)
				return b.Op("Attention", graph.Attrs{"is_causal": causal}, y, y, y)
			})
		}
		add("Attention softcap "+name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			y := spread(b, x, 1, s.heads, s.n, s.d)
			return b.Op("Attention", graph.Attrs{"softcap": float32(3)}, y, y, y)
		})
		add("AttentionGrad "+name, func(b *graph.Builder, x graph.Ref) graph.Ref {
			y := spread(b, x, 1, s.heads, s.n, s.d)
			return b.OpN("AttentionGrad", 3, nil, y, y, y, y)[0]
		})
	}
	for _, s := range []struct{ steps, batch, in, hidden int }{{64, 1, 16, 16}, {512, 1, 2, 4}, {64, 1, 64, 64}, {16, 64, 64, 64}, {1024, 1, 1, 1}} {
		name := fmt.Sprintf("%d steps %d rows %d to %d", s.steps, s.batch, s.in, s.hidden)
		for _, op := range []string{"LSTM", "GRU"} {
			gates := map[string]int{"LSTM": 4, "GRU": 3}[op]
			add(op+" "+name, func(b *graph.Builder, x graph.Ref) graph.Ref {
				w, r := floats(b, "w", 1, gates*s.hidden, s.in), floats(b, "r", 1, gates*s.hidden, s.hidden)
				outs := 3
				if op == "GRU" {
					outs = 2
				}
				return b.OpN(op, outs, nil, spread(b, x, s.steps, s.batch, s.in), w, r)[0]
			})
		}
	}
	for _, s := range []struct{ rows, depth, trees int }{{1, 8, 4}, {1, 3, 200}, {64, 8, 4}, {1024, 6, 16}, {1024, 1, 200}} {
		add(fmt.Sprintf("TreeEnsemble %d rows %d trees of %d", s.rows, s.trees, s.depth), func(b *graph.Builder, x graph.Ref) graph.Ref {
			return forest(b, varied(b, spread(b, x, s.rows, 16*max(1, wide/16/s.rows))), s.depth, s.trees)
		})
	}
	add("SoftmaxCrossEntropyLoss", func(b *graph.Builder, x graph.Ref) graph.Ref {
		labels := b.Op("Cast", graph.Attrs{"to": 7}, b.Op("Mul", nil, spread(b, x, wide), b.Float(0)))
		return b.OpN("SoftmaxCrossEntropyLoss", 2, nil, spread(b, x, wide, 256), labels)[1]
	})
	add("SoftmaxCrossEntropyLossGrad", func(b *graph.Builder, x graph.Ref) graph.Ref {
		labels := b.Op("Cast", graph.Attrs{"to": 7}, b.Op("Mul", nil, spread(b, x, wide), b.Float(0)))
		return b.Op("SoftmaxCrossEntropyLossGrad", nil, b.Float(1), spread(b, x, wide, 256), labels)
	})
	add("TensorScatter", func(b *graph.Builder, x graph.Ref) graph.Ref {
		y := spread(b, x, 1, 512, wide)
		return repeat(5, func(z graph.Ref) graph.Ref { return b.Op("TensorScatter", nil, z, y) })(b.Op("Neg", nil, y))
	})
}

// forest is an ensemble of full trees over random features.
func forest(b *graph.Builder, x graph.Ref, depth, trees int) graph.Ref {
	features := b.Shape(x)[1]
	r := rand.New(rand.NewPCG(uint64(depth), uint64(trees)))
	inner, leaves := 1<<depth-1, 1<<depth
	var thresholds, weights []float32
	var nodes, roots, starts, targets []int32
	for t := range trees {
		at, leaf := int32(t*inner), int32(t*leaves)
		roots = append(roots, at)
		for i := range inner {
			child := func(c int) int32 {
				if c < inner {
					return at + int32(c)
				}
				return -1 - (leaf + int32(c-inner))
			}
			thresholds = append(thresholds, float32(r.NormFloat64()))
			nodes = append(nodes, int32(r.IntN(features)), child(2*i+1), child(2*i+2), 0)
		}
		for range leaves {
			starts = append(starts, int32(len(weights)))
			weights, targets = append(weights, float32(r.NormFloat64())), append(targets, 0)
		}
	}
	starts = append(starts, int32(len(weights)))
	return b.Op("TreeEnsemble", graph.Attrs{"targets": 1}, x,
		b.Initializer("thresholds", tensor.FromFloat32(thresholds, len(thresholds))), b.Initializer("nodes", tensor.From(nodes, len(thresholds), 4)),
		b.Initializer("roots", tensor.From(roots, trees)), b.Initializer("starts", tensor.From(starts, len(starts))),
		b.Initializer("targets", tensor.From(targets, len(targets))), b.Initializer("weights", tensor.FromFloat32(weights, len(weights))))
}
