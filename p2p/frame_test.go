package p2p

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/mutirao/mutirao/verify/merkle"
)

func TestReadFrameBounds(t *testing.T) {
	const maxBlob = 4 * PieceSize
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"clean end":        {nil, io.EOF},
		"cut head":         {[]byte{byte(kindHave), 32}, io.ErrUnexpectedEOF},
		"no body":          {[]byte{byte(kindHave), 32, 0, 0, 0}, io.ErrUnexpectedEOF},
		"cut body":         {[]byte{byte(kindHave), 32, 0, 0, 0, 1}, io.ErrUnexpectedEOF},
		"unknown kind":     {[]byte{99, 0, 0, 0, 0}, ErrMessage},
		"oversized":        {[]byte{byte(kindHave), 33, 0, 0, 0}, ErrMessage},
		"4 GiB of piece":   {[]byte{byte(kindPiece), 255, 255, 255, 255}, ErrMessage},
		"4 GiB of holding": {[]byte{byte(kindHolding), 255, 255, 255, 255}, ErrMessage},
	} {
		if _, _, err := readFrame(iotest.OneByteReader(bytes.NewReader(c.in)), maxBlob); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestHoldingRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 8 * PieceSize, 9*PieceSize + 1} {
		m := describe(testBytes(n))
		held := make([]bool, len(m.leaves))
		for i := range held {
			held[i] = i%3 == 0
		}
		body := encodeHolding(m, held)
		got, gotHeld, err := decodeHolding(body, 16*PieceSize)
		if err != nil || got.address() != m.address() || !bytes.Equal(encodeHolding(got, gotHeld), body) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if int64(len(body)) > maxBody(kindHolding, int64(n)) {
			t.Errorf("%d bytes: body of %d is above the bound %d", n, len(body), maxBody(kindHolding, int64(n)))
		}
		if len(held)%8 != 0 {
			body[len(body)-1] |= 0x80
			if _, _, err := decodeHolding(body, 16*PieceSize); !errors.Is(err, ErrMessage) {
				t.Errorf("a set bit beyond the last piece gives %v", err)
			}
		}
	}
}

// FuzzMessage feeds whole frames to every decoder: none panics, each accepted message encodes to itself.
func FuzzMessage(f *testing.F) {
	id := merkle.Leaf(nil)
	f.Add(request{kind: kindHave, id: id}.encode())
	f.Add(request{kind: kindGet, id: id, piece: 7}.encode())
	f.Add(refuse(refuseBusy))
	f.Add(appendFrame(nil, kindPiece, []byte{1, 0, 0, 0, 42}))
	f.Add(appendFrame(nil, kindHolding, encodeHolding(describe(testBytes(PieceSize+1)), []bool{true, false})))
	f.Add([]byte{byte(kindHolding), 8, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255})
	const maxBlob = 8 * PieceSize
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		k, body, err := readFrame(r, maxBlob)
		if err != nil {
			return
		}
		b = b[:len(b)-r.Len()]
		if !bytes.Equal(appendFrame(nil, k, body), b) {
			t.Fatal("a frame does not encode to itself")
		}
		if q, err := decodeRequest(k, body); err == nil && !bytes.Equal(q.encode(), b) {
			t.Fatal("a request does not encode to itself")
		}
		if m, held, err := decodeHolding(body, maxBlob); err == nil && !bytes.Equal(encodeHolding(m, held), body) {
			t.Fatal("what a peer holds does not encode to itself")
		}
		if r, err := decodeRefusal(body); err == nil && !bytes.Equal([]byte{byte(r)}, body) {
			t.Fatal("a refusal does not encode to itself")
		}
		if data, err := decodePiece(body, 1); err == nil && !bytes.Equal(data, body[pieceHead:]) {
			t.Fatal("a piece loses bytes")
		}
	})
}
