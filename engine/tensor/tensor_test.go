package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

func TestReshapeShares(t *testing.T) {
	a := FromFloat32([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	b := a.Reshape(3, 2)
	b.Float32()[5] = 7
	if a.Float32()[5] != 7 {
		t.Error("reshape copied the storage")
	}
	p := a.Part(2, 4)
	if p.Float32()[1] = 8; a.Float32()[3] != 8 || p.Len() != 2 || cap(p.Float32()) != 2 {
		t.Error("a part does not share the storage, or more than its own")
	}
	for _, dt := range []DType{Uint8, Int8, Int32, Int64, Bool} {
		if p := New(dt, 2, 3).Part(1, 4); p.DType() != dt || len(p.Bytes()) != 3*dt.Size() {
			t.Errorf("part of %v: %v%v", dt, p.DType(), p.Shape())
		}
	}
	c := a.Clone()
	c.Float32()[0] = 9
	if a.Float32()[0] != 1 {
		t.Error("clone shares the storage")
	}
}

func TestPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"length":   func() { FromFloat32(make([]float32, 5), 2, 3) },
		"dtype":    func() { New(Float32, 2).Int64() },
		"reshape":  func() { New(Float32, 2).Reshape(3) },
		"negative": func() { New(Float32, -1) },
		"overflow": func() { New(Float32, math.MaxInt, 2) },
		"unknown":  func() { New(DType(4), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func TestBytes(t *testing.T) {
	nan := math.Float32frombits(0xFFC00001)
	for _, x := range []*Tensor{
		FromFloat32([]float32{1, -0.5, nan, float32(math.Inf(1))}, 2, 2), FromInt64([]int64{-1, math.MinInt64}, 2),
		FromBool([]bool{true, false}, 2), From([]uint8{0, 255}, 2), From([]int8{-128, 127}, 2), From([]int32{-1, 1}, 2), Scalar(2),
	} {
		b := x.Bytes()
		y, err := Decode(x.DType(), x.Shape(), b)
		if err != nil {
			t.Fatalf("%v: %v", x.DType(), err)
		}
		if !bytes.Equal(y.Bytes(), b) {
			t.Errorf("%v: decoded bytes differ", x.DType())
		}
	}
	for name, c := range map[string]struct {
		dt    DType
		shape []int
		b     []byte
	}{
		"short": {Float32, []int{2}, make([]byte, 7)}, "long": {Float32, []int{1}, make([]byte, 8)},
		"nan": {Float32, nil, []byte{1, 0, 0xC0, 0x7F}}, "bool": {Bool, nil, []byte{2}}, "dtype": {DType(99), nil, nil},
		"huge": {Int64, []int{1 << 40, 1 << 40}, make([]byte, 8)}, "negative": {Int8, []int{-1}, []byte{1}},
	} {
		if _, err := Decode(c.dt, c.shape, c.b); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: error %v, want ErrEncoding", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(uint8(1), 2, 2, make([]byte, 16))
	f.Add(uint8(9), 1, 3, []byte{1, 0, 2})
	f.Add(uint8(7), 1<<62, 4, []byte{})
	f.Fuzz(func(t *testing.T, dt uint8, d0, d1 int, b []byte) {
		x, err := Decode(DType(dt), []int{d0, d1}, b)
		if err == nil && !bytes.Equal(x.Bytes(), b) {
			t.Fatal("accepted bytes re-encode to others")
		}
	})
}

// TestAppendFloats encodes floats of all classes at every place of rows of every parity, next to each other and to NaN.
func TestAppendFloats(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, inf, -inf, nan, math.Float32frombits(0xFFC12345), math.Float32frombits(0x7F800001), math.MaxFloat32, -math.SmallestNonzeroFloat32}
	for n := range 9 {
		for at := range n {
			for _, x := range special {
				for _, y := range special {
					row := make([]float32, n)
					row[at], row[(at+1)%n] = x, y
					var want []byte
					for _, v := range row {
						b := math.Float32bits(v)
						if v != v {
							b = 0x7FC00000
						}
						want = append(want, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
					}
					if got := FromFloat32(row, n).Bytes(); !bytes.Equal(got, want) {
						t.Fatalf("%v: % x, want % x", row, got, want)
					}
				}
			}
		}
	}
}

// TestAppendRows compares rectangles of matrices of all types with the same rows appended one by one.
func TestAppendRows(t *testing.T) {
	const rows, cols = 5, 7
	for _, dt := range []DType{Float32, Int64, Uint8, Bool} {
		x := New(dt, rows, cols)
		for i := range rows * cols {
			switch dt {
			case Float32:
				x.Float32()[i] = float32(i)
			case Int64:
				x.Int64()[i] = int64(i)
			case Uint8:
				Data[uint8](x)[i] = uint8(i)
			case Bool:
				x.Bool()[i] = i%3 == 0
			}
		}
		for _, nan := range []int{-1, 0, 9, 34} {
			if dt == Float32 && nan >= 0 {
				x.Float32()[nan] = math.Float32frombits(0xFFC12345)
			}
			for width := 0; width <= cols; width++ {
				for col := 0; col+width <= cols; col++ {
					for height := 0; height <= rows; height++ {
						want := []byte{1}
						for r := range height {
							want = x.Append(want, r*cols+col, r*cols+col+width)
						}
						if got := x.AppendRows([]byte{1}, col, width, cols, height); !bytes.Equal(got, want) {
							t.Fatalf("%v, %d columns from %d, %d rows: % x, want % x", dt, width, col, height, got, want)
						}
					}
				}
			}
		}
	}
}

// TestHoldsNaN: one NaN is found wherever it is, and nothing else is one.
func TestHoldsNaN(t *testing.T) {
	for n := range 40 {
		x := New(Float32, n)
		numbers := []float32{1, float32(math.Inf(1)), float32(math.Inf(-1)), -2, math.MaxFloat32, 0, float32(math.Copysign(0, -1))}
		for i := range n {
			x.Float32()[i] = numbers[i%len(numbers)]
		}
		if holdsNaN(x.Bytes()) {
			t.Fatalf("a NaN among %d numbers", n)
		}
		for at := range n {
			for _, nan := range []uint32{0x7FC00000, 0xFFC12345, 0x7F800001} {
				b := x.Bytes()
				binary.LittleEndian.PutUint32(b[4*at:], nan)
				if !holdsNaN(b) {
					t.Fatalf("the NaN %#x at %d of %d is not found", nan, at, n)
				}
			}
		}
	}
}
