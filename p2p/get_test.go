package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/mutirao/mutirao/verify/merkle"
)

func put(t *testing.T, h *Host, data []byte) merkle.Hash {
	t.Helper()
	id, err := h.Put(soon(t), data)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func wantGet(t *testing.T, h *Host, id merkle.Hash, want []byte) {
	t.Helper()
	got, err := h.Get(soon(t), id)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("got %d other bytes", len(got))
	}
}

func addrs(hosts ...*Host) (all []string) {
	for _, h := range hosts {
		all = append(all, h.Addrs()...)
	}
	return all
}

func TestGetFromOneSource(t *testing.T) {
	a, b := start(t, 1), start(t, 2)
	b.SetPeers(addrs(a))
	for _, n := range []int{0, 1, 5000, PieceSize, 20*PieceSize + 17} {
		data := testBytes(n)
		id := put(t, a, data)
		if id != Address(data) {
			t.Fatal("Put and Address differ")
		}
		if b.Has(id) {
			t.Fatal("it is there before it was fetched")
		}
		inBefore, _ := b.Traffic()
		wantGet(t, b, id, data)
		in, _ := b.Traffic()
		if got, most := in-inBefore, uint64(n+n/400+200); got < uint64(n) || got > most {
			t.Errorf("%d bytes took %d bytes of traffic, at most %d expected", n, got, most)
		}
		wantGet(t, b, id, data)
		if again, _ := b.Traffic(); again != in || !b.Has(id) {
			t.Error("a blob held locally is fetched again")
		}
	}
	in, out := a.Traffic()
	bin, bout := b.Traffic()
	if in != bout || out != bin {
		t.Errorf("a received %d and sent %d, b sent %d and received %d", in, out, bout, bin)
	}
}

func TestGetFromSeveralSources(t *testing.T) {
	data := testBytes(64 * PieceSize)
	var sources []*Host
	for i := range uint64(4) {
		h := start(t, 10+i)
		put(t, h, data)
		sources = append(sources, h)
	}
	h := start(t, 1)
	if err := h.Connect(soon(t), addrs(sources...)); err != nil {
		t.Fatal(err)
	}
	wantGet(t, h, Address(data), data)
	gave := 0
	for _, s := range sources {
		if _, out := s.Traffic(); out > PieceSize {
			gave++
		}
	}
	if gave < 2 {
		t.Errorf("%d of 4 sources gave pieces", gave)
	}
}

// TestGetWaits asks for a blob that nobody has yet, from a peer that nobody knows yet.
func TestGetWaits(t *testing.T) {
	a, b := start(t, 1), start(t, 2)
	data := testBytes(3 * PieceSize)
	go func() {
		time.Sleep(60 * time.Millisecond)
		b.SetPeers(addrs(a))
		time.Sleep(60 * time.Millisecond)
		if _, err := a.Put(context.WithoutCancel(t.Context()), data); err != nil {
			t.Error(err)
		}
	}()
	wantGet(t, b, Address(data), data)
}

// TestSourceComesBackElsewhere waits for a source that is down when asked first and then listens at another address.
func TestSourceComesBackElsewhere(t *testing.T) {
	data := testBytes(2 * PieceSize)
	dir := t.TempDir()
	at := func(c *Config) { c.Dir = dir }
	a, b := start(t, 1, at), start(t, 2)
	id := put(t, a, data)
	b.SetPeers(addrs(a))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		_, err := b.Get(soon(t), id)
		got <- err
	}()
	time.Sleep(100 * time.Millisecond)
	b.SetPeers(addrs(start(t, 1, at)))
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

// TestDialOnlyHostServes: a host behind a home router gives what it has on the connection that it made.
func TestDialOnlyHostServes(t *testing.T) {
	a, b := start(t, 1), start(t, 2, func(c *Config) { c.Listen = nil })
	data := testBytes(PieceSize + 1)
	id := put(t, b, data)
	if err := b.Connect(soon(t), addrs(a)); err != nil {
		t.Fatal(err)
	}
	wantGet(t, a, id, data)
}

