package modelcmd

import (
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
	return writeNew(out, b)
}
