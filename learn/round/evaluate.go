package round

import (
	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/metric"
	"github.com/mutirao/mutirao/learn/model"
	"github.com/mutirao/mutirao/learn/recipe"
)

// Metrics is the measure of weights on held-out records.
type Metrics struct {
	Records     int     // held-out records read
	Loss        float32 // mean over predictions, in nats
	Accuracy    float32 // share of right predictions: side of 1/2, or next byte
	AUC         float32 // table: area under the ROC curve
	BitsPerByte float32 // text: Loss in bits
}

// Evaluate measures weights on the held-out records, the first EvaluateLimit of them. The numbers do
// not depend on how records are batched. It returns ErrState for weights that are not the model's.
func (t *Trainer) Evaluate(theta []tensor.Named) (Metrics, error) {
	if err := t.check("weights", theta); err != nil {
		return Metrics{}, err
	}
	if t.evaluation == nil {
		g, err := t.model.EvaluationGraph(t.recipe.Train.Batch)
		if err != nil {
			return Metrics{}, err
		}
		if t.evaluation, err = exec.Compile(g); err != nil {
			return Metrics{}, err
		}
	}
	count, batch, per := min(t.split.Held(), t.recipe.Data.EvaluateLimit), t.recipe.Train.Batch, t.model.Predictions()
	var losses, scores []float32
	var positive []bool
	hits := 0
	for at := 0; at < count; at += batch {
		records := make([]int, batch)
		for i := range records {
			records[i] = t.split.HeldAt(min(at+i, count-1)) // the last batch is filled up; its tail is not counted
		}
		use := min(batch, count-at) * per
		in := t.model.Batch(t.set, records)
		target := in[model.Target]
		for _, w := range theta {
			in[w.Name] = w.Tensor
		}
		out, err := t.evaluation.Run(in)
		if err != nil {
			return Metrics{}, err
		}
		losses = append(losses, out[model.Losses].Float32()[:use]...)
		got := out[model.Scores].Float32()
		if t.recipe.Data.Kind == recipe.Table {
			for i := range use {
				label := target.Float32()[i] == 1
				if (got[i] > 0) == label {
					hits++
				}
				positive = append(positive, label)
			}
			scores = append(scores, got[:use]...)
			continue
		}
		classes := len(got) / (batch * per)
		for i, label := range target.Int64()[:use] {
			if metric.ArgMax(got[i*classes:(i+1)*classes]) == int(label) {
				hits++
			}
		}
	}
	m := Metrics{Records: count, Loss: kernel.Sum(losses) / float32(len(losses)), Accuracy: metric.Share(hits, len(losses))}
	if t.recipe.Data.Kind == recipe.Table {
		m.AUC = metric.AUC(scores, positive)
	} else {
		m.BitsPerByte = metric.BitsPerByte(m.Loss)
	}
	return m, nil
}
