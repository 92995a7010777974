package modelcmd

import (
	"errors"
	"os"

	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/node/failure"
)

// Export writes a model as an ONNX file of the newest operator set, specialised to the given sizes of named dimensions.
func Export(file, out string, dims map[string]int) error {
	m, err := load(file)
	if err != nil {
		return err
	}
	next := "mutirao model inspect " + file
	g, err := m.specialise(sized(m.inputs(), dims))
	if err != nil {
		return failure.New(failure.General, "cannot export "+file, err, next)
	}
	b, err := onnx.Save(g)
	if err != nil {
		return failure.New(failure.General, "cannot export "+file, err, next)
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return failure.New(failure.General, "cannot write "+out, err, "choose a name that is not taken")
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return failure.New(failure.General, "cannot write "+out, err, "look for space on the disk")
	}
	return nil
}
