package dryrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/node/failure"
)

// Alone is what training on one machine came to.
type Alone struct {
	Schema   string  `json:"schema"` // "mutirao.train-alone/v1"
	File     string  `json:"file"`   // the model
	ONNX     string  `json:"onnx,omitempty"`
	Bytes    int     `json:"bytes"`
	Rounds   int     `json:"rounds"`
	Loss     float32 `json:"loss"`     // of the records kept for testing
	Accuracy float32 `json:"accuracy"` // of the same
	AUC      float32 `json:"auc,omitempty"`
}

// TrainAlone trains the recipe of a run file on this machine with all training records, and writes the model with its
// weights to out, as the ledger keeps it, and to asONNX for other programs unless that is empty. Neither may exist.
func TrainAlone(ctx context.Context, file, out, asONNX string, progress io.Writer) (*Alone, error) {
	r, set, err := Load(file)
	if err != nil {
		return nil, err
	}
	trainer, err := round.NewTrainer(r, set)
	if err != nil {
		return nil, failure.New(failure.General, "the run cannot be computed", err, "correct "+file)
	}
	report := &Alone{Schema: "mutirao.train-alone/v1", File: out, ONNX: asONNX, Rounds: r.Train.Rounds}
	theta, err := trainer.Centralised(ctx, r.Train.Rounds, func(n int, theta []tensor.Named) error {
		m, err := trainer.Evaluate(theta)
		if err != nil {
			return err
		}
		report.Loss, report.Accuracy, report.AUC = m.Loss, m.Accuracy, m.AUC
		_, err = fmt.Fprintf(progress, "round %d of %d: held-out loss %.4f, accuracy %.1f %%, AUC %.3f\n", n, r.Train.Rounds, m.Loss, 100*m.Accuracy, m.AUC)
		return err
	})
	if err != nil {
		return nil, err
	}
	g, err := trainer.Artifact(theta)
	if err != nil {
		return nil, err
	}
	raw := graph.Encode(g)
	report.Bytes = len(raw)
	if err := writeNew(out, raw); err != nil {
		return nil, err
	}
	if asONNX == "" {
		return report, nil
	}
	plain, err := onnx.Standard(g)
	if err != nil {
		return nil, err
	}
	if raw, err = onnx.Save(plain); err != nil {
		return nil, err
	}
	return report, writeNew(asONNX, raw)
}

// writeNew writes a file that does not exist yet.
func writeNew(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return failure.New(failure.General, "cannot write "+name, err, "choose a name that is not taken, with --out")
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return failure.New(failure.General, "cannot write "+name, err, "look for space on the disk")
	}
	return nil
}
