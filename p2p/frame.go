package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/mutirao/mutirao/verify/merkle"
)

// blobProtocol is spoken on one stream per blob: the client asks, the server answers each request once, in order.
const blobProtocol = "/mutirao/blob/1"

// ErrMessage reports bytes that are not a message of the blob protocol.
var ErrMessage = errors.New("malformed message")

// kind is the first byte of a frame; then follow the length of the body as uint32 little endian, and the body.
type kind byte

const (
	kindHave    kind = 1 // request: address. What do you hold of this blob?
	kindGet     kind = 2 // request: address, piece index as uint32 little endian
	kindHolding kind = 3 // answer to kindHave: manifest, then one bit per piece, lowest bit first, unused bits zero
	kindPiece   kind = 4 // answer to kindGet: piece index, then its bytes
	kindRefuse  kind = 5 // answer to either: one refusal byte
)

// refusal says why a request was not served.
type refusal byte

const (
	refuseUnknown refusal = 1 // this host does not hold it, now
	refuseBusy    refusal = 2 // too many streams; ask again
)

func (r refusal) String() string {
	if r == refuseBusy {
		return "busy"
	}
	return "not there"
}

const (
	frameHead = 1 + 4
	getSize   = merkle.Size + 4
	pieceHead = 4
)

// appendFrame appends the one encoding of a frame.
func appendFrame(b []byte, k kind, body ...[]byte) []byte {
	n := 0
	for _, p := range body {
		n += len(p)
	}
	b = binary.LittleEndian.AppendUint32(append(b, byte(k)), uint32(n))
	for _, p := range body {
		b = append(b, p...)
	}
	return b
}

// maxBody returns the largest body of a frame of kind k when no blob exceeds maxBlob bytes; -1 for an unknown kind.
func maxBody(k kind, maxBlob int64) int64 {
	switch k {
	case kindHave:
		return merkle.Size
	case kindGet:
		return getSize
	case kindHolding:
		return manifestSize(maxBlob) + int64(bitmapSize(pieces(maxBlob)))
	case kindPiece:
		return pieceHead + PieceSize
	case kindRefuse:
		return 1
	}
	return -1
}

// readFrame reads one frame. It refuses a body above what its kind can need before allocating it. At a clean end of the
// stream the error is io.EOF, inside a frame io.ErrUnexpectedEOF; a bad frame gives an error that wraps ErrMessage.
func readFrame(r io.Reader, maxBlob int64) (kind, []byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	k, n := kind(head[0]), int64(binary.LittleEndian.Uint32(head[1:]))
	most := maxBody(k, maxBlob)
	if most < 0 {
		return 0, nil, fmt.Errorf("%w: kind %d", ErrMessage, k)
	}
	if n > most {
		return 0, nil, fmt.Errorf("%w: %d bytes for kind %d, at most %d", ErrMessage, n, k, most)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return k, body, nil
}

// request is a decoded kindHave or kindGet.
type request struct {
	kind  kind
	id    merkle.Hash
	piece uint32 // of kindGet only
}

func (q request) encode() []byte {
	if q.kind == kindHave {
		return appendFrame(nil, kindHave, q.id[:])
	}
	return appendFrame(nil, kindGet, q.id[:], binary.LittleEndian.AppendUint32(nil, q.piece))
}

func decodeRequest(k kind, body []byte) (request, error) {
	q := request{kind: k}
	switch {
	case k == kindHave && len(body) == merkle.Size:
	case k == kindGet && len(body) == getSize:
		q.piece = binary.LittleEndian.Uint32(body[merkle.Size:])
	default:
		return request{}, fmt.Errorf("%w: kind %d with %d bytes is not a request", ErrMessage, k, len(body))
	}
	copy(q.id[:], body)
	return q, nil
}

func bitmapSize(n int) int { return (n + 7) / 8 }

func encodeHolding(m manifest, held []bool) []byte {
	bits := make([]byte, bitmapSize(len(held)))
	for i, h := range held {
		if h {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return append(m.encode(), bits...)
}

// decodeHolding reads the body of a kindHolding. It has one encoding per content; the manifest is not yet checked
// against any address.
func decodeHolding(body []byte, maxBlob int64) (manifest, []bool, error) {
	if len(body) < 8 {
		return manifest{}, nil, fmt.Errorf("%w: %d bytes", ErrManifest, len(body))
	}
	size := binary.LittleEndian.Uint64(body)
	if size > uint64(maxBlob) {
		return manifest{}, nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, maxBlob)
	}
	n, head := pieces(int64(size)), manifestSize(int64(size))
	if int64(len(body)) != head+int64(bitmapSize(n)) {
		return manifest{}, nil, fmt.Errorf("%w: %d bytes with the pieces held of a blob of %d", ErrManifest, len(body), size)
	}
	m, err := decodeManifest(body[:head], maxBlob)
	if err != nil {
		return manifest{}, nil, err
	}
	bits, held := body[head:], make([]bool, n)
	for i := range held {
		held[i] = bits[i/8]>>(i%8)&1 == 1
	}
	if n%8 != 0 && bits[n/8]>>(n%8) != 0 {
		return manifest{}, nil, fmt.Errorf("%w: bits set beyond piece %d", ErrMessage, n-1)
	}
	return m, held, nil
}

func decodeRefusal(body []byte) (refusal, error) {
	if len(body) != 1 || body[0] < byte(refuseUnknown) || body[0] > byte(refuseBusy) {
		return 0, fmt.Errorf("%w: refusal %x", ErrMessage, body)
	}
	return refusal(body[0]), nil
}

// decodePiece returns the bytes of the piece with the wanted index, a part of body.
func decodePiece(body []byte, want int) ([]byte, error) {
	if len(body) < pieceHead {
		return nil, fmt.Errorf("%w: %d bytes of piece", ErrMessage, len(body))
	}
	if i := binary.LittleEndian.Uint32(body); int64(i) != int64(want) {
		return nil, fmt.Errorf("%w: piece %d instead of %d", ErrMessage, i, want)
	}
	return body[pieceHead:], nil
}
