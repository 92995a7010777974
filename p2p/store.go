package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/mutirao/mutirao/verify/merkle"
)

var (
	// ErrStoreFull reports that a blob does not fit into what Config.MaxStore leaves.
	ErrStoreFull = errors.New("content store is full")
	// ErrTooLarge reports a blob above Config.MaxBlob.
	ErrTooLarge = errors.New("blob is too large")
	// errCorrupt reports a stored blob whose bytes no longer have its address. The store has removed it.
	errCorrupt = errors.New("stored blob is corrupt")
)

// File names in the store: the address in hex and one of these. A file is the encoded manifest followed by the bytes.
const (
	suffixBlob = ".blob" // complete
	suffixPart = ".part" // some pieces are there; which ones, their hashes tell
	suffixTemp = ".temp" // being written by put; worthless after a crash
)

// store keeps blobs by content address in one folder. Nothing read from it is believed before its hash is checked, so
// a crash at any point, or a bad disk, costs at most the affected pieces.
type store struct {
	dir   string
	limit int64 // bytes of all files together

	mu    sync.Mutex
	files map[string]int64 // length in bytes by name, complete and partial
	used  int64            // their sum
}

func openStore(dir string, limit int64) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	s := &store{dir: dir, limit: limit, files: map[string]int64{}}
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, suffixTemp) {
			if err := os.Remove(s.path(name)); err != nil {
				return nil, fmt.Errorf("content store: %w", err)
			}
			continue
		}
		if !strings.HasSuffix(name, suffixBlob) && !strings.HasSuffix(name, suffixPart) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("content store: %w", err)
		}
		s.files[name] = info.Size()
		s.used += info.Size()
	}
	return s, nil
}

func (s *store) path(name string) string { return filepath.Join(s.dir, name) }

// reserve books size bytes for a file, replacing what was booked for it.
func (s *store) reserve(name string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.used - s.files[name] + size
	if used > s.limit {
		return fmt.Errorf("%w: %d bytes needed, %d of %d used", ErrStoreFull, size, s.used, s.limit)
	}
	s.used, s.files[name] = used, size
	return nil
}

// rebook moves the booking of a file to another name; with an empty name it ends it.
func (s *store) rebook(from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := s.files[from]
	delete(s.files, from)
	s.used -= size
	if to != "" {
		s.used += size - s.files[to]
		s.files[to] = size
	}
}

func (s *store) remove(name string) error {
	if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("content store: %w", err)
	}
	s.rebook(name, "")
	return nil
}

// put stores data, whose manifest is m, under its address. It is atomic: after a crash the blob is there or not.
func (s *store) put(m manifest, data []byte) error {
	name := m.address().String()
	head := m.encode()
	if err := s.reserve(name+suffixBlob, int64(len(head))+m.size); err != nil {
		return err
	}
	if err := s.write(name, head, data); err != nil {
		s.rebook(name+suffixBlob, "")
		return fmt.Errorf("content store: %w", err)
	}
	return nil
}

func (s *store) write(name string, head, data []byte) (err error) {
	f, err := os.CreateTemp(s.dir, name+"-*"+suffixTemp)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(head)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), s.path(name+suffixBlob))
}

// load returns the verified bytes of a complete blob. The error is fs.ErrNotExist if it is not here, ErrTooLarge if it has
// more than max bytes, and errCorrupt, after removing it, if the file does not hold it.
func (s *store) load(id merkle.Hash, max int64) ([]byte, error) {
	b, err := s.open(id)
	if err != nil {
		return nil, err
	}
	defer b.close()
	if b.m.size > max {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, b.m.size, max)
	}
	data := make([]byte, b.m.size)
	for i := range b.m.leaves {
		off, n := b.m.span(i)
		if err := b.read(i, data[off:off+int64(n)]); err != nil {
			return nil, errors.Join(s.remove(id.String()+suffixBlob), fmt.Errorf("%w: %s: %w", errCorrupt, id, err))
		}
	}
	return data, nil
}

// has reports whether a complete blob is stored, without reading it.
func (s *store) has(id merkle.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.files[id.String()+suffixBlob]
	return ok
}

