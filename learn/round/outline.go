package round

import (
	"fmt"
	"strings"

	"github.com/mutirao/mutirao/engine/autodiff"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
	"github.com/mutirao/mutirao/learn/model"
	"github.com/mutirao/mutirao/learn/optim"
	"github.com/mutirao/mutirao/learn/payload"
	"github.com/mutirao/mutirao/learn/recipe"
)

// Outline is what follows from a recipe and from number and size of the records alone, without their contents: the shape of a step, in
// which order a unit reads the records, at what rate it learns, where its points are. A referee needs no more. It is never
// written after it is made, so any number of goroutines may use one.
type Outline struct {
	recipe     *recipe.Recipe
	split      data.Split
	model      *model.Model
	layout     []tensor.Named // names and shapes of the weights, sorted by name
	recordSize int

	stepGraph            *graph.Graph
	stepMACs, stateBytes uint64
}

// NewOutline makes the outline of a recipe on count records of that many bytes. Constants of its step that stand for the data (a table's
// standardisation) are not those of the trainer's. Errors wrap those of recipe and data.
func NewOutline(r *recipe.Recipe, recordSize, count int) (*Outline, error) {
	if count < 2 || count > data.MaxEncoded || recordSize < 1 || recordSize > data.MaxEncoded {
		return nil, fmt.Errorf("%w: %d records of %d bytes", data.ErrInvalid, count, recordSize)
	}
	m, err := model.Shape(r, recordSize)
	if err != nil {
		return nil, err
	}
	return outline(r, m, data.NewSplit(count, r.Data.HoldoutPercent, r.Train.Seed), recordSize)
}

// Effort is a measure of the work of making an outline: the tensors of weights, several times over where the optimizer has many nodes for each.
// One takes some 0.3 ms on a reference core.
func Effort(r *recipe.Recipe) int {
	tensors := 2 * (len(r.Model.Hidden) + 1)
	if r.Model.Kind == recipe.Transformer {
		tensors = 4 + 10*r.Model.Layers
	}
	if r.Train.Optimizer == recipe.Muon {
		tensors *= 3
	}
	return tensors
}

func outline(r *recipe.Recipe, m *model.Model, split data.Split, recordSize int) (*Outline, error) {
	t := &Outline{recipe: r, split: split, model: m, recordSize: recordSize}
	for _, p := range m.Params() {
		t.layout = append(t.layout, tensor.Named{Name: p.Name, Tensor: tensor.New(tensor.Float32, p.Shape...)})
	}
	var err error
	if t.stepGraph, err = t.buildStep(); err != nil {
		return nil, err
	}
	if t.stepMACs, err = graph.MACs(t.stepGraph); err != nil {
		return nil, err
	}
	for _, v := range t.stepGraph.Outputs {
		if strings.HasPrefix(v.Name, optim.Next) {
			t.stateBytes += uint64(v.Len() * v.DType.Size())
		}
	}
	return t, nil
}

// buildStep makes one graph of forward pass, backward pass, clipping and the inner optimizer.
func (t *Outline) buildStep() (*graph.Graph, error) {
	forward, err := t.model.LossGraph(t.recipe.Train.Batch)
	if err != nil {
		return nil, err
	}
	var names []string
	var params []graph.Value
	for _, p := range t.layout {
		names = append(names, p.Name)
		params = append(params, graph.Value{Name: p.Name, DType: tensor.Float32, Shape: p.Tensor.Shape()})
	}
	both, gradients, err := autodiff.Gradient(forward, model.Loss, names)
	if err != nil {
		return nil, fmt.Errorf("derive the training step: %w", err)
	}
	b := graph.Extend(both)
	b.DropOutputs()
	b.Output(model.Loss, model.Loss)
	t.appendOptimizer(b, params, gradients)
	return b.Graph()
}

