package round

import (
	"math"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/optim"
	"github.com/mutirao/mutirao/learn/payload"
)

// Names in the graph of an aggregate: of the state that it steps, a tensor of each for each weight, and of what it reads besides.
const (
	FoldTheta    = "theta/"
	FoldMomentum = "momentum/"
	FoldResidual = "residual/"
	FoldRejected = "rejected" // [n]: 1 for each contribution that is left out; all ones before
	FoldTokens   = "tokens"   // int64 [n]: 0 for a contribution whose tokens are not those of a unit
	FoldCodes    = "codes/"   // int8 [n, blocks, 128]: zeros behind the tensor's end
	FoldScales   = "scales/"  // float32 [n, blocks, 1]
)

// FoldGraph is Aggregate as a program of one step: over n contributions that are payloads in canonical form, it puts out the same bits. The
// step is skipped, like a training step whose gradient is not finite, where Aggregate leaves the state as it is. A dispute about an
// aggregate descends into it. It has no constant that depends on data.
func (t *Outline) FoldGraph(n int) (*graph.Graph, error) {
	f := &fold{Builder: graph.NewBuilder("aggregate"), n: n, train: optim.Nesterov{LR: t.recipe.Train.OuterLR, Momentum: t.recipe.Train.OuterMomentum}}
	f.scaleTable()
	tokens := f.Input(FoldTokens, tensor.Int64, n)
	f.Input(FoldRejected, tensor.Float32, n)
	values := make([]graph.Ref, len(t.layout))
	norms := f.Op("Expand", nil, f.Float(0), f.Ints(n))
	for j, w := range t.layout {
		blocks := FoldBlocks(w)
		codes := f.Input(FoldCodes+w.Name, tensor.Int8, n, blocks, payload.BlockSize)
		scales := f.Input(FoldScales+w.Name, tensor.Float32, n, blocks, 1)
		values[j] = f.Op("Mul", nil, f.cast(codes, tensor.Float32), scales)
		flat := f.Op("Reshape", nil, values[j], f.Ints(n, blocks*payload.BlockSize))
		norms = f.Op("Add", nil, norms, f.Op("ReduceSumSquare", graph.Attrs{"keepdims": 0}, flat, f.Ints(1)))
	}
	kept := f.reject(tokens, f.Op("Sqrt", nil, norms))
	weights := f.weights(kept)
	var bad graph.Ref
	for j, w := range t.layout {
		for _, z := range f.step(w, values[j], weights) {
			e := f.Op("ReduceSum", graph.Attrs{"keepdims": 0}, f.Op("Sub", nil, z, z)) // 0, or NaN if a number is not finite
			if bad != "" {
				e = f.Op("Add", nil, bad, e)
			}
			bad = e
		}
	}
	f.Output(optim.SumSquares, bad)
	return f.Graph()
}

// FoldBlocks is the number of blocks of a weight in a payload.
func FoldBlocks(w tensor.Named) int {
	return (w.Tensor.Len() + payload.BlockSize - 1) / payload.BlockSize
}

// fold builds the graph.
type fold struct {
	*graph.Builder
	n                           int
	train                       optim.Nesterov
	limits, scales, reciprocals graph.Ref // by exponent, ascending
}

func (f *fold) cast(x graph.Ref, to tensor.DType) graph.Ref {
	return f.Op("Cast", graph.Attrs{"to": int(to)}, x)
}

// scaleTable holds what the int8 codes need for each exponent: the largest number that is out of its range, the scale, its reciprocal.
// A scale too many is NaN: numbers that no exponent holds make the step not finite.
func (f *fold) scaleTable() {
	var limits, scales, reciprocals []float32
	for e := payload.MinExponent; e <= payload.MaxExponent; e++ {
		limits = append(limits, float32(math.Ldexp(payload.Int8+0.5, e))) // the half rounds to even, which is one too many
		scales = append(scales, float32(math.Ldexp(1, e)))
		reciprocals = append(reciprocals, float32(math.Ldexp(1, -e)))
	}
	nan := float32(math.NaN())
	n := len(limits)
	f.limits = f.Initializer("limits", tensor.FromFloat32(limits, n))
	f.scales = f.Initializer("scales", tensor.FromFloat32(append(scales, nan), n+1))
	f.reciprocals = f.Initializer("reciprocals", tensor.FromFloat32(append(reciprocals, nan), n+1))
}

