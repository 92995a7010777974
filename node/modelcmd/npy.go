package modelcmd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/onnx"
	"github.com/mutirao/mutirao/engine/tensor"
)

// errNPY is wrapped by errors about bytes that are no array of NumPy's that the engine can hold.
var errNPY = errors.New("invalid .npy")

const npyMagic = "\x93NUMPY"

// descriptions are NumPy's names of element types, in little-endian order. NumPy has no others: those are written as what carries them.
var descriptions = map[onnx.Element]string{
	onnx.Element(tensor.Float32): "<f4", onnx.Element(tensor.Uint8): "|u1", onnx.Element(tensor.Int8): "|i1", onnx.Element(tensor.Int32): "<i4",
	onnx.Element(tensor.Int64): "<i8", onnx.Element(tensor.Bool): "|b1", onnx.Float16: "<f2", onnx.Float64: "<f8", onnx.Int16: "<i2",
	onnx.Uint16: "<u2", onnx.Uint32: "<u4", onnx.Uint64: "<u8",
}

// npyHeader is the dictionary in NumPy's own spelling; keys in other orders are written by hand only.
var npyHeader = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\), \}\s*$`)

// npyArray is what the header says.
type npyArray struct {
	descr string
	shape []int
}

// readHeader reads the header and returns the data that follow it. Source: numpy.lib.format, versions 1 to 3.
func readHeader(b []byte) (npyArray, []byte, error) {
	var h npyArray
	if len(b) < 10 || string(b[:6]) != npyMagic {
		return h, nil, fmt.Errorf("%w: does not start as one", errNPY)
	}
	size, at := int(binary.LittleEndian.Uint16(b[8:])), 10
	if b[6] > 1 {
		if len(b) < 12 {
			return h, nil, fmt.Errorf("%w: ends within its header", errNPY)
		}
		size, at = int(binary.LittleEndian.Uint32(b[8:])), 12
	}
	if size > len(b)-at {
		return h, nil, fmt.Errorf("%w: ends within its header of %d bytes", errNPY, size)
	}
	m := npyHeader.FindSubmatch(b[at : at+size])
	if m == nil {
		return h, nil, fmt.Errorf("%w: header %.80q", errNPY, b[at:at+size])
	}
	if string(m[2]) == "True" {
		return h, nil, fmt.Errorf("%w: columns come first; numpy.ascontiguousarray changes that", errNPY)
	}
	h.descr, h.shape = string(m[1]), []int{}
	for _, s := range strings.Split(string(m[3]), ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		d, err := strconv.Atoi(s)
		if err != nil || len(h.shape) == graph.MaxRank {
			return h, nil, fmt.Errorf("%w: shape (%s)", errNPY, m[3])
		}
		h.shape = append(h.shape, d)
	}
	return h, b[at+size:], nil
}

// readNPY reads an array of numbers. Float64 is rounded to float32; arrays in column order are rejected.
func readNPY(b []byte) (onnx.Value, error) {
	h, data, err := readHeader(b)
	if err != nil {
		return onnx.Value{}, err
	}
	for e, name := range descriptions {
		if name != h.descr {
			continue
		}
		t, err := e.Read(h.shape, data)
		if err != nil {
			return onnx.Value{}, fmt.Errorf("%w: %w", errNPY, err)
		}
		return onnx.Value{Tensor: t, Element: e}, nil
	}
	return onnx.Value{}, fmt.Errorf("%w: element type %q", errNPY, h.descr)
}

// writeNPY is the array in version 1 of the format.
func writeNPY(t *tensor.Tensor) []byte {
	return t.Append(npyStart(descriptions[onnx.Element(t.DType())], t.Shape()), 0, t.Len())
}

// npyStart is all that comes before the elements.
func npyStart(descr string, dims []int) []byte {
	var list strings.Builder
	for _, d := range dims {
		fmt.Fprintf(&list, "%d, ", d)
	}
	shape := list.String()
	if len(dims) != 1 {
		shape = strings.TrimSuffix(shape, ", ")
	} else {
		shape = strings.TrimSuffix(shape, " ")
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	for (10+len(header)+1)%64 != 0 {
		header += " "
	}
	b := append([]byte(npyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)+1))
	return append(append(b, header...), '\n')
}
