package modelcmd

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
	"github.com/mutirao/mutirao/node/failure"
)

const printed = 32 // elements of an output on the terminal

// writeOutputs prints outputs, or writes them: to one file whose ending says how (.npz, .csv, .json), or as .npy into a folder.
func writeOutputs(w io.Writer, to string, list []part, ports []onnx.Port) error {
	var b bytes.Buffer
	var err error
	switch kind := filepath.Ext(to); {
	case to == "":
		for _, p := range list {
			if _, err := fmt.Fprintf(w, "%s  %v  %s\n", p.name, p.Value, shown(p.Value, printed)); err != nil {
				return err
			}
		}
		return nil
	case kind == ".npz":
		err = writeNPZ(&b, list)
	case kind == ".csv":
		err = writeCSV(&b, list, ports)
	case kind == ".json":
		err = writeJSON(&b, list)
	default:
		return writeFolder(w, to, list)
	}
	if err != nil {
		return failure.New(failure.General, "cannot write outputs to "+to, err, "give a folder with --output")
	}
	if err := writeFile(to, b.Bytes()); err != nil {
		return err
	}
	for _, p := range list {
		fmt.Fprintf(w, "%s  %v  %s\n", p.name, p.Value, to)
	}
	return nil
}

func writeFile(file string, b []byte) error {
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return failure.New(failure.General, "cannot write "+file, err, "choose another place with --output")
	}
	return nil
}

func writeFolder(w io.Writer, folder string, list []part) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return failure.New(failure.General, "cannot write outputs to "+folder, err, "choose another place with --output")
	}
	for _, p := range list {
		file := filepath.Join(folder, fileName(p.name)+".npy")
		if err := writeFile(file, writeArray(p.Value)); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s  %v  %s\n", p.name, p.Value, file)
	}
	return nil
}

// fileName is an output's name without what a file's name may not have.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' || r < ' ' {
			return '_'
		}
		return r
	}, name)
}

// cell is element i as text that gives the same bits when it is read again.
func cell(v onnx.Value, i int) string {
	if v.Text != nil {
		return v.Text.Data[i]
	}
	switch t := v.Tensor; t.DType() {
	case tensor.Float32:
		return strconv.FormatFloat(float64(t.Float32()[i]), 'g', -1, 32)
	case tensor.Uint8:
		return strconv.Itoa(int(tensor.Data[uint8](t)[i]))
	case tensor.Int8:
		return strconv.Itoa(int(tensor.Data[int8](t)[i]))
	case tensor.Int32:
		return strconv.Itoa(int(tensor.Data[int32](t)[i]))
	case tensor.Int64:
		return strconv.FormatInt(t.Int64()[i], 10)
	default:
		return strconv.FormatBool(t.Bool()[i])
	}
}

func shapeOf(v onnx.Value) []int {
	if v.Text != nil {
		return v.Text.Shape
	}
	return v.Tensor.Shape()
}

// writeCSV puts the outputs side by side, a row for each of the first axis. Columns of an output with several are called name.0, name.1 and so on,
// or by its keys.
func writeCSV(w io.Writer, list []part, ports []onnx.Port) error {
	rows := -1
	var header []string
	var widths []int
	for _, p := range list {
		shape := shapeOf(p.Value)
		n, width := 1, 1
		for i, d := range shape {
			if i == 0 {
				n = d
			} else {
				width *= d
			}
		}
		if rows >= 0 && n != rows {
			return fmt.Errorf("output %q has %d rows, others %d", p.name, n, rows)
		}
		rows, widths = n, append(widths, width)
		keys := keysOf(ports, p.name)
		for c := range width {
			switch {
			case c < len(keys):
				header = append(header, p.name+"."+keys[c])
			case len(shape) < 2:
				header = append(header, p.name)
			default:
				header = append(header, fmt.Sprintf("%s.%d", p.name, c))
			}
		}
	}
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return err
	}
	for r := range rows {
		var row []string
		for i, p := range list {
			for c := range widths[i] {
				row = append(row, cell(p.Value, r*widths[i]+c))
			}
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// keysOf are the names of the columns of an output that is a map.
func keysOf(ports []onnx.Port, name string) []string {
	for _, p := range ports {
		if p.Name == name {
			return p.Keys
		}
	}
	return nil
}

// writeJSON writes an object of nested lists. What JSON has no number for (NaN, infinities) is text.
func writeJSON(w io.Writer, list []part) error {
	object := map[string]json.RawMessage{}
	for _, p := range list {
		var b bytes.Buffer
		at := 0
		nested(&b, p.Value, shapeOf(p.Value), &at)
		object[p.name] = b.Bytes()
	}
	return json.NewEncoder(w).Encode(object)
}

func nested(b *bytes.Buffer, v onnx.Value, shape []int, at *int) {
	if len(shape) == 0 {
		text := cell(v, *at)
		isNumber := v.Text == nil && (v.Tensor.DType() != tensor.Float32 || !math.IsNaN(float64(v.Tensor.Float32()[*at])) && !math.IsInf(float64(v.Tensor.Float32()[*at]), 0))
		if !isNumber {
			quoted, _ := json.Marshal(text) // a string always has a form
			text = string(quoted)
		}
		b.WriteString(text)
		*at++
		return
	}
	b.WriteByte('[')
	for i := range shape[0] {
		if i > 0 {
			b.WriteByte(',')
		}
		nested(b, v, shape[1:], at)
	}
	b.WriteByte(']')
}
