package modelcmd

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mutirao/mutirao/engine/onnx"
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
		v, err := readNPY(b)
		if err != nil {
			t.Fatal(err)
		}
		got := v.Tensor
		if got.DType() != want.DType() || !slices.Equal(got.Shape(), want.Shape()) || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%v%v came back as %v%v", want.DType(), want.Shape(), got.DType(), got.Shape())
		}
		if i := bytes.IndexByte(b[10:], '\n'); (10+i+1)%64 != 0 {
			t.Errorf("data begins at byte %d, want a multiple of 64", 10+i+1)
		}
	}
	got, err := readNPY(handmade("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n", 0, 0, 0, 0, 0, 0, 0xF8, 0x3F))
	if err != nil || got.Tensor.Float32()[0] != 1.5 {
		t.Errorf("float64: %v, %v", got, err)
	}
	for header, want := range map[string]string{
		"{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }\n":                        "columns come first",
		"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n":                        `element type "|O"`,
		"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n":                       "0 bytes for float32",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }\n":             "more than",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }\n": "shape (9",
		"[]": "header",
	} {
		if _, err := readNPY(handmade(header)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", header, err, want)
		}
	}
}

// TestElements: arrays of types that the engine lacks keep their type, and what a model's type has not is refused.
func TestElements(t *testing.T) {
	for descr, data := range map[string][]byte{
		"<f2": {0, 0x3c, 1, 0xc0}, "<u2": {1, 2, 255, 255}, "<i2": {1, 2, 255, 255}, "<u4": {1, 2, 3, 255, 4, 5, 6, 7}, "<u8": {1, 0, 0, 0, 0, 0, 0, 255, 2, 0, 0, 0, 0, 0, 0, 0},
		"<f8": {0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0xf8, 0xbf},
	} {
		file := handmade("{'descr': '"+descr+"', 'fortran_order': False, 'shape': (2,), }\n", data...)
		v, err := readArray(file)
		if err != nil {
			t.Errorf("%s: %v", descr, err)
			continue
		}
		if again := writeArray(v); !bytes.HasSuffix(again, data) || !bytes.Contains(again, []byte(descr)) {
			t.Errorf("%s: % x became % x", descr, data, again)
		}
	}
	half := onnx.Port{Element: onnx.Float16, DType: tensor.Float32}
	if v, err := carried(onnx.Value{Tensor: tensor.Scalar(1.0001)}, half); err != nil || v.Tensor.Float32()[0] != 1 || v.Element != onnx.Float16 {
		t.Errorf("1.0001 as float16 is %v, %v", v, err)
	}
	short := onnx.Port{Element: onnx.Int16, DType: tensor.Int64}
	if v, err := carried(onnx.Value{Tensor: tensor.FromInt64([]int64{40000}, 1)}, short); err == nil {
		t.Errorf("40000 as int16 is %v", v)
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
		y, err := readNPY(writeArray(x))
		if err != nil || x.String() != y.String() || !bytes.Equal(x.Tensor.Bytes(), y.Tensor.Bytes()) {
			t.Errorf("%v became %v: %v", x, y, err)
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
