package model

import (
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/data"
)

// scaling brings each feature to mean 0 and variance 1: (x - mean)·scale.
type scaling struct {
	mean, scale *tensor.Tensor // [features]
}

// standardise measures the features over the training rows, in the split's order: mean = Σx / n and
// scale = 1 / sqrt(Σ(x-mean)² / n), sums by the kernels' rule for reductions. A constant feature has
// scale 1. Only training rows are read, so nothing of the held-out ones reaches the model.
func standardise(s *data.Set, split data.Split, features int) scaling {
	n := split.Training()
	columns := make([][]float32, features)
	for j := range columns {
		columns[j] = make([]float32, n)
	}
	row := make([]float32, features)
	for i := range n {
		s.Row(row, split.TrainingAt(i))
		for j, x := range row {
			columns[j][i] = x
		}
	}
	mean, scale := make([]float32, features), make([]float32, features)
	for j, x := range columns {
		mean[j] = kernel.Sum(x) / float32(n)
		kernel.AddScalar(x, x, -mean[j])
		scale[j] = kernel.SumSquares(x) / float32(n)
	}
	kernel.Sqrt(scale, scale)
	for j, deviation := range scale {
		if deviation == 0 {
			scale[j] = 1
		}
	}
	kernel.Reciprocal(scale, scale)
	return scaling{mean: tensor.FromFloat32(mean, features), scale: tensor.FromFloat32(scale, features)}
}
