package kernel

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
)

// vector is one reproducible computation: a function of numbers that Philox gives, and the hash of what comes out.
// spec/vectors/README.md states the same for other implementations.
type vector struct {
	Function string `json:"function"`
	Input    string `json:"input"` // "words", "unit" or "wide": see stream; "bytes": see streamBytes; "integers": words as int32
	Shape    []int  `json:"shape"` // n; rows and cols of Softmax and Requantize; m, k and n of products; see windowOf
	TransA   bool   `json:"transA,omitempty"`
	TransB   bool   `json:"transB,omitempty"`
}

// vectors covers every function: any bit patterns and everyday numbers, odd lengths, several blocks and chunks.
var vectors = func() []vector {
	var list []vector
	for _, f := range []string{"Exp", "Log", "Tanh", "Erf", "Sigmoid", "Sqrt", "Reciprocal", "Neg", "Abs", "Relu", "Sin", "Cos", "Silu"} {
		list = append(list, vector{Function: f, Input: "words", Shape: []int{4099}}, vector{Function: f, Input: "wide", Shape: []int{1031}})
	}
	for _, f := range []string{"Add", "Sub", "Mul", "Div", "Maximum", "Minimum"} {
		list = append(list, vector{Function: f, Input: "words", Shape: []int{4099}}, vector{Function: f, Input: "wide", Shape: []int{1031}},
			vector{Function: f + "Scalar", Input: "wide", Shape: []int{1031}})
	}
	for _, f := range []string{"Sum", "SumSquares", "Dot", "Max", "Min"} {
		for _, n := range []int{31, 1000} {
			list = append(list, vector{Function: f, Input: "unit", Shape: []int{n}})
		}
	}
	for _, f := range []string{"Sum", "Dot"} {
		list = append(list, vector{Function: f, Input: "unit", Shape: []int{2*reduceChunk + 77}})
	}
	list = append(list, vector{Function: "Softmax", Input: "wide", Shape: []int{7, 130}}, vector{Function: "Softmax", Input: "wide", Shape: []int{3, 5}},
		vector{Function: "Uniform", Input: "unit", Shape: []int{1003}})
	for _, shape := range [][]int{{1, 1, 1}, {1, 257, 33}, {29, 300, 47}, {64, 32, 32}, {15, 513, 3}} {
		for variant := range 4 {
			list = append(list, vector{Function: "MatMul", Input: "unit", Shape: shape, TransA: variant&1 != 0, TransB: variant&2 != 0})
		}
	}
	list = append(list, vector{Function: "MatMul", Input: "words", Shape: []int{9, 70, 21}})
	for _, shape := range [][]int{{1, 1, 1}, {1, 259, 33}, {29, 300, 47}, {17, 1000, 80}} {
		list = append(list, vector{Function: "MatMulInt8", Input: "bytes", Shape: shape})
	}
	for _, shape := range [][]int{
		{2, 1, 70, 30, 9, 3, 1, 1, 1, 1, 11, 3, 1, 1, 1, 1}, {1, 3, 5, 7, 20, 5, 2, 1, 2, 1, 17, 3, 2, 2, 0, 3}, {1, 1, 300, 33, 6, 1, 1, 1, 0, 0, 6, 1, 1, 1, 0, 0},
		{1, 6, 1, 1, 15, 3, 1, 1, 1, 1, 14, 3, 2, 1, 1, 1}, {1, 2, 1, 3, 1, 1, 1, 1, 0, 0, 70, 19, 1, 1, 9, 9},
	} {
		list = append(list, vector{Function: "Conv", Input: "unit", Shape: shape})
	}
	list = append(list, vector{Function: "Conv", Input: "words", Shape: []int{1, 1, 4, 5, 6, 3, 1, 1, 1, 1, 6, 3, 1, 1, 1, 1}})
	for _, f := range []string{"MaxPool", "SumPool"} {
		for _, input := range []string{"words", "unit"} {
			list = append(list, vector{Function: f, Input: input, Shape: []int{3, 15, 3, 2, 1, 1, 1, 14, 3, 2, 1, 0, 1}},
				vector{Function: f, Input: input, Shape: []int{2, 9, 5, 1, 1, 2, 2, 40, 2, 1, 3, 0, 0}})
		}
	}
	return append(list, vector{Function: "Quantize", Input: "wide", Shape: []int{1031}}, vector{Function: "Quantize", Input: "words", Shape: []int{4099}},
		vector{Function: "Dequantize", Input: "bytes", Shape: []int{1031}}, vector{Function: "Requantize", Input: "integers", Shape: []int{7, 131}})
}()

