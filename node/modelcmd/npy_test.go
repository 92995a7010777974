package modelcmd

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/tensor"
)

// handmade is what numpy.save writes for the header's text.
func handmade(header string, data ...byte) []byte {
	b := []byte("\x93NUMPY\x01\x00")
	b = append(b, byte(len(header)), byte(len(header)>>8))
	return append(append(b, header...), data...)
}

func TestNPY(t *testing.T) {
	for _, want := range []*tensor.Tensor{
		tensor.Scalar(1.5), tensor.FromFloat32([]float32{1, -2, 3}, 3), tensor.FromInt64([]int64{1, -1, 2, 3}, 2, 2),
		tensor.FromBool([]bool{true, false}, 1, 2), tensor.From([]uint8{255}, 1), tensor.From([]int32{}, 2, 0), tensor.From([]int8{-5, 5}, 2, 1),
	} {
		b := writeNPY(want)
		got, err := readNPY(b)
		if err != nil {
			t.Fatal(err)
		}
		if got.DType() != want.DType() || !slices.Equal(got.Shape(), want.Shape()) || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%v%v came back as %v%v", want.DType(), want.Shape(), got.DType(), got.Shape())
		}
		if i := bytes.IndexByte(b[10:], '\n'); (10+i+1)%64 != 0 {
			t.Errorf("data begins at byte %d, want a multiple of 64", 10+i+1)
		}
	}
	got, err := readNPY(handmade("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n", 0, 0, 0, 0, 0, 0, 0xF8, 0x3F))
	if err != nil || got.Float32()[0] != 1.5 {
		t.Errorf("float64: %v, %v", got, err)
	}
	for header, want := range map[string]string{
		"{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }\n":                        "columns come first",
		"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n":                        `element type "|O"`,
		"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n":                       "0 bytes for 3",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }\n":             "more than",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }\n": "shape (9",
		"[]": "header",
	} {
		if _, err := readNPY(handmade(header)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", header, err, want)
		}
	}
}

func TestJSON(t *testing.T) {
	got, err := readJSON([]byte("[[1, 2.5], [3, -4]]"), tensor.Float32)
	if err != nil || !slices.Equal(got.Shape(), []int{2, 2}) || !slices.Equal(got.Float32(), []float32{1, 2.5, 3, -4}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err = readJSON([]byte("[9007199254740993]"), tensor.Int64); err != nil || got.Int64()[0] != 9007199254740993 {
		t.Errorf("%v, %v", got, err)
	}
	for in, dt := range map[string]tensor.DType{
		"[[1], [2, 3]]": tensor.Float32, "[1, [2]]": tensor.Float32, "[300]": tensor.Uint8, "[1.5]": tensor.Int64, "[1]": tensor.Bool,
		"[true]": tensor.Float32, "[]": tensor.Float32, "[": tensor.Float32, "\"x\"": tensor.Int32, "[[[[[[[[[1]]]]]]]]]": tensor.Float32,
	} {
		if got, err := readJSON([]byte(in), dt); err == nil {
			t.Errorf("%s as %v: %v, want an error", in, dt, got)
		}
	}
}

// FuzzNPY: whatever is read is written so that it is read again.
func FuzzNPY(f *testing.F) {
	f.Add(writeNPY(tensor.FromFloat32([]float32{1, 2}, 2)))
	f.Add(handmade("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n", 0, 0, 0, 0, 0, 0, 0xF8, 0x7F))
	f.Add(handmade("{'descr': '|b1', 'fortran_order': False, 'shape': (), }\n", 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := readNPY(b)
		if err != nil {
			return
		}
		y, err := readNPY(writeNPY(x))
		if err != nil || !bytes.Equal(x.Bytes(), y.Bytes()) || !slices.Equal(x.Shape(), y.Shape()) {
			t.Errorf("%v%v became %v: %v", x.DType(), x.Shape(), y, err)
		}
	})
}

// FuzzJSON: an array or an error.
func FuzzJSON(f *testing.F) {
	f.Add([]byte("[[1, 2], [3, 4]]"), byte(1))
	f.Add([]byte("[true]"), byte(9))
	f.Fuzz(func(t *testing.T, b []byte, dt byte) {
		if d := tensor.DType(dt); d.Valid() {
			if x, err := readJSON(b, d); err == nil && x.DType() != d {
				t.Errorf("%v, want %v", x.DType(), d)
			}
		}
	})
}
