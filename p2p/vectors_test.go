package p2p

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/mutirao/mutirao/verify/merkle"
)

// TestVectors checks addresses, manifests and frames against spec/vectors/p2p/blob.json, which another implementation wrote.
func TestVectors(t *testing.T) {
	b, err := os.ReadFile("../spec/vectors/p2p/blob.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Blob []struct {
			Size     int
			Address  merkle.Hash
			Manifest string
		}
		Frame map[string]string
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Blob) == 0 {
		t.Fatal("there are no vectors")
	}
	var one manifest
	for _, c := range v.Blob {
		data := make([]byte, c.Size)
		for i := range data {
			data[i] = byte(7*i + i>>8)
		}
		m := describe(data)
		if m.address() != c.Address || hex.EncodeToString(m.encode()) != c.Manifest {
			t.Errorf("%d bytes: address %s, want %s; or the manifest differs", c.Size, m.address(), c.Address)
		}
		if c.Size == PieceSize {
			one = m
		}
	}
	for name, frame := range map[string][]byte{
		"have":           request{kind: kindHave, id: one.address()}.encode(),
		"get":            request{kind: kindGet, id: one.address()}.encode(),
		"holding":        appendFrame(nil, kindHolding, encodeHolding(one, []bool{true})),
		"refuse_unknown": refuse(refuseUnknown),
		"refuse_busy":    refuse(refuseBusy),
	} {
		if got := hex.EncodeToString(frame); got != v.Frame[name] {
			t.Errorf("frame %s: %s, want %s", name, got, v.Frame[name])
		}
	}
}
