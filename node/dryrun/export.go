package dryrun

import (
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/learn/round"
	"github.com/mutirao/mutirao/node/failure"
)

// ExportStep writes the training step of a run file in ONNX's own operators to a file that does not exist yet.
func ExportStep(file, out string) error {
	r, set, err := Load(file)
	if err != nil {
		return err
	}
	trainer, err := round.NewTrainer(r, set)
	if err != nil {
		return failure.New(failure.General, "the run cannot be computed", err, "correct "+file)
	}
	plain, err := onnx.Standard(trainer.StepGraph())
	if err != nil {
		return failure.New(failure.General, "the training step cannot be exported", err, "mutirao train dry-run "+file)
	}
	b, err := onnx.Save(plain)
	if err != nil {
		return failure.New(failure.General, "the training step cannot be exported", err, "mutirao train dry-run "+file)
	}
	return writeNew(out, b)
}