// appendOptimizer adds the step of the recipe's inner optimizer.
func (t *Outline) appendOptimizer(b *graph.Builder, params []graph.Value, gradients map[string]string) {
	train := t.recipe.Train
	adamW := optim.Hyper{Beta1: train.Beta1, Beta2: train.Beta2, Eps: train.Eps, WeightDecay: train.WeightDecay, Clip: train.Clip}
	switch train.Optimizer {
	case recipe.SGD, recipe.Nesterov:
		optim.AppendSGD(b, params, gradients, optim.SGD{
			Momentum: train.Momentum, WeightDecay: train.WeightDecay, Clip: train.Clip, Nesterov: train.Optimizer == recipe.Nesterov})
	case recipe.Muon:
		hidden := func(p graph.Value) bool { return t.model.Hidden(p.Name) && optim.IsMatrix(p) }
		optim.AppendMuon(b, params, gradients, hidden, optim.Muon{Hyper: adamW, Momentum: train.Momentum})
	case recipe.Adafactor:
		optim.AppendAdafactor(b, params, gradients, optim.Adafactor{Eps: train.Eps, WeightDecay: train.WeightDecay, Clip: train.Clip})
	default:
		optim.AppendAdamW(b, params, gradients, adamW)
	}
}

// StepGraph is the graph of one training step: weights, moments and a batch in, the next weights and
// moments out. It is the trainer's and must not change.
func (t *Outline) StepGraph() *graph.Graph { return t.stepGraph }

// Layout lists names and shapes of the weights, sorted by name; the values are zeros and meaningless.
// It is what package payload needs to read a payload. It is the trainer's.
func (t *Outline) Layout() []tensor.Named { return t.layout }

// Recipe returns the trainer's recipe, which must not change.
func (t *Outline) Recipe() *recipe.Recipe { return t.recipe }

// UnitTokens is the number of predictions that a unit of that many steps learns from: records of a
// table, bytes of a text.
func (t *Outline) UnitTokens(steps int) uint64 {
	return uint64(steps) * uint64(t.recipe.Train.Batch) * uint64(t.model.Predictions())
}

// PointStep returns the number of steps after which point p, 0 to 16, of a unit is observed. The unit is
// cut into 16 segments, or into 8, 4, 2 or 1 where hashing more states would take over a hundredth of its
// time; with s segments it is ⌊p·s/16⌋·steps/s rounded down. Neighbouring points may show the same state.
func (t *Outline) PointStep(p, steps int) int {
	s := t.segments(steps)
	return p * s / (Points - 1) * steps / s
}

// hashMACs is what hashing a byte of a state costs in multiply-accumulates, from measurements of one core
// with SHA and AVX-512 instructions: 1.5 GB/s against 40 G/s.
const hashMACs = 27

// segments is the number of segments of a unit. It depends on the recipe alone, so that all cut alike.
func (t *Outline) segments(steps int) int {
	s := Points - 1
	for s > 1 && uint64(s+1)*t.stateBytes*hashMACs > t.stepMACs*uint64(steps)/100 {
		s /= 2
	}
	return s
}

// RecordOf is the record of the set that a step of a unit reads as row row of its batch.
func (t *Outline) RecordOf(seed [32]byte, step, row int) int {
	b := t.newBatches(seed)
	at := step*t.recipe.Train.Batch + row
	b.epoch = uint64(at / t.split.Training())
	b.shuffle()
	return t.split.TrainingAt(b.order.At(at % t.split.Training()))
}

// Rate is the learning rate of a step of a unit.
func (t *Outline) Rate(step, steps int) float32 { return optim.Rate(t.recipe.Train.LR, step, steps) }

// ReadRecord returns what one record contributes to the inputs of a batch, by input: tensors of a batch of one.
func (t *Outline) ReadRecord(record []byte) (map[string]*tensor.Tensor, error) {
	if len(record) != t.recordSize {
		return nil, fmt.Errorf("%w: a record of %d bytes, want %d", data.ErrInvalid, len(record), t.recordSize)
	}
	one := &data.Set{RecordSize: t.recordSize, Count: 1, Records: record}
	return t.model.Batch(one, []int{0}), nil
}

// Pack encodes the change of the weights from before a unit to after it: what the unit sends. The lists are in name order.
func (t *Outline) Pack(before, after []tensor.Named) ([]byte, error) { return t.pack(before, after) }

// pack encodes old minus new weights.
func (t *Outline) pack(old, new []tensor.Named) ([]byte, error) {
	change := zeros(t.layout)
	for i := range change {
		kernel.Sub(change[i].Tensor.Float32(), old[i].Tensor.Float32(), new[i].Tensor.Float32())
	}
	codes, err := payload.Quantise(change, payload.Int4)
	if err != nil {
		return nil, diverged(err)
	}
	return payload.Encode(codes)
}