// streamWords returns n words w of Philox with key (key, 0), word e at index e mod 4 of counter e/4.
func streamWords(key uint32, n int) []uint32 {
	x := make([]uint32, n)
	for i := 0; i < n; i += 4 {
		words := Philox([2]uint32{key, 0}, [4]uint32{uint32(i / 4)})
		copy(x[i:], words[:])
	}
	return x
}

// streamBytes is the stream of input "bytes": the low bytes of the words, as int8.
func streamBytes(key uint32, n int) []int8 {
	x := make([]int8, n)
	for i, w := range streamWords(key, n) {
		x[i] = int8(w)
	}
	return x
}

// floats writes integers as float32, which is exact for those of the vectors.
func floats[T int8 | int32](list []T) []float32 {
	x := make([]float32, len(list))
	for i, v := range list {
		x[i] = float32(v)
	}
	return x
}

// stream returns n numbers made from the words w of streamWords: "words" are the bits w themselves, "unit" is (w>>8)·2^-24 - 0.5 and "wide" is 16 times that.
func stream(input string, key uint32, n int) []float32 {
	x := make([]float32, n)
	if input == "words" {
		for i, w := range streamWords(key, n) {
			x[i] = math.Float32frombits(w)
		}
		return x
	}
	Uniform(x, [2]uint32{key, 0}, 0)
	AddScalar(x, x, -0.5)
	if input == "wide" {
		MulScalar(x, x, 16)
	}
	return x
}

const (
	vectorScalar  = 0.7109375         // the s of the functions with a scalar
	vectorQuantum = float32(0x1.1p-4) // the scale of Quantize and Dequantize
	vectorOffset  = uint64(1)<<34 - 5 // of Uniform: where the counter's low word overflows
)

var unaryFunctions = map[string]func(dst, src []float32){
	"Exp": Exp, "Log": Log, "Tanh": Tanh, "Erf": Erf, "Sigmoid": Sigmoid, "Sqrt": Sqrt, "Reciprocal": Reciprocal,
	"Neg": Neg, "Abs": Abs, "Relu": Relu, "Sin": Sin, "Cos": Cos, "Silu": Silu,
}

var binaryFunctions = map[string]func(dst, a, b []float32){
	"Add": Add, "Sub": Sub, "Mul": Mul, "Div": Div, "Maximum": Maximum, "Minimum": Minimum,
}

var scalarFunctions = map[string]func(dst, a []float32, s float32){
	"AddScalar": AddScalar, "SubScalar": SubScalar, "MulScalar": MulScalar, "DivScalar": DivScalar,
	"MaximumScalar": MaximumScalar, "MinimumScalar": MinimumScalar,
}

// windowOf reads two axes: elements, places of the window, stride, dilation, padding before and after of each.
func windowOf(list []int) Window {
	axis := func(l []int) Axis {
		return Axis{In: l[0], Kernel: l[1], Stride: l[2], Dilation: l[3], Before: l[4], Out: (l[0]+l[4]+l[5]-(l[1]-1)*l[3]-1)/l[2] + 1}
	}
	return Along(axis(list[:6]), axis(list[6:]))
}

