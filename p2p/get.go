package p2p

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/mutirao/mutirao/verify/merkle"
)

// ErrUnavailable reports a blob that could not be fetched; the text names the blob and, peer by peer, the reason.
var ErrUnavailable = errors.New("blob is not available")

// Put stores data under its address, from where this host serves it, and returns the address. It copies data. Errors:
// ErrTooLarge, ErrStoreFull, ErrClosed, and those of the file system.
func (h *Host) Put(ctx context.Context, data []byte) (merkle.Hash, error) {
	if err := ctx.Err(); err != nil {
		return merkle.Hash{}, err
	}
	if int64(len(data)) > h.cfg.MaxBlob {
		return merkle.Hash{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(data), h.cfg.MaxBlob)
	}
	if !h.track() {
		return merkle.Hash{}, ErrClosed
	}
	defer h.own.Done()
	m := describe(data)
	id := m.address()
	if _, err := h.store.load(id, h.cfg.MaxBlob); err == nil {
		return id, nil
	}
	if err := h.store.put(m, data); err != nil {
		return merkle.Hash{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fetches[id] == nil {
		return id, h.store.remove(id.String() + suffixPart)
	}
	return id, nil
}

// Has reports whether the whole blob is in this host's own store.
func (h *Host) Has(id merkle.Hash) bool { return h.store.has(id) }

// Remove deletes a blob and what was fetched of it from this host's own store, to make room. It is no error if there is
// nothing. A fetch under way keeps its pieces.
func (h *Host) Remove(id merkle.Hash) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.store.remove(id.String() + suffixBlob)
	if h.fetches[id] == nil {
		err = errors.Join(err, h.store.remove(id.String()+suffixPart))
	}
	return err
}

// Get returns the verified bytes of a blob, which the caller owns. If this host does not store it, the known and the
// connected peers are asked, again and again until ctx is done, because the blob may be on its way to them. It fails early
// only if every peer was dropped for misbehaviour, which offering a blob above MaxBlob counts as, or if the blob does not
// fit into the store. Pieces that arrived are kept for the next Get, also across a restart. Errors: ErrUnavailable (with
// ctx's error if that was the end), ErrTooLarge, ErrStoreFull, ErrClosed.
func (h *Host) Get(ctx context.Context, id merkle.Hash) ([]byte, error) {
	return h.GetAtMost(ctx, id, h.cfg.MaxBlob)
}

// GetAtMost is Get for a blob of at most max bytes: a larger one, which the size in its manifest betrays, takes neither
// memory nor room in the store. A max above MaxBlob means MaxBlob.
func (h *Host) GetAtMost(ctx context.Context, id merkle.Hash, max int64) ([]byte, error) {
	max = min(max, h.cfg.MaxBlob)
	for {
		data, err := h.store.load(id, max)
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errCorrupt) {
			return data, err
		}
		if err := h.join(ctx, id, max); err != nil {
			return nil, err
		}
	}
}

// join fetches a blob, or waits for a fetch of the same blob that another caller started. It returns nil when it is worth
// looking into the store again.
func (h *Host) join(ctx context.Context, id merkle.Hash, max int64) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return ErrClosed
	}
	if f := h.fetches[id]; f != nil {
		h.mu.Unlock()
		select {
		case <-f.over:
			return nil
		case <-ctx.Done():
			return f.unavailable(ctx.Err())
		}
	}
	f := newFetch(h, id, max)
	h.fetches[id] = f
	h.own.Add(1)
	h.mu.Unlock()
	defer h.own.Done()
	err := f.run(ctx)
	h.mu.Lock()
	delete(h.fetches, id)
	h.mu.Unlock()
	close(f.over)
	return err
}

// maxSlots bounds the peers that one fetch talks to at the same time; the others wait for their turn.
const maxSlots = 16

// fetch brings one blob here.
type fetch struct {
	h     *Host
	id    merkle.Hash
	max   int64 // bytes that the blob may have
	slots chan struct{}
	done  chan struct{} // closed by end: complete, or failed for a reason of our own
	over  chan struct{} // closed when nothing of the fetch runs any more

	mu      sync.Mutex
	ended   bool
	err     error // why it failed, if it is our own fault
	part    *part // nil until a peer has shown the manifest
	claims  []claim
	pulling int // sources that are giving pieces
	sources map[peer.ID]*source
}

// claim says who is fetching a piece: how many sources, and since when.
type claim struct {
	sources int
	since   time.Time
}

// source is what a fetch knows of one peer.
type source struct {
	info    peer.AddrInfo
	held    []bool // pieces that it said it has; nil before it did
	refused int
	broken  int
	dropped bool
	reason  error // the last trouble
}

func newFetch(h *Host, id merkle.Hash, max int64) *fetch {
	return &fetch{
		h: h, id: id, max: max, sources: map[peer.ID]*source{},
		slots: make(chan struct{}, maxSlots), done: make(chan struct{}), over: make(chan struct{}),
	}
}

