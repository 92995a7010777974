package modelcmd

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

// table is a CSV file: names of columns and rows of cells.
type table struct {
	header []string
	rows   [][]string
}

// readTable reads a file whose first line names the columns.
func readTable(b []byte) (*table, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("no line with names of columns: %w", err)
	}
	t := &table{header: header}
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, err // names line and column
		}
		if t.rows = append(t.rows, row); len(t.rows)*len(header) > graph.MaxElements {
			return nil, fmt.Errorf("more than %d cells", graph.MaxElements)
		}
	}
	if len(t.rows) == 0 {
		return nil, fmt.Errorf("no rows below the names of columns")
	}
	return t, nil
}

// value is the given columns as rows of features.
func (t *table) value(columns []int, p onnx.Port) (onnx.Value, error) {
	shape := []int{len(t.rows), len(columns)}
	if p.Element == onnx.String {
		text := &onnx.Text{Shape: shape}
		for _, row := range t.rows {
			for _, c := range columns {
				text.Data = append(text.Data, row[c])
			}
		}
		return onnx.Value{Text: text}, nil
	}
	dt := p.DType
	if dt == 0 {
		dt = tensor.Float32
	}
	x := tensor.New(dt, shape...)
	for i, row := range t.rows {
		for j, c := range columns {
			if err := parseCell(x, i*len(columns)+j, strings.TrimSpace(row[c])); err != nil {
				return onnx.Value{}, fmt.Errorf("line %d, column %.80q: %w", i+2, t.header[c], err)
			}
		}
	}
	return carried(onnx.Value{Tensor: x}, p)
}

// parseCell writes element i of x. An empty cell is a missing number: NaN.
func parseCell(x *tensor.Tensor, i int, cell string) error {
	if x.DType() == tensor.Float32 {
		if cell == "" {
			x.Float32()[i] = float32(math.NaN())
			return nil
		}
		v, err := strconv.ParseFloat(cell, 32)
		if err != nil {
			return fmt.Errorf("%.80q is no number", cell)
		}
		x.Float32()[i] = float32(v)
		return nil
	}
	if x.DType() == tensor.Bool {
		v, err := strconv.ParseBool(cell)
		if err != nil {
			return fmt.Errorf("%.80q is neither true nor false", cell)
		}
		x.Bool()[i] = v
		return nil
	}
	v, err := strconv.ParseInt(cell, 10, 8*x.DType().Size())
	if x.DType() == tensor.Uint8 {
		v, err = strconv.ParseInt(cell, 10, 9)
		if v < 0 {
			err = strconv.ErrRange
		}
	}
	if err != nil {
		return fmt.Errorf("%.80q is no %v", cell, x.DType())
	}
	switch x.DType() {
	case tensor.Uint8:
		tensor.Data[uint8](x)[i] = uint8(v)
	case tensor.Int8:
		tensor.Data[int8](x)[i] = int8(v)
	case tensor.Int32:
		tensor.Data[int32](x)[i] = int32(v)
	case tensor.Int64:
		x.Int64()[i] = v
	}
	return nil
}

// readColumns reads the named columns, or all, as the features of one input.
func readColumns(b []byte, p onnx.Port, columns string) (onnx.Value, error) {
	t, err := readTable(b)
	if err != nil {
		return onnx.Value{}, err
	}
	var list []int
	if columns == "" {
		for c := range t.header {
			list = append(list, c)
		}
	} else {
		for _, name := range strings.Split(columns, ",") {
			c := slices.Index(t.header, strings.TrimSpace(name))
			if c < 0 {
				return onnx.Value{}, fmt.Errorf("no column %.80q; there are %.200q", name, t.header)
			}
			list = append(list, c)
		}
	}
	return t.value(list, p)
}

// columnsByName gives every input the column of its name.
func columnsByName(b []byte, ports []onnx.Port) (map[string]onnx.Value, error) {
	t, err := readTable(b)
	if err != nil {
		return nil, err
	}
	in := map[string]onnx.Value{}
	for _, p := range ports {
		c := slices.Index(t.header, p.Name)
		if c < 0 {
			return nil, fmt.Errorf("no column for input %.80q; there are %.200q", p.Name, t.header)
		}
		if in[p.Name], err = t.value([]int{c}, p); err != nil {
			return nil, err
		}
	}
	return in, nil
}
