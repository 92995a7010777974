package round

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mutirao/mutirao/engine/exec"
	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/model"
)

// TestArtifact publishes a model and calls it, decoded, with the raw features of held-out patients. The
// answer must be, bit for bit, what evaluation computes in batches.
func TestArtifact(t *testing.T) {
	trainer := diagnosis(t, nil)
	p := run(t, trainer, 1, 2, nil)
	artifact, err := trainer.Artifact(p.Theta)
	if err != nil {
		t.Fatal(err)
	}
	encoded := graph.Encode(artifact)
	const limit = 256 << 10 // of what the ledger keeps
	if len(encoded) > limit {
		t.Errorf("the artifact has %d bytes; %d are possible", len(encoded), limit)
	}
	decoded, err := graph.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if len(decoded.Inputs) != 1 || decoded.Inputs[0].Name != model.Features || len(decoded.Outputs) != 1 || decoded.Outputs[0].Name != model.Probability {
		t.Fatalf("inputs %v, outputs %v", decoded.Inputs, decoded.Outputs)
	}
	program, err := exec.Compile(decoded)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		record := trainer.split.HeldAt(i)
		x := make([]float32, 30)
		trainer.set.Row(x, record)
		out, err := program.Run(map[string]*tensor.Tensor{model.Features: tensor.FromFloat32(x, 1, 30)})
		if err != nil {
			t.Fatal(err)
		}
		want := []float32{batchScore(t, trainer, p.Theta, i)}
		kernel.Sigmoid(want, want)
		if got := out[model.Probability].Float32()[0]; got != want[0] {
			t.Errorf("patient %d: published model says %v, evaluation %v", record, got, want[0])
		}
	}
	if _, err := trainer.Artifact(p.Theta[1:]); !errors.Is(err, ErrState) {
		t.Errorf("weights are missing: %v", err)
	}
}

// batchScore is the score of held-out record i in a batch of others.
func batchScore(t *testing.T, trainer *Trainer, theta []tensor.Named, i int) float32 {
	g, err := trainer.model.EvaluationGraph(16)
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.Compile(g)
	if err != nil {
		t.Fatal(err)
	}
	records := make([]int, 16)
	for j := range records {
		records[j] = trainer.split.HeldAt(i + j)
	}
	in := trainer.model.Batch(trainer.set, records)
	for _, w := range theta {
		in[w.Name] = w.Tensor
	}
	out, err := program.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	return out[model.Scores].Float32()[0]
}

// TestArtifactIsTheProgram checks that the artifact without its weights is the inference program.
func TestArtifactIsTheProgram(t *testing.T) {
	for _, trainer := range []*Trainer{diagnosis(t, nil), text(t, nil)} {
		p, err := trainer.Initial()
		if err != nil {
			t.Fatal(err)
		}
		before := graph.Encode(trainer.InferenceGraph())
		g, err := trainer.Artifact(p.Theta)
		if err != nil {
			t.Fatal(err)
		}
		bare := *g
		constants := len(g.Initializers) - len(trainer.Layout())
		bare.Initializers = g.Initializers[:constants]
		bare.Inputs = nil
		for i, w := range trainer.Layout() {
			if g.Initializers[constants+i].Name != w.Name {
				t.Fatalf("weight %d is %q, want %q", i, g.Initializers[constants+i].Name, w.Name)
			}
			bare.Inputs = append(bare.Inputs, graph.Value{Name: w.Name, DType: tensor.Float32, Shape: w.Tensor.Shape()})
		}
		bare.Inputs = append(bare.Inputs, g.Inputs...)
		if !bytes.Equal(graph.Encode(&bare), before) || !bytes.Equal(graph.Encode(trainer.InferenceGraph()), before) {
			t.Error("the artifact without its weights is another program")
		}
	}
}