func TestGetNamesTheReasons(t *testing.T) {
	a, b := start(t, 1), start(t, 2)
	id := Address([]byte("nowhere"))
	_, err := b.Get(within(t, 50*time.Millisecond), id)
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no peer is known") {
		t.Errorf("without peers: %v", err)
	}
	gone := start(t, 3)
	at := addrs(gone)
	gone.Close()
	b.SetPeers(append(at, append(addrs(a), "nonsense")...))
	_, err = b.Get(within(t, 300*time.Millisecond), id)
	for _, part := range []string{id.String(), a.ID() + ": does not have it", gone.ID() + ": not reached"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

// TestGetsOfOneBlobShareOneFetch also covers a caller that gives up while the others go on.
func TestGetsOfOneBlobShareOneFetch(t *testing.T) {
	a, b := start(t, 1), start(t, 2)
	data := testBytes(10 * PieceSize)
	id := Address(data)
	b.SetPeers(addrs(a))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := b.Get(ctx, id); !errors.Is(err, context.Canceled) {
			t.Errorf("the caller that gave up: %v", err)
		}
	})
	for range 5 {
		wg.Go(func() {
			if got, err := b.Get(soon(t), id); err != nil || !bytes.Equal(got, data) {
				t.Error(err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	cancel()
	time.Sleep(50 * time.Millisecond)
	put(t, a, data)
	wg.Wait()
	if in, _ := b.Traffic(); in > uint64(len(data)+len(data)/100+10000) {
		t.Errorf("%d bytes came for %d", in, len(data))
	}
}

// liar answers the blob protocol with what reply returns instead of the frame that an honest host holding data would send.
// An empty reply resets the stream.
func liar(t *testing.T, n uint64, data []byte, reply func(q request, honest []byte) []byte) (h *Host, asked *atomic.Int32) {
	t.Helper()
	h = start(t, n)
	put(t, h, data)
	asked = new(atomic.Int32)
	h.host.SetStreamHandler(blobProtocol, func(s network.Stream) {
		defer s.Reset()
		asked.Add(1)
		sv := server{h: h}
		defer sv.close()
		l := h.link(s, h.timing.idle)
		for {
			k, body, err := l.receive()
			if err != nil {
				return
			}
			q, err := decodeRequest(k, body)
			if err != nil {
				t.Error(err)
				return
			}
			out := reply(q, sv.answer(q))
			if len(out) == 0 || l.send(out) != nil {
				return
			}
		}
	})
	return h, asked
}

func flip(b []byte, i int) []byte {
	b = slices.Clone(b)
	b[i] ^= 1
	return b
}

var lies = map[string]struct {
	reply   func(q request, honest []byte) []byte
	want    error
	streams int32 // after which the liar is dropped
}{
	"corrupt piece": {func(q request, honest []byte) []byte {
		if q.kind == kindGet {
			return flip(honest, len(honest)-1)
		}
		return honest
	}, errPiece, maxBroken},
	"another piece": {func(q request, honest []byte) []byte {
		if q.kind == kindGet {
			return flip(honest, frameHead)
		}
		return honest
	}, ErrMessage, maxBroken},
	"short piece": {func(q request, honest []byte) []byte {
		if q.kind == kindGet {
			return appendFrame(nil, kindPiece, honest[frameHead:len(honest)-1])
		}
		return honest
	}, errPiece, maxBroken},
	"cut stream": {func(q request, honest []byte) []byte {
		if q.kind == kindGet {
			return nil
		}
		return honest
	}, network.ErrReset, maxBroken},
	"manifest of another blob": {func(q request, honest []byte) []byte {
		if q.kind == kindHave {
			m := describe(testBytes(5 * PieceSize))
			return appendFrame(nil, kindHolding, encodeHolding(m, make([]bool, 5)))
		}
		return honest
	}, ErrManifest, maxBroken},
	"wrong proof": {func(q request, honest []byte) []byte {
		if q.kind == kindHave {
			return flip(honest, frameHead+8)
		}
		return honest
	}, ErrManifest, maxBroken},
	"oversized manifest": {func(q request, honest []byte) []byte {
		if q.kind == kindHave {
			return binary.LittleEndian.AppendUint32([]byte{byte(kindHolding)}, 1<<30)
		}
		return honest
	}, ErrMessage, maxBroken},
	"manifest of too much": {func(q request, honest []byte) []byte {
		if q.kind == kindHave {
			return appendFrame(nil, kindHolding, bytes.Repeat([]byte{0x7f}, 40))
		}
		return honest
	}, ErrTooLarge, maxBroken},
	"oversized piece": {func(q request, honest []byte) []byte {
		if q.kind == kindGet {
			return binary.LittleEndian.AppendUint32([]byte{byte(kindPiece)}, 1<<31)
		}
		return honest
	}, ErrMessage, maxBroken},
	"requests instead of answers": {func(q request, honest []byte) []byte { return q.encode() }, ErrMessage, maxBroken},
	"refused pieces": {func(q request, honest []byte) []byte {
		if q.kind == kindGet {
			return refuse(refuseUnknown)
		}
		return honest
	}, errRefused, maxRefusals},
	"unknown refusal": {func(q request, honest []byte) []byte { return appendFrame(nil, kindRefuse, []byte{9}) }, ErrMessage, maxBroken},
}

// TestLiarsAreDropped meets each liar alone: the fetch ends before its deadline, says who did what, and has asked the liar
// exactly as often as the limits allow.
func TestLiarsAreDropped(t *testing.T) {
	data := testBytes(6*PieceSize + 5)
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, asked := liar(t, 1, data, lie.reply)
			h := start(t, 2)
			h.SetPeers(addrs(bad))
			_, err := h.Get(soon(t), Address(data))
			if !errors.Is(err, ErrUnavailable) || !errors.Is(err, lie.want) || errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v, want %v", err, lie.want)
			}
			if !strings.Contains(err.Error(), Address(data).String()) || !strings.Contains(err.Error(), bad.ID()+": dropped") {
				t.Errorf("blob or peer is not named: %v", err)
			}
			if asked.Load() != lie.streams {
				t.Errorf("asked %d times, want %d", asked.Load(), lie.streams)
			}
		})
	}
}

