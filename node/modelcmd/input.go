package modelcmd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
)

// maxInput is the longest file that is read as an input, in bytes.
const maxInput = 1 << 31

// readInputs reads the inputs of a model as the arguments of --input say: name=file, or a file alone that holds inputs by name (.npz, .json, .csv) or
// the only input. Several pictures for one input become its rows.
func readInputs(m *model, file string, args []string, how Picture) (map[string]onnx.Value, error) {
	ports := m.inputs()
	next := "mutirao model inspect " + file
	in := map[string]onnx.Value{}
	for _, arg := range args {
		name, path, named := strings.Cut(arg, "=")
		if !named {
			path = arg
			if all, err := readAll(path, ports); err != nil {
				return nil, failure.New(failure.General, "cannot read inputs from "+path, err, next)
			} else if all != nil {
				for n, v := range all {
					in[n] = v
				}
				continue
			}
			if len(ports) != 1 {
				return nil, failure.New(failure.Usage, "cannot use --input "+arg, fmt.Errorf("the model has %d inputs: want name=file with a name of %s", len(ports), names(ports)), next)
			}
			name = ports[0].Name
		}
		i := slices.IndexFunc(ports, func(p onnx.Port) bool { return p.Name == name })
		if i < 0 {
			return nil, failure.New(failure.Usage, "cannot use --input "+arg, fmt.Errorf("want name=file with a name of %s", names(ports)), next)
		}
		v, err := readInput(path, ports[i], how)
		if err == nil && isPicture(path) && in[name].Tensor != nil {
			v, err = stack(in[name], v)
		}
		if err != nil {
			return nil, failure.New(failure.General, "cannot read input "+name+" from "+path, err, next)
		}
		in[name] = v
	}
	return in, nil
}

// readAll reads a file that holds several inputs by name. It returns nil if the file is of a kind that holds one.
func readAll(path string, ports []onnx.Port) (map[string]onnx.Value, error) {
	switch kindOf(path) {
	case ".npz":
		b, err := readFile(path)
		if err != nil {
			return nil, err
		}
		all := map[string]onnx.Value{}
		for _, p := range ports {
			v, err := readNPZ(b, p.Name)
			if errors.Is(err, errNoMember) && len(ports) > 1 {
				continue
			} else if err != nil {
				return nil, err
			}
			if all[p.Name], err = carried(v, p); err != nil {
				return nil, fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		return all, nil
	case ".json":
		b, err := readFile(path)
		if err != nil {
			return nil, err
		}
		return readObject(b, ports)
	case ".csv":
		if len(ports) == 1 {
			return nil, nil // all columns are its features
		}
		b, err := readFile(path)
		if err != nil {
			return nil, err
		}
		return columnsByName(b, ports)
	}
	return nil, nil
}

// kindOf is the ending of a file's name, without the columns that may follow it.
func kindOf(path string) string {
	if file, _, ok := strings.Cut(path, ".csv:"); ok && file != "" {
		return ".csv"
	}
	return strings.ToLower(filepath.Ext(path))
}

func isPicture(path string) bool {
	return slices.Contains([]string{".png", ".jpg", ".jpeg", ".gif"}, kindOf(path))
}

// readFile reads a file of at most maxInput bytes.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxInput {
		return nil, fmt.Errorf("no file of at most %d bytes", maxInput)
	}
	return os.ReadFile(path)
}

// readInput reads one input from a file by its ending.
func readInput(path string, p onnx.Port, how Picture) (onnx.Value, error) {
	kind := kindOf(path)
	file, columns, _ := strings.Cut(path, ".csv:")
	if columns != "" {
		path = file + ".csv"
	}
	b, err := readFile(path)
	if err != nil {
		return onnx.Value{}, err
	}
	var v onnx.Value
	switch kind {
	case ".npy":
		v, err = readArray(b)
	case ".npz":
		v, err = readNPZ(b, p.Name)
	case ".json":
		return readValue(b, p)
	case ".csv":
		return readColumns(b, p, columns)
	case ".png", ".jpg", ".jpeg", ".gif":
		v.Tensor, err = how.read(b, p)
	case ".pb":
		return onnx.ReadValue(b, p)
	default:
		err = fmt.Errorf("%s ends in none of .npy, .npz, .json, .csv, .png, .jpg, .gif and .pb", path)
	}
	if err != nil {
		return v, err
	}
	return carried(v, p)
}

// carried gives an input the element type that the model declares. Floats are rounded to it; an integer that it does not have is an error.
func carried(v onnx.Value, p onnx.Port) (onnx.Value, error) {
	if v.Tensor == nil || v.Tensor.DType() != p.DType || v.Element == p.Element || p.Element.Carrier() == 0 {
		return v, nil
	}
	t := p.Element.Hold(v.Tensor)
	if t.DType() != tensor.Float32 && !bytes.Equal(t.Bytes(), v.Tensor.Bytes()) {
		return v, fmt.Errorf("numbers that are no %v", p.Element)
	}
	return onnx.Value{Tensor: t, Element: p.Element}, nil
}

// stack adds the rows of b behind those of a.
func stack(a, b onnx.Value) (onnx.Value, error) {
	x, y := a.Tensor, b.Tensor
	if x.DType() != y.DType() || len(x.Shape()) == 0 || !slices.Equal(x.Shape()[1:], y.Shape()[1:]) {
		return onnx.Value{}, fmt.Errorf("%v%v beside %v%v", y.DType(), y.Shape(), x.DType(), x.Shape())
	}
	shape := slices.Clone(x.Shape())
	shape[0] += y.Shape()[0]
	t, err := tensor.Decode(x.DType(), shape, append(x.Bytes(), y.Bytes()...))
	return onnx.Value{Tensor: t, Element: a.Element}, err
}
