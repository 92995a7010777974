package round

import (
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/model"
	"github.com/mutirao/mutirao/learn/recipe"
)

// ErrNoText reports a request for text to a model that reads tables.
var ErrNoText = errors.New("the model does not write text")

// Sampler draws the bytes of a text.
type Sampler struct {
	Temperature float32 // 0 always takes the likeliest byte; 1 follows the model
	Seed        uint64
}

// Sample continues prompt by n bytes and returns them. Byte i is drawn from softmax(logits /
// temperature) with the Philox number of counter i: the first byte at which the running sum of
// probabilities, in byte order, exceeds it. The model sees the last window of the text. An empty
// prompt counts as a line end. It returns ErrState for weights that are not the model's.
func (t *Trainer) Sample(theta []tensor.Named, prompt []byte, n int, s Sampler) ([]byte, error) {
	if t.recipe.Data.Kind != recipe.Text {
		return nil, ErrNoText
	}
	if !(s.Temperature >= 0) {
		return nil, fmt.Errorf("temperature %v is below 0", s.Temperature)
	}
	if err := t.check("weights", theta); err != nil {
		return nil, err
	}
	if t.inference == nil {
		var err error
		if t.inference, err = exec.Compile(t.inferenceGraph); err != nil {
			return nil, err
		}
	}
	in := map[string]*tensor.Tensor{}
	for _, w := range theta {
		in[w.Name] = w.Tensor
	}
	window := t.model.Predictions()
	text := append([]byte{}, prompt...)
	if len(text) == 0 {
		text = []byte{'\n'}
	}
	start := len(text)
	for i := range n {
		seen := text[max(0, len(text)-window):]
		// Tokens behind the last one are never looked at: attention is causal.
		tokens := make([]int64, window)
		for j, c := range seen {
			tokens[j] = int64(c)
		}
		in[model.Tokens] = tensor.FromInt64(tokens, 1, window)
		out, err := t.inference.Run(in)
		if err != nil {
			return nil, err
		}
		logits := out[model.Logits].Float32()
		classes := len(logits) / window
		text = append(text, s.draw(logits[(len(seen)-1)*classes:len(seen)*classes], uint64(i)))
	}
	return text[start:], nil
}
