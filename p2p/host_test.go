package p2p

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// quick has the proportions of defaultTiming.
var quick = timing{
	dial:     2 * time.Second,
	stall:    300 * time.Millisecond,
	frame:    2 * time.Second,
	idle:     2 * time.Second,
	pollMin:  5 * time.Millisecond,
	pollMax:  50 * time.Millisecond,
	second:   200 * time.Millisecond,
	announce: 10 * time.Millisecond,
}

var loopback = []string{"/ip4/127.0.0.1/tcp/0"}

// testKey returns a seed that no other call with another number returns.
func testKey(n uint64) []byte { return binary.LittleEndian.AppendUint64(make([]byte, SeedSize-8), n) }

// start opens a host on loopback with identity n.
func start(t *testing.T, n uint64, change ...func(*Config)) *Host {
	t.Helper()
	cfg := Config{Dir: t.TempDir(), Key: testKey(n), Listen: loopback}
	for _, c := range change {
		c(&cfg)
	}
	h, err := open(t.Context(), cfg, quick)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// within bounds a Get that must fail for lack of a source.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestIdentityComesFromTheSeed(t *testing.T) {
	a := start(t, 1)
	id := a.ID()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if b := start(t, 1); b.ID() != id {
		t.Errorf("the same seed gives %s and %s", id, b.ID())
	}
	if c := start(t, 2); c.ID() == id {
		t.Error("two seeds give one identity")
	}
}

func TestConnect(t *testing.T) {
	a, b := start(t, 1), start(t, 2)
	dialer := start(t, 3, func(c *Config) { c.Listen = nil })
	if len(dialer.Addrs()) != 0 {
		t.Errorf("a host that only dials has addresses %v", dialer.Addrs())
	}
	if err := dialer.Connect(soon(t), append(a.Addrs(), b.Addrs()...)); err != nil {
		t.Fatal(err)
	}
	if got := dialer.Peers(); len(got) != 2 {
		t.Errorf("connected to %v", got)
	}
	if got := a.Reachability(); got != "unknown" {
		t.Errorf("on loopback, where nobody can judge it, reachability is %q", got)
	}
	// The wrong identity at a right address must not be accepted.
	other := start(t, 4).ID()
	imposter := strings.ReplaceAll(a.Addrs()[0], a.ID(), other)
	if err := b.Connect(soon(t), []string{imposter}); err == nil || !strings.Contains(err.Error(), other) {
		t.Errorf("an imposter is accepted: %v", err)
	}
	if err := b.Connect(soon(t), append([]string{"nonsense"}, a.Addrs()...)); !errors.Is(err, ErrAddress) {
		t.Errorf("a malformed address gives %v", err)
	} else if len(b.Peers()) != 2 {
		t.Errorf("the good address beside it is not dialled: %v", b.Peers())
	}
}

func TestOpenRefusesBadConfig(t *testing.T) {
	dir := t.TempDir()
	for name, cfg := range map[string]Config{
		"no folder":      {Key: testKey(1)},
		"short key":      {Dir: dir, Key: make([]byte, 31)},
		"no key":         {Dir: dir},
		"negative limit": {Dir: dir, Key: testKey(1), MaxStore: -1},
		"huge blob":      {Dir: dir, Key: testKey(1), MaxBlob: 1 << 40},
	} {
		if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.Context(), Config{Dir: dir, Key: testKey(1), Listen: []string{"127.0.0.1:80"}}); err == nil {
		t.Error("an address that is no multiaddr is accepted")
	}
}

func TestOpenReportsPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	addr := "/ip4/127.0.0.1/tcp/" + port
	_, err = Open(t.Context(), Config{Dir: t.TempDir(), Key: testKey(1), Listen: []string{addr}})
	if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}

func TestClosedHost(t *testing.T) {
	h := start(t, 1)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Put(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Put: %v", err)
	}
	if _, err := h.Get(t.Context(), Address([]byte{1})); !errors.Is(err, ErrClosed) {
		t.Errorf("Get: %v", err)
	}
}
