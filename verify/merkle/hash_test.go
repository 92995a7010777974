package merkle

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestHashText(t *testing.T) {
	h := Leaf([]byte("mutirao"))
	got, err := Parse(strings.ToUpper(h.String()))
	if err != nil || got != h {
		t.Fatalf("Parse(String()) = %v, %v", got, err)
	}
	text, err := json.Marshal(map[string]Hash{"h": h})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"h":"` + h.String() + `"}`; string(text) != want {
		t.Fatalf("json is %s, want %s", text, want)
	}
	var back map[string]Hash
	if err := json.Unmarshal(text, &back); err != nil || back["h"] != h {
		t.Fatalf("json gives %v, %v", back, err)
	}
	if h.IsZero() || !(Hash{}).IsZero() {
		t.Fatal("IsZero is wrong")
	}
	for _, bad := range []string{"", "00", h.String() + "0", "0x" + h.String()[2:], strings.Repeat("g", 64), "é" + h.String()[2:]} {
		if _, err := Parse(bad); !errors.Is(err, ErrHash) {
			t.Errorf("Parse(%q) = %v", bad, err)
		}
		keep := h
		if err := keep.UnmarshalText([]byte(bad)); !errors.Is(err, ErrHash) || keep != h {
			t.Errorf("UnmarshalText(%q) = %v and changed the value: %v", bad, err, keep != h)
		}
	}
}

func TestDigestSeparates(t *testing.T) {
	seen := map[Hash]string{}
	for name, h := range map[string]Hash{
		"two parts":     Digest("d", []byte("ab"), []byte("c")),
		"moved border":  Digest("d", []byte("a"), []byte("bc")),
		"one part":      Digest("d", []byte("abc")),
		"empty part":    Digest("d", []byte("abc"), nil),
		"other domain":  Digest("da", []byte("bc")),
		"no domain":     Digest("", []byte("d"), []byte("abc")),
		"leaf":          Leaf([]byte("abc")),
		"leaf of bytes": Leaf([]byte("dabc")),
	} {
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s collide", name, other)
		}
		seen[h] = name
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Leaf(nil).String())
	f.Add("")
	f.Add(strings.Repeat("0", 63) + "g")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := Parse(s)
		if err != nil {
			if !h.IsZero() {
				t.Fatal("an error comes with a value")
			}
			return
		}
		if !strings.EqualFold(h.String(), s) {
			t.Fatalf("%q reads as %s", s, h)
		}
		text, _ := h.MarshalText()
		if !bytes.Equal(text, []byte(h.String())) {
			t.Fatal("MarshalText and String differ")
		}
	})
}