func (f *fetch) run(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(f.h.ctx, cancel)
	defer stop()
	var wg sync.WaitGroup
	finish := func() {
		cancel()
		wg.Wait()
		if f.part != nil {
			f.part.close()
		}
	}
	look := time.NewTicker(f.h.timing.announce)
	defer look.Stop()
	for {
		for _, s := range f.adopt(f.h.candidates()) {
			wg.Go(func() { f.pull(inner, s) })
		}
		select {
		case <-f.done:
			finish()
			return f.err
		case <-inner.Done():
			finish()
			if f.h.ctx.Err() != nil {
				return ErrClosed
			}
			return f.unavailable(ctx.Err())
		case <-look.C:
		}
		if f.deserted() {
			finish()
			return f.unavailable(nil)
		}
	}
}

// adopt registers the peers that are new to the fetch and returns them; of the others it updates the addresses.
func (f *fetch) adopt(infos map[peer.ID]peer.AddrInfo) []*source {
	f.mu.Lock()
	defer f.mu.Unlock()
	var fresh []*source
	for id, info := range infos {
		if s := f.sources[id]; s != nil {
			s.info = info // it may have moved
			continue
		}
		f.sources[id] = &source{info: info}
		fresh = append(fresh, f.sources[id])
	}
	return fresh
}

// deserted reports whether there were peers and all have been dropped.
func (f *fetch) deserted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sources {
		if !s.dropped {
			return false
		}
	}
	return len(f.sources) > 0 && !f.ended
}

// unavailable describes the failure peer by peer, in the order of their ids.
func (f *fetch) unavailable(cause error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := fmt.Errorf("%w: %s", ErrUnavailable, f.id)
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	if f.part != nil {
		err = fmt.Errorf("%w: %d of %d pieces are missing", err, f.part.missing(), len(f.claims))
	}
	if len(f.sources) == 0 {
		return fmt.Errorf("%w: no peer is known", err)
	}
	ids := make([]peer.ID, 0, len(f.sources))
	for id := range f.sources {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		s := f.sources[id]
		switch {
		case s.reason == nil:
			err = fmt.Errorf("%w; peer %s: no answer yet", err, id)
		case s.dropped:
			err = fmt.Errorf("%w; peer %s: dropped: %w", err, id, s.reason)
		default:
			err = fmt.Errorf("%w; peer %s: %w", err, id, s.reason)
		}
	}
	return err
}

// opened returns the pieces that are here, or nil before the manifest is.
func (f *fetch) opened() *part {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.part
}

// end closes done once. err is nil on success. It requires f.mu.
func (f *fetch) end(err error) {
	if !f.ended {
		f.ended, f.err = true, err
		close(f.done)
	}
}

// begin opens the partial file when the first checked manifest arrives. It reports whether pieces can be stored now.
func (f *fetch) begin(m manifest) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.part != nil || f.ended {
		return !f.ended
	}
	p, err := f.h.store.begin(m)
	if err != nil {
		f.end(err)
		return false
	}
	f.part, f.claims = p, make([]claim, len(m.leaves))
	if p.missing() == 0 {
		f.end(p.finish())
	}
	return !f.ended
}

// maxBatch bounds the pieces asked of one peer before the first has arrived: 512 KiB under way fill 10 MB/s at 50 ms.
const maxBatch = 8

// choose returns the pieces to ask next of a source that holds held: missing ones that nobody fetches, an even share of
// them; or, when there are none, one that another source has been fetching for long. It requires f.mu.
func (f *fetch) choose(held []bool) []int {
	if f.part == nil || f.ended {
		return nil
	}
	share := min(max(f.part.missing()/max(f.pulling, 1), 1), maxBatch)
	var batch []int
	slow := -1
	for i, c := range f.claims {
		switch {
		case !held[i] || f.part.holds(i):
		case c.sources == 0:
			if batch = append(batch, i); len(batch) == share {
				return batch
			}
		case slow < 0 && c.sources == 1 && time.Since(c.since) > f.h.timing.second:
			slow = i
		}
	}
	if len(batch) == 0 && slow >= 0 {
		batch = append(batch, slow)
	}
	return batch
}

// claim books the pieces that choose returns.
func (f *fetch) claim(held []bool) []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	batch := f.choose(held)
	for _, i := range batch {
		f.claims[i].sources++
		f.claims[i].since = time.Now()
	}
	return batch
}

// release undoes claim for pieces that did or did not arrive.
func (f *fetch) release(batch []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range batch {
		f.claims[i].sources--
	}
}

// store keeps a checked piece and ends the fetch with the last one.
func (f *fetch) store(i int, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return nil
	}
	left, err := f.part.add(i, data)
	if err == nil && left == 0 {
		err = f.part.finish()
	}
	if err != nil || left == 0 {
		f.end(err)
	}
	return err
}
