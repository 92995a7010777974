package data

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

const small = "width,ill,height\n1.5,1,-2\n0.1,0,3e-2\n7,1,0\n"

func TestReadTable(t *testing.T) {
	s, err := ReadTable([]byte(small), "ill")
	if err != nil {
		t.Fatal(err)
	}
	if s.Count != 3 || s.RecordSize != 12 {
		t.Fatalf("%d records of %d bytes", s.Count, s.RecordSize)
	}
	row := make([]float32, 2)
	if label := s.Row(row, 1); label != 0 || row[0] != 0.1 || row[1] != 3e-2 {
		t.Errorf("row 1 = %v, label %v", row, label)
	}
	schema, err := DecodeSchema(s.Schema)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(schema.Features, " ") != "width height" || schema.Label != "ill" {
		t.Errorf("schema %+v", schema)
	}
}

func TestReadTableMistakes(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"", "no header line"},
		{"a,b\n1,2\n", `no column is called "ill"`},
		{"a,ill\n1,2\n", `line 2: ill: "2" is neither 0 nor 1`},
		{"a,ill\n1,1\nx,0\n", "line 3: a: "},
		{"a,ill\nNaN,1\n0,0\n", "record 0: a is not a finite number"},
		{"a,ill\n1e39,1\n", "line 2: a: "},
		{"a,ill\n1,1,1\n", "wrong number of fields"},
		{"a,ill\n1,1\n", "training and testing need two"},
		{"a,a,ill\n1,1,1\n2,2,0\n", `two columns are called "a"`},
		{",ill\n1,1\n", "the name of column 1 has 0 bytes"},
		{"ill\n1\n0\n", "0 features"},
	} {
		if _, err := ReadTable([]byte(c.file), "ill"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.file, err, c.want)
		}
	}
}

func TestReadGoSource(t *testing.T) {
	src := fstest.MapFS{
		"b/z.go":             {Data: []byte("zzzz")},
		"b/a.go":             {Data: []byte("aa")},
		"b/a_test.go":        {Data: []byte("no")},
		"b/readme.md":        {Data: []byte("no")},
		"b/testdata/x.go":    {Data: []byte("no")},
		"b/internal/deep.go": {Data: []byte("dd")},
		"c/c.go":             {Data: []byte("cccc")},
	}
	for limit, want := range map[int]string{100: "aaddzzzzcccc", 9: "aaddzzzzc", 3: "aad"} {
		text, err := ReadGoSource(src, []string{"b", "c"}, limit)
		if err != nil || string(text) != want {
			t.Errorf("limit %d: %q, %v; want %q", limit, text, err, want)
		}
	}
	if _, err := ReadGoSource(src, []string{"nowhere"}, 10); err == nil {
		t.Error("a missing folder is accepted")
	}
}

func TestCutText(t *testing.T) {
	s, err := CutText([]byte("abcdefghij"), 3)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, leaf := range s.Leaves() {
		got = append(got, string(leaf))
	}
	if want := "abcd defg ghij"; strings.Join(got, " ") != want {
		t.Errorf("windows %q, want %q", got, want)
	}
	if _, err := CutText([]byte("abc"), 3); !errors.Is(err, ErrInvalid) {
		t.Errorf("a text without windows: %v", err)
	}
}

// TestOrderPermutes checks that every element comes once, for each small n and some large ones.
func TestOrderPermutes(t *testing.T) {
	for _, n := range append([]int{569, 4096, 4097}, upTo(70)...) {
		o := NewOrder([32]byte{1}, n)
		seen := make([]bool, n)
		for i := range n {
			at := o.At(i)
			if seen[at] {
				t.Fatalf("n = %d: %d comes twice", n, at)
			}
			seen[at] = true
		}
	}
}

func upTo(n int) (all []int) {
	for i := 1; i <= n; i++ {
		all = append(all, i)
	}
	return all
}

// TestOrderGolden pins the permutation: other bits would be other batches on old runs.
func TestOrderGolden(t *testing.T) {
	o := NewOrder([32]byte{7}, 569)
	var got [8]int
	for i := range got {
		got[i] = o.At(i)
	}
	want := [8]int{232, 249, 368, 10, 342, 277, 430, 28}
	if got != want {
		t.Errorf("order starts %v, want %v", got, want)
	}
}

// TestOrderMixes checks that position and value are uncorrelated and keys matter. The correlation of
// a random permutation of 4096 has standard deviation 1/64; five of them are allowed.
func TestOrderMixes(t *testing.T) {
	const n = 4096
	a, b := NewOrder([32]byte{1}, n), NewOrder([32]byte{2}, n)
	var product float64
	same := 0
	for i := range n {
		x, y := float64(i)-(n-1)/2.0, float64(a.At(i))-(n-1)/2.0
		product += x * y
		if a.At(i) == b.At(i) {
			same++
		}
	}
	variance := float64(n*n-1) / 12
	if r := product / n / variance; math.Abs(r) > 5.0/64 {
		t.Errorf("correlation %v", r)
	}
	if same > 10 { // one on average
		t.Errorf("%d positions agree under two keys", same)
	}
}

func TestSplit(t *testing.T) {
	s := NewSplit(569, 20, 7)
	if s.Held() != 113 || s.Training() != 456 {
		t.Fatalf("held %d, training %d", s.Held(), s.Training())
	}
	seen := map[int]bool{}
	for i := range s.Held() {
		seen[s.HeldAt(i)] = true
	}
	for i := range s.Training() {
		if seen[s.TrainingAt(i)] {
			t.Fatalf("record %d is on both sides", s.TrainingAt(i))
		}
		seen[s.TrainingAt(i)] = true
	}
	if len(seen) != 569 {
		t.Errorf("%d records are on a side", len(seen))
	}
}

func seeds(f testing.TB) [][]byte {
	table, err := ReadTable([]byte(small), "ill")
	if err != nil {
		f.Fatal(err)
	}
	text, err := CutText([]byte("abcdefghij"), 3)
	if err != nil {
		f.Fatal(err)
	}
	return [][]byte{table.Encode(), text.Encode()}
}

func TestDecode(t *testing.T) {
	for _, b := range seeds(t) {
		s, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Error("decoded set encodes differently")
		}
		for n := range b {
			if _, err := Decode(b[:n]); !errors.Is(err, ErrInvalid) {
				t.Fatalf("the first %d of %d bytes: %v", n, len(b), err)
			}
		}
		if _, err := Decode(append(b[:len(b):len(b)], 0)); !errors.Is(err, ErrInvalid) {
			t.Errorf("a byte too many: %v", err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Fatal("accepted bytes encode differently")
		}
		NewSplit(s.Count, 20, 1)
		s.Leaves()
	})
}

func FuzzReadTable(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("a,ill\n\"1\",0\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := ReadTable(file, "ill")
		if err != nil {
			return
		}
		if _, err := Decode(s.Encode()); err != nil {
			t.Fatalf("a table that was read does not decode: %v", err)
		}
	})
}

// A name's length byte of 255 leaves no room for a sum in a byte.
func TestDecodeSchemaLongestName(t *testing.T) {
	long := strings.Repeat("x", 255)
	want := Schema{Features: []string{long}, Label: "y"}
	got, err := DecodeSchema(want.Encode())
	if err != nil || len(got.Features) != 1 || got.Features[0] != long {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := DecodeSchema(want.Encode()[:200]); !errors.Is(err, ErrInvalid) {
		t.Errorf("cut short: %v", err)
	}
}