// blobFile is an open file of the store with its verified manifest.
type blobFile struct {
	m manifest
	f *os.File
}

// open returns a complete blob for reading piece by piece; errors as load.
func (s *store) open(id merkle.Hash) (*blobFile, error) {
	name := id.String() + suffixBlob
	f, err := os.Open(s.path(name))
	if err != nil {
		return nil, err
	}
	b, err := readHead(f, id)
	if err != nil {
		f.Close()
		return nil, errors.Join(s.remove(name), fmt.Errorf("%w: %s: %w", errCorrupt, id, err))
	}
	return b, nil
}

// readHead reads and checks the manifest at the start of a file. Memory is bounded by the length of the file.
func readHead(f *os.File, id merkle.Hash) (*blobFile, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// The file holds manifest and bytes, so the manifest names a size below that of the file.
	size := make([]byte, 8)
	if _, err := f.ReadAt(size, 0); err != nil {
		return nil, err
	}
	blob := binary.LittleEndian.Uint64(size)
	if blob > uint64(info.Size()) || manifestSize(int64(blob))+int64(blob) != info.Size() {
		return nil, fmt.Errorf("%w: %d bytes of file for a blob of %d", ErrManifest, info.Size(), blob)
	}
	head := make([]byte, manifestSize(int64(blob)))
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, err
	}
	m, err := decodeManifest(head, info.Size())
	if err != nil {
		return nil, err
	}
	if m.address() != id {
		return nil, fmt.Errorf("%w: it belongs to %s", ErrManifest, m.address())
	}
	return &blobFile{m: m, f: f}, nil
}

// read fills p with piece i and checks it. len(p) must be the length of the piece.
func (b *blobFile) read(i int, p []byte) error {
	off, _ := b.m.span(i)
	if _, err := b.f.ReadAt(p, manifestSize(b.m.size)+off); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return b.m.check(i, p)
}

func (b *blobFile) close() error { return b.f.Close() }

// part is a blob on its way in. One fetch writes it while streams may already serve what is there.
type part struct {
	blobFile
	s  *store
	id merkle.Hash

	mu   sync.Mutex
	have []bool // by piece
	left int    // pieces still missing
}

// begin opens the partial file of the blob with manifest m, or creates it, and finds out which pieces it already holds.
func (s *store) begin(m manifest) (*part, error) {
	id := m.address()
	name := id.String() + suffixPart
	head := m.encode()
	if err := s.reserve(name, int64(len(head))+m.size); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.path(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		if _, err = f.WriteAt(head, 0); err == nil {
			err = f.Truncate(int64(len(head)) + m.size)
		}
		if err != nil {
			f.Close()
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("content store: %w", err), s.remove(name))
	}
	p := &part{blobFile: blobFile{m: m, f: f}, s: s, id: id, have: make([]bool, len(m.leaves)), left: len(m.leaves)}
	buf := make([]byte, PieceSize)
	for i := range p.have {
		_, n := m.span(i)
		if p.blobFile.read(i, buf[:n]) == nil {
			p.have[i] = true
			p.left--
		}
	}
	return p, nil
}

// add stores piece i, which the caller has checked, and reports how many are still missing.
func (p *part) add(i int, data []byte) (left int, err error) {
	off, _ := p.m.span(i)
	if _, err := p.f.WriteAt(data, manifestSize(p.m.size)+off); err != nil {
		return 0, fmt.Errorf("content store: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.have[i] {
		p.have[i] = true
		p.left--
	}
	return p.left, nil
}

// holds reports whether piece i is there.
func (p *part) holds(i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.have[i]
}

// missing returns the number of pieces that are not there.
func (p *part) missing() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// held returns a copy of the pieces' presence.
func (p *part) held() []bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]bool(nil), p.have...)
}

// finish turns a part without missing pieces into a complete blob.
func (p *part) finish() error {
	if err := p.f.Sync(); err != nil {
		return fmt.Errorf("content store: %w", err)
	}
	from, to := p.id.String()+suffixPart, p.id.String()+suffixBlob
	if err := os.Rename(p.s.path(from), p.s.path(to)); err != nil {
		return fmt.Errorf("content store: %w", err)
	}
	p.s.rebook(from, to)
	return nil
}