// TestLiarsAmongHonest has all liars at once and two honest sources.
func TestLiarsAmongHonest(t *testing.T) {
	data := testBytes(30*PieceSize + 5)
	h, a, b := start(t, 1), start(t, 2), start(t, 3)
	put(t, a, data)
	put(t, b, data)
	all, n := addrs(a, b), uint64(100)
	for _, lie := range lies {
		bad, _ := liar(t, n, data, lie.reply)
		all = append(all, addrs(bad)...)
		n++
	}
	h.SetPeers(all)
	wantGet(t, h, Address(data), data)
}

// TestStallingPeer takes requests and never answers: alone it is dropped after the stall time, beside an honest source its
// pieces are fetched there without waiting for that.
func TestStallingPeer(t *testing.T) {
	data := testBytes(20 * PieceSize)
	release := make(chan struct{})
	var once sync.Once
	free := func() { once.Do(func() { close(release) }) }
	t.Cleanup(free)
	stall := func(q request, honest []byte) []byte {
		if q.kind == kindGet {
			<-release
			return nil
		}
		return honest
	}
	bad, asked := liar(t, 1, data, stall)
	h := start(t, 2)
	h.SetPeers(addrs(bad))
	_, err := h.Get(soon(t), Address(data))
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, errStalled) || asked.Load() != 1 {
		t.Fatalf("asked %d times: %v", asked.Load(), err)
	}
	good := start(t, 3)
	put(t, good, data)
	h.SetPeers(addrs(bad, good))
	wantGet(t, h, Address(data), data)
	free()
}

