package bisect

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/verify/merkle"
)

// ErrAnswer is wrapped by every error about bytes that are not an answer to what was asked, or that do not prove what they say.
// Such bytes change nothing.
var ErrAnswer = errors.New("not an answer")

// MaxAnswer bounds the bytes of one answer.
const MaxAnswer = 192 << 10

// Bounds on parts of an answer.
const (
	maxRecord = 64 << 10 // bytes of a program's record
	maxList   = 256      // hashes of a list, openings of a list
	maxData   = 64 << 10 // bytes of a record of the data set
	maxRoots  = 4096     // entries of a state
)

// Integers on the wire are u32 little endian; a list or byte string has its length before it.

type writer []byte

func (w *writer) u32(v int) { *w = binary.LittleEndian.AppendUint32(*w, uint32(v)) }

func (w *writer) hash(h merkle.Hash) { *w = append(*w, h[:]...) }

func (w *writer) hashes(list []merkle.Hash) {
	w.u32(len(list))
	for _, h := range list {
		w.hash(h)
	}
}

func (w *writer) bytes(b []byte) {
	w.u32(len(b))
	*w = append(*w, b...)
}

func (w *writer) proof(p merkle.Proof) { w.hashes(p) }

// reader takes fields off the front. After the first failure it returns zeros.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrAnswer, fmt.Sprintf(format, args...))
	}
}

func (r *reader) take(n int) []byte {
	if r.err == nil && n > len(r.rest) {
		r.fail("%d bytes where %d are left", n, len(r.rest))
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// u32 reads a number below 2^31.
func (r *reader) u32() int {
	b := r.take(4)
	if b == nil {
		return 0
	}
	v := binary.LittleEndian.Uint32(b)
	if v >= 1<<31 {
		r.fail("%d is too large", v)
		return 0
	}
	return int(v)
}

func (r *reader) hash() (h merkle.Hash) {
	copy(h[:], r.take(merkle.Size))
	return h
}

func (r *reader) count(max int) int {
	n := r.u32()
	if n > max {
		r.fail("a list of %d, at most %d", n, max)
		return 0
	}
	return n
}

func (r *reader) hashes() []merkle.Hash { return r.list(maxList) }

func (r *reader) list(max int) []merkle.Hash {
	n := r.count(max)
	if n*merkle.Size > len(r.rest) {
		r.fail("%d hashes in %d bytes", n, len(r.rest))
		return nil
	}
	list := make([]merkle.Hash, n)
	for i := range list {
		list[i] = r.hash()
	}
	return list
}

func (r *reader) proof() merkle.Proof { return r.hashes() }

func (r *reader) bytes(max int) []byte { return r.take(r.count(max)) }

// end reports the first failure, or bytes that are left over.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail("%d bytes too many", len(r.rest))
	}
	return r.err
}