// compute returns the result of the vector by the active implementation. Its first operand is the stream of key 1,
// its second the one of key 2.
func (v vector) compute() []float32 {
	n := 1
	for _, d := range v.Shape {
		n *= d
	}
	if f, ok := unaryFunctions[v.Function]; ok {
		x := stream(v.Input, 1, n)
		f(x, x)
		return x
	}
	if f, ok := binaryFunctions[v.Function]; ok {
		x := stream(v.Input, 1, n)
		f(x, x, stream(v.Input, 2, n))
		return x
	}
	if f, ok := scalarFunctions[v.Function]; ok {
		x := stream(v.Input, 1, n)
		f(x, x, vectorScalar)
		return x
	}
	switch v.Function {
	case "Conv":
		s := ConvShape{Batch: v.Shape[0], Groups: v.Shape[1], Channels: v.Shape[2], Outputs: v.Shape[3], Window: windowOf(v.Shape[4:])}
		c, y := NewConv(s, false), make([]float32, s.Batch*s.Groups*s.Outputs*s.out())
		w := stream(v.Input, 2, s.Groups*s.Outputs*s.depth())
		c.Run(y, stream(v.Input, 1, s.Batch*s.Groups*s.Channels*s.in()), c.Pack(w), nil, nil)
		return y
	case "MaxPool", "SumPool":
		planes, w := v.Shape[0], windowOf(v.Shape[1:])
		y, p := make([]float32, planes*w.out()), MaxPool(planes, w)
		if v.Function == "SumPool" {
			p = SumPool(planes, w)
		}
		p.Run(y, stream(v.Input, 1, planes*w.in()))
		return y
	case "Sum":
		return []float32{Sum(stream(v.Input, 1, n))}
	case "SumSquares":
		return []float32{SumSquares(stream(v.Input, 1, n))}
	case "Dot":
		return []float32{Dot(stream(v.Input, 1, n), stream(v.Input, 2, n))}
	case "Max":
		return []float32{Max(stream(v.Input, 1, n))}
	case "Min":
		return []float32{Min(stream(v.Input, 1, n))}
	case "Softmax":
		x := stream(v.Input, 1, n)
		Softmax(x, x, v.Shape[0], v.Shape[1])
		return x
	case "Uniform":
		x := make([]float32, n)
		Uniform(x, [2]uint32{1, 0}, vectorOffset)
		return x
	case "MatMul":
		m, k, n := v.Shape[0], v.Shape[1], v.Shape[2]
		c := make([]float32, m*n)
		MatMul(c, stream(v.Input, 1, m*k), stream(v.Input, 2, k*n), m, k, n, v.TransA, v.TransB)
		return c
	case "MatMulInt8":
		m, k, n := v.Shape[0], v.Shape[1], v.Shape[2]
		c := make([]int32, m*n)
		MatMulInt8(c, streamBytes(1, m*k), streamBytes(2, k*n), m, k, n)
		return floats(c)
	case "Quantize":
		q := make([]int8, n)
		Quantize(q, stream(v.Input, 1, n), vectorQuantum)
		return floats(q)
	case "Dequantize":
		x := make([]float32, n)
		Dequantize(x, streamBytes(1, n), vectorQuantum)
		return x
	case "Requantize":
		sums, scale, q := make([]int32, n), make([]float32, v.Shape[1]), make([]int8, n)
		for i, w := range streamWords(1, n) {
			sums[i] = int32(w)
		}
		Uniform(scale, [2]uint32{2, 0}, 0)
		MulScalar(scale, scale, 0x1p-23)
		Requantize(q, sums, scale)
		return floats(q)
	}
	panic("kernel: no function " + v.Function)
}

// hash is the SHA-256 of the numbers as little-endian words, after NaN is made canonical.
func hash(x []float32) string {
	Canonicalize(x)
	data := make([]byte, 0, 4*len(x))
	for _, v := range x {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