// TestDrippingPeer sends one byte before each stall deadline; the deadline of the frame ends it.
func TestDrippingPeer(t *testing.T) {
	data := testBytes(PieceSize)
	bad := start(t, 1)
	bad.host.SetStreamHandler(blobProtocol, func(s network.Stream) {
		defer s.Reset()
		b := appendFrame(nil, kindHolding, encodeHolding(describe(data), []bool{true}))
		for i := range b {
			if _, err := s.Write(b[i : i+1]); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	h := start(t, 2)
	h.SetPeers(addrs(bad))
	begin := time.Now()
	_, err := h.Get(soon(t), Address(data))
	if !errors.Is(err, errStalled) || time.Since(begin) > 2*quick.frame {
		t.Fatalf("after %v: %v", time.Since(begin), err)
	}
}

// TestGetResumes loses its only source after some pieces, is closed and opened again as after a crash, and then needs the
// missing pieces only.
func TestGetResumes(t *testing.T) {
	const n = 40
	data := testBytes(n * PieceSize)
	id := Address(data)
	var served atomic.Int32
	cut := func(q request, honest []byte) []byte {
		if q.kind == kindGet && served.Add(1) > n/2 {
			return nil
		}
		return honest
	}
	bad, _ := liar(t, 1, data, cut)
	dir := t.TempDir()
	at := func(c *Config) { c.Dir = dir }
	h := start(t, 2, at)
	h.SetPeers(addrs(bad))
	_, err := h.Get(soon(t), id)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "of 40 pieces are missing") {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	good := start(t, 3)
	put(t, good, data)
	h = start(t, 2, at)
	p, err := h.store.begin(describe(data))
	if err != nil {
		t.Fatal(err)
	}
	// A reset also discards what has arrived and was not read yet, hence fewer than the 20 served.
	missing := p.missing()
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	if missing < n/2 || missing > n/2+maxBatch {
		t.Errorf("%d of %d pieces are missing", missing, n)
	}
	h.SetPeers(addrs(good))
	wantGet(t, h, id, data)
	if in, _ := h.Traffic(); in > uint64(missing+1)*PieceSize {
		t.Errorf("%d bytes came for %d missing pieces", in, missing)
	}
}

// TestPartialPeersServe gives two hosts one half each; a third gets the whole from them while they are still fetching.
func TestPartialPeersServe(t *testing.T) {
	const n = 8
	data := testBytes(n * PieceSize)
	m := describe(data)
	id := m.address()
	var halves []*Host
	for k := range 2 {
		half := start(t, uint64(1+k))
		p, err := half.store.begin(m)
		if err != nil {
			t.Fatal(err)
		}
		for i := k; i < n; i += 2 {
			off, size := m.span(i)
			if _, err := p.add(i, data[off:off+int64(size)]); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
		halves = append(halves, half)
	}
	// A manifest can only come from a peer, so each half first learns it from a host that gives nothing else.
	show, _ := liar(t, 7, data, func(q request, honest []byte) []byte {
		if q.kind == kindHave {
			return appendFrame(nil, kindHolding, encodeHolding(m, make([]bool, n)))
		}
		return nil
	})
	h := start(t, 9)
	var wg sync.WaitGroup
	for i, half := range halves {
		half.SetPeers(addrs(show, halves[1-i]))
		wg.Go(func() {
			if got, err := half.Get(soon(t), id); err != nil || !bytes.Equal(got, data) {
				t.Error(err)
			}
		})
	}
	h.SetPeers(addrs(halves...))
	wantGet(t, h, id, data)
	wg.Wait()
}

func TestLimits(t *testing.T) {
	small := start(t, 1, func(c *Config) { c.MaxBlob, c.MaxStore = 1000, 3000 })
	if _, err := small.Put(soon(t), make([]byte, 1001)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Put above MaxBlob: %v", err)
	}
	big := start(t, 2)
	small.SetPeers(addrs(big))
	var ids []merkle.Hash
	for i := range 3 {
		ids = append(ids, put(t, big, testBytes(990+i)))
	}
	wantGet(t, small, ids[0], testBytes(990))
	wantGet(t, small, ids[1], testBytes(991))
	if _, err := small.Get(soon(t), ids[2]); !errors.Is(err, ErrStoreFull) {
		t.Errorf("Get into a full store: %v", err)
	}
	if err := small.Remove(ids[0]); err != nil {
		t.Fatal(err)
	}
	wantGet(t, small, ids[2], testBytes(992))
	if _, err := small.Get(soon(t), put(t, big, testBytes(1001))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Get above MaxBlob: %v", err)
	}
}

// TestGetAtMost: a blob above what the caller expects takes no room, and does not spoil a later Get that expects it.
func TestGetAtMost(t *testing.T) {
	h, other := start(t, 1), start(t, 2)
	h.SetPeers(addrs(other))
	data := testBytes(3000)
	id := put(t, other, data)
	if _, err := h.GetAtMost(soon(t), id, 2999); !errors.Is(err, ErrTooLarge) || h.store.used != 0 {
		t.Errorf("%v, and %d bytes are reserved for it", err, h.store.used)
	}
	if got, err := h.GetAtMost(soon(t), id, 3000); err != nil || !bytes.Equal(got, data) {
		t.Error(err)
	}
	if _, err := h.GetAtMost(soon(t), id, 2999); !errors.Is(err, ErrTooLarge) {
		t.Errorf("from the own store: %v", err)
	}
}

// TestBusyServerIsAskedAgain fills the server's gate for this peer, then opens it.
func TestBusyServerIsAskedAgain(t *testing.T) {
	a, b := start(t, 1), start(t, 2)
	data := testBytes(5)
	id := put(t, a, data)
	b.SetPeers(addrs(a))
	for range maxStreamsPerPeer {
		if !a.gate.enter(b.host.ID()) {
			t.Fatal("gate closed too early")
		}
	}
	if _, err := b.Get(within(t, 200*time.Millisecond), id); !errors.Is(err, errAbsent) || !strings.Contains(err.Error(), "busy") {
		t.Fatalf("got %v", err)
	}
	for range maxStreamsPerPeer {
		a.gate.leave(b.host.ID())
	}
	wantGet(t, b, id, data)
}

// TestServerSurvivesGarbage sends malformed requests; the stream is reset and the host serves on.
func TestServerSurvivesGarbage(t *testing.T) {
	a, b := start(t, 1), start(t, 2)
	data := testBytes(100)
	id := put(t, a, data)
	if err := b.Connect(soon(t), addrs(a)); err != nil {
		t.Fatal(err)
	}
	for name, garbage := range map[string][]byte{
		"unknown kind": {200, 0, 0, 0, 0},
		"huge":         {byte(kindHave), 255, 255, 255, 255},
		"short":        appendFrame(nil, kindGet, id[:]),
		"an answer":    refuse(refuseBusy),
	} {
		s, err := b.host.NewStream(soon(t), a.host.ID(), blobProtocol)
		if err != nil {
			t.Fatal(err)
		}
		l := b.link(s, time.Second)
		if err := l.send(garbage); err != nil {
			t.Fatal(err)
		}
		if k, _, err := l.receive(); !errors.Is(err, network.ErrReset) {
			t.Errorf("%s is answered with kind %d, %v", name, k, err)
		}
		s.Reset()
	}
	s, err := b.host.NewStream(soon(t), a.host.ID(), blobProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	l := b.link(s, time.Second)
	if err := l.send(request{kind: kindGet, id: id, piece: 1 << 31}.encode()); err != nil {
		t.Fatal(err)
	}
	if k, body, err := l.receive(); err != nil || k != kindRefuse || body[0] != byte(refuseUnknown) {
		t.Errorf("a piece out of range: kind %d, %v", k, err)
	}
	wantGet(t, b, id, data)
}

// TestCloseEndsGet leaves no goroutine waiting.
func TestCloseEndsGet(t *testing.T) {
	h := start(t, 1)
	end := make(chan error)
	go func() {
		_, err := h.Get(context.Background(), Address([]byte("never")))
		end <- err
	}()
	time.Sleep(20 * time.Millisecond)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-end; !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// BenchmarkGet moves 32 MiB over loopback, store to store.
func BenchmarkGet(b *testing.B) {
	data := testBytes(32 << 20)
	b.SetBytes(int64(len(data)))
	open := func(n uint64) *Host {
		h, err := Open(b.Context(), Config{Dir: b.TempDir(), Key: testKey(n), Listen: loopback})
		if err != nil {
			b.Fatal(err)
		}
		return h
	}
	from, to := open(1), open(2)
	defer from.Close()
	defer to.Close()
	id, err := from.Put(b.Context(), data)
	if err != nil {
		b.Fatal(err)
	}
	to.SetPeers(from.Addrs())
	for b.Loop() {
		if _, err := to.Get(b.Context(), id); err != nil {
			b.Fatal(err)
		}
		if err := to.Remove(id); err != nil {
			b.Fatal(err)
		}
	}
}
