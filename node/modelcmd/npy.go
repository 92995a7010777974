package modelcmd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/mutirao/mutirao/engine/graph"
	"github.com/mutirao/mutirao/engine/kernel"
	"github.com/mutirao/mutirao/engine/tensor"
)

// errNPY is wrapped by errors about bytes that are no array of NumPy's that the engine can hold.
var errNPY = errors.New("invalid .npy")

const npyMagic = "\x93NUMPY"

// descriptions are NumPy's names of the element types, in little-endian order.
var descriptions = map[tensor.DType]string{
	tensor.Float32: "<f4", tensor.Uint8: "|u1", tensor.Int8: "|i1", tensor.Int32: "<i4", tensor.Int64: "<i8", tensor.Bool: "|b1",
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
func readNPY(b []byte) (*tensor.Tensor, error) {
	h, data, err := readHeader(b)
	if err != nil {
		return nil, err
	}
	shape := h.shape
	n, err := tensor.Elements(shape, graph.MaxElements)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNPY, err)
	}
	if h.descr == "<f8" {
		if len(data) != 8*n {
			return nil, fmt.Errorf("%w: %d bytes for %d elements of <f8", errNPY, len(data), n)
		}
		return narrowFloats(data, shape), nil
	}
	for dt, name := range descriptions {
		if name != h.descr {
			continue
		}
		if len(data) != n*dt.Size() {
			return nil, fmt.Errorf("%w: %d bytes for %d elements of %s", errNPY, len(data), n, name)
		}
		switch {
		case n == 0:
			return tensor.New(dt, shape...), nil
		case dt == tensor.Float32:
			return floats(data, shape), nil
		}
		t, err := tensor.Decode(dt, shape, data)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNPY, err)
		}
		return t, nil
	}
	return nil, fmt.Errorf("%w: element type %q", errNPY, h.descr)
}

// writeNPY is the array in version 1 of the format.
func writeNPY(t *tensor.Tensor) []byte {
	return t.Append(npyStart(descriptions[t.DType()], t.Shape()), 0, t.Len())
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

// floats reads float32; every NaN becomes the canonical one.
func floats(b []byte, shape []int) *tensor.Tensor {
	data := make([]float32, len(b)/4)
	for i := range data {
		data[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	kernel.Canonicalize(data)
	return tensor.FromFloat32(data, shape...)
}

func narrowFloats(b []byte, shape []int) *tensor.Tensor {
	data := make([]float32, len(b)/8)
	for i := range data {
		data[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
	}
	kernel.Canonicalize(data)
	return tensor.FromFloat32(data, shape...)
}
