package p2p

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func mustStore(t *testing.T, dir string, limit int64) *store {
	t.Helper()
	s, err := openStore(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStoreKeepsBlobs(t *testing.T) {
	dir := t.TempDir()
	s := mustStore(t, dir, 1<<20)
	for _, n := range []int{0, 1, PieceSize, 3*PieceSize + 5} {
		data := testBytes(n)
		m := describe(data)
		if _, err := s.load(m.address(), 1<<30); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%d bytes: load before put: %v", n, err)
		}
		if err := s.put(m, data); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*store{s, mustStore(t, dir, 1<<20)} {
			got, err := s.load(m.address(), 1<<30)
			if err != nil || !bytes.Equal(got, data) || !s.has(m.address()) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
	}
	if again := mustStore(t, dir, 1<<20); again.used != s.used {
		t.Fatalf("%d bytes booked after reopening, %d before", again.used, s.used)
	}
}

// TestStoreDetectsDamage flips, cuts and extends stored files: no damaged byte is ever returned, and the room is freed.
func TestStoreDetectsDamage(t *testing.T) {
	data := testBytes(2*PieceSize + 9)
	m := describe(data)
	id := m.address()
	for name, harm := range map[string]func(b []byte) []byte{
		"flipped size":   func(b []byte) []byte { b[0] ^= 1; return b },
		"huge size":      func(b []byte) []byte { b[7] = 0x7f; return b },
		"negative size":  func(b []byte) []byte { b[7] = 0xff; return b },
		"flipped leaf":   func(b []byte) []byte { b[8] ^= 1; return b },
		"flipped byte":   func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"cut":            func(b []byte) []byte { return b[:len(b)-1] },
		"cut to nothing": func(b []byte) []byte { return nil },
		"cut in size":    func(b []byte) []byte { return b[:5] },
		"extended":       func(b []byte) []byte { return append(b, 0) },
	} {
		s := mustStore(t, t.TempDir(), 1<<20)
		if err := s.put(m, data); err != nil {
			t.Fatal(err)
		}
		path := s.path(id.String() + suffixBlob)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, harm(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.load(id, 1<<30); !errors.Is(err, errCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.load(id, 1<<30); !errors.Is(err, fs.ErrNotExist) || s.used != 0 || s.has(id) {
			t.Errorf("%s: afterwards %v with %d bytes booked", name, err, s.used)
		}
	}
}

func TestStoreIsBounded(t *testing.T) {
	data := testBytes(1000)
	m := describe(data)
	size := manifestSize(1000) + 1000
	s := mustStore(t, t.TempDir(), 2*size)
	other := testBytes(1001)
	if err := s.put(m, data); err != nil {
		t.Fatal(err)
	}
	if err := s.put(m, data); err != nil {
		t.Fatalf("the same blob again: %v", err)
	}
	if err := s.put(describe(other), other); !errors.Is(err, ErrStoreFull) {
		t.Fatalf("a second, larger blob: %v", err)
	}
	if _, err := s.begin(describe(other)); !errors.Is(err, ErrStoreFull) {
		t.Fatalf("a part: %v", err)
	}
	if err := s.remove(m.address().String() + suffixBlob); err != nil {
		t.Fatal(err)
	}
	if err := s.put(describe(other), other); err != nil {
		t.Fatalf("after making room: %v", err)
	}
}

// TestPartSurvivesCrash abandons a part without closing it, damages one piece as a torn write would, and goes on.
func TestPartSurvivesCrash(t *testing.T) {
	dir := t.TempDir()
	data := testBytes(4*PieceSize + 1)
	m := describe(data)
	piece := func(i int) []byte { off, n := m.span(i); return data[off : off+int64(n)] }

	s := mustStore(t, dir, 1<<20)
	if err := os.WriteFile(filepath.Join(dir, "x"+suffixTemp), []byte("left over"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := s.begin(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 2, 4} {
		if _, err := p.add(i, piece(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.f.WriteAt([]byte{data[2*PieceSize] ^ 1}, manifestSize(m.size)+2*PieceSize); err != nil {
		t.Fatal(err)
	}

	s = mustStore(t, dir, 1<<20)
	if _, err := os.Stat(filepath.Join(dir, "x"+suffixTemp)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a temporary file survives")
	}
	if p, err = s.begin(m); err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for i, want := range []bool{true, false, false, false, true} {
		if p.holds(i) != want {
			t.Errorf("after the crash, piece %d: %v", i, !want)
		}
	}
	for _, i := range []int{1, 2, 3} {
		if left, err := p.add(i, piece(i)); err != nil || left != 3-i {
			t.Fatalf("piece %d: %d left, %v", i, left, err)
		}
	}
	if err := p.finish(); err != nil {
		t.Fatal(err)
	}
	got, err := s.load(m.address(), 1<<30)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatal(err)
	}
	if again := mustStore(t, dir, 1<<20); again.used != s.used || again.used != manifestSize(m.size)+m.size {
		t.Fatalf("%d bytes booked, %d after reopening", s.used, again.used)
	}
}