// reject puts out which contributions are left out, and returns the tokens of those that are not: valid tokens, and a finite norm of at
// most three times the median of the valid ones, the lower of two.
func (f *fold) reject(tokens, norms graph.Ref) (kept graph.Ref) {
	inf := float32(math.Inf(1))
	none := f.Initializer("none", tensor.FromInt64([]int64{0}, 1))
	valid := f.Op("Greater", nil, tokens, none)
	counted := f.Op("Where", nil, valid, norms, f.Float(inf))
	sorted := f.OpN("TopK", 2, graph.Attrs{"largest": 0}, counted, f.Ints(f.n))[0]
	one := f.Initializer("one", tensor.FromInt64([]int64{1}))
	count := f.cast(f.Op("ReduceSum", graph.Attrs{"keepdims": 0}, f.cast(valid, tensor.Float32)), tensor.Int64)
	middle := f.Op("Div", nil, f.Op("Sub", nil, f.Op("Max", nil, count, one), one), f.Initializer("two", tensor.FromInt64([]int64{2})))
	limit := f.Op("Mul", nil, f.Float(maxNorm), f.Op("Gather", nil, sorted, middle))
	out := f.Op("Where", nil, f.Op("Greater", nil, counted, limit), f.Float(1), f.Float(0))
	out = f.Op("Where", nil, f.Op("Equal", nil, counted, f.Float(inf)), f.Float(1), out)
	f.Output(optim.Next+FoldRejected, out)
	return f.Op("Where", nil, f.Op("Greater", nil, out, f.Float(0)), none, tokens)
}

// weights are the tokens of each contribution as a share of all; NaN if there are none.
func (f *fold) weights(kept graph.Ref) []graph.Ref {
	list := make([]graph.Ref, f.n)
	var total graph.Ref
	for i := range list {
		list[i] = f.Op("Slice", nil, kept, f.Ints(i), f.Ints(i+1))
		if total == "" {
			total = list[i]
		} else {
			total = f.Op("Add", nil, total, list[i])
		}
	}
	total = f.cast(total, tensor.Float32)
	for i := range list {
		list[i] = f.Op("Div", nil, f.cast(list[i], tensor.Float32), total)
	}
	return list
}

// step puts out momentum, weight and residual after the round, and returns them.
func (f *fold) step(w tensor.Named, values graph.Ref, weights []graph.Ref) []graph.Ref {
	shape := w.Tensor.Shape()
	theta, momentum, residual := f.Input(FoldTheta+w.Name, tensor.Float32, shape...), f.Input(FoldMomentum+w.Name, tensor.Float32, shape...), f.Input(FoldResidual+w.Name, tensor.Float32, shape...)
	d := f.Float(0)
	for i := range weights {
		one := values
		if f.n > 1 {
			one = f.Op("Slice", nil, values, f.Ints(i), f.Ints(i+1))
		}
		d = f.Op("Add", nil, d, f.Op("Mul", nil, one, weights[i]))
	}
	d = f.unblock(d, w)
	momentum = f.Op("Add", nil, f.Op("Mul", nil, momentum, f.Float(f.train.Momentum)), d)
	y := f.Op("Add", nil, d, f.Op("Mul", nil, momentum, f.Float(f.train.Momentum)))
	y = f.Op("Add", nil, f.Op("Mul", nil, y, f.Float(f.train.LR)), residual)
	q := f.unblock(f.quantise(f.block(y, w)), w)
	next := []graph.Ref{momentum, f.Op("Sub", nil, theta, q), f.Op("Sub", nil, y, q)}
	for i, name := range []string{FoldMomentum, FoldTheta, FoldResidual} {
		f.Output(optim.Next+name+w.Name, next[i])
	}
	return next
}

// quantise rounds blocks to int8 codes times a power of two, the smallest that holds them.
func (f *fold) quantise(y graph.Ref) graph.Ref {
	largest := f.Op("ReduceMax", nil, f.Op("Abs", nil, y), f.Ints(1))
	above := f.cast(f.Op("GreaterOrEqual", nil, largest, f.limits), tensor.Float32)
	exponent := f.cast(f.Op("ReduceSum", nil, above, f.Ints(1)), tensor.Int64) // exact: at most 201
	// To the nearest integer, ties to even: at this magnitude binary32 has no fractions. The sum turns −0 into +0, as codes do.
	const whole = 3 << 22
	code := f.Op("Mul", nil, y, f.Op("Gather", nil, f.reciprocals, exponent))
	code = f.Op("Sub", nil, f.Op("Add", nil, code, f.Float(whole)), f.Float(whole))
	return f.Op("Mul", nil, code, f.Op("Gather", nil, f.scales, exponent))
}

// block cuts a tensor into blocks, with zeros behind its end; unblock undoes it.
func (f *fold) block(x graph.Ref, w tensor.Named) graph.Ref {
	blocks, n := FoldBlocks(w), w.Tensor.Len()
	x = f.Op("Reshape", nil, x, f.Ints(n))
	if pad := blocks*payload.BlockSize - n; pad > 0 {
		x = f.Op("Concat", graph.Attrs{"axis": 0}, x, f.Op("Expand", nil, f.Float(0), f.Ints(pad)))
	}
	return f.Op("Reshape", nil, x, f.Ints(blocks, payload.BlockSize))
}

func (f *fold) unblock(x graph.Ref, w tensor.Named) graph.Ref {
	n := w.Tensor.Len()
	x = f.Op("Reshape", nil, x, f.Ints(FoldBlocks(w)*payload.BlockSize))
	if n%payload.BlockSize != 0 {
		x = f.Op("Slice", nil, x, f.Ints(0), f.Ints(n))
	}
	return f.Op("Reshape", nil, x, f.Ints(w.Tensor.Shape()...))
}

// CountTokens is what a contribution's tokens count for: 0 if they are not those of a unit of 1 to the recipe's steps.
func (t *Outline) CountTokens(tokens uint64) uint64 {
	if tokens > t.UnitTokens(t.recipe.Train.Steps) || tokens%t.UnitTokens(1) != 0 {
		return 0
	}
	return tokens
}

// FoldInputs are the inputs of FoldGraph for a public state and contributions. The error is payload.ErrInvalid for one that is not in
// canonical form.
func (t *Outline) FoldInputs(p Public, contributions []Contribution) (map[string]*tensor.Tensor, error) {
	n := len(contributions)
	tokens, rejected := make([]int64, n), make([]float32, n)
	in := map[string]*tensor.Tensor{FoldTokens: tensor.FromInt64(tokens, n), FoldRejected: tensor.FromFloat32(rejected, n)}
	for j, w := range t.layout {
		in[FoldTheta+w.Name], in[FoldMomentum+w.Name], in[FoldResidual+w.Name] = p.Theta[j].Tensor, p.Momentum[j].Tensor, p.Residual[j].Tensor
		in[FoldCodes+w.Name] = tensor.New(tensor.Int8, n, FoldBlocks(w), payload.BlockSize)
		in[FoldScales+w.Name] = tensor.New(tensor.Float32, n, FoldBlocks(w), 1)
	}
	for i, c := range contributions {
		tokens[i], rejected[i] = int64(t.CountTokens(c.Tokens)), 1
		list, err := payload.Decode(c.Payload, t.layout)
		if err != nil {
			return nil, err
		}
		for j, w := range t.layout {
			blocks := FoldBlocks(w)
			copy(tensor.Data[int8](in[FoldCodes+w.Name])[i*blocks*payload.BlockSize:], list[j].Codes)
			for b, e := range list[j].Exponents {
				in[FoldScales+w.Name].Float32()[i*blocks+b] = payload.Scale(byte(e))
			}
		}
	}
	return in, nil
}
