// Package p2p is the sole home of go-libp2p: a host with an Ed25519 identity, and blobs that are stored and fetched by
// content address. A blob is fetched in pieces from several peers at once; every piece is checked before it is kept, so no
// peer is trusted, and an interrupted transfer goes on where it stopped. The package knows nothing of what the bytes mean:
// it must not import the engine, the protocol or the chain. The wire format is in spec/p2p.md.
package p2p

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"github.com/mutirao/mutirao/verify/merkle"
)

// SeedSize is the length in bytes of Config.Key.
const SeedSize = ed25519.SeedSize

// Defaults of Config.
const (
	DefaultMaxStore = 8 << 30   // bytes
	DefaultMaxBlob  = 256 << 20 // bytes; Get returns a blob in memory
	DefaultMaxPeers = 64
)

// Bounds that do not depend on the configuration.
const (
	maxKnown       = 1024      // known peers; far more than a run has members
	hostMemory     = 128 << 20 // bytes that libp2p may use for connections and streams
	hostFiles      = 512       // file descriptors that libp2p may use
	connectTimeout = 10 * time.Second
)

var (
	// ErrConfig reports a Config that no host can be opened with.
	ErrConfig = errors.New("wrong p2p configuration")
	// ErrAddress reports text that is not a multiaddr ending in /p2p/<peer id>.
	ErrAddress = errors.New("wrong peer address")
	// ErrClosed reports a call on a closed host.
	ErrClosed = errors.New("p2p host is closed")
)

// Config says how to open a Host. Zero limits mean the defaults.
type Config struct {
	Dir    string   // data folder; blobs live in its folder blobs
	Key    []byte   // Ed25519 seed of SeedSize bytes: the identity. Open copies it
	Listen []string // multiaddrs without peer id, TCP; none: the host only dials

	MaxStore int64 // bytes of all blobs on disk
	MaxBlob  int64 // bytes of one blob
	MaxPeers int   // connections above which the least useful are closed
}

// Host is a peer. Its methods may be called from any goroutine.
type Host struct {
	cfg    Config
	timing timing
	host   host.Host
	store  *store
	gate   gate

	in, out atomic.Uint64
	reach   atomic.Int32 // network.Reachability

	ctx    context.Context // done when the host closes
	cancel context.CancelFunc
	own    sync.WaitGroup // goroutines of the host and streams being served

	mu      sync.Mutex
	known   map[peer.ID]peer.AddrInfo
	fetches map[merkle.Hash]*fetch
	closed  bool
}

// Open starts a host: it listens at once and serves what its store holds. ctx bounds the opening only.
func Open(ctx context.Context, cfg Config) (*Host, error) { return open(ctx, cfg, defaultTiming) }

func open(ctx context.Context, cfg Config, t timing) (*Host, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if cfg.MaxStore == 0 {
		cfg.MaxStore = DefaultMaxStore
	}
	if cfg.MaxBlob == 0 {
		cfg.MaxBlob = DefaultMaxBlob
	}
	if cfg.MaxPeers == 0 {
		cfg.MaxPeers = DefaultMaxPeers
	}
	switch {
	case cfg.Dir == "":
		return nil, fmt.Errorf("%w: no data folder", ErrConfig)
	case len(cfg.Key) != SeedSize:
		return nil, fmt.Errorf("%w: a key has %d bytes, not %d", ErrConfig, SeedSize, len(cfg.Key))
	case cfg.MaxStore < 0 || cfg.MaxBlob < 0 || cfg.MaxPeers < 0:
		return nil, fmt.Errorf("%w: a limit is negative", ErrConfig)
	case cfg.MaxBlob > 1<<32:
		return nil, fmt.Errorf("%w: a blob has at most 4 GiB", ErrConfig)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(cfg.Key))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	cfg.Key = nil // kept by libp2p only
	st, err := openStore(filepath.Join(cfg.Dir, "blobs"), cfg.MaxStore)
	if err != nil {
		return nil, err
	}
	lp, err := newLibp2p(key, cfg)
	if err != nil {
		return nil, err
	}
	h := &Host{cfg: cfg, timing: t, host: lp, store: st, known: map[peer.ID]peer.AddrInfo{}, fetches: map[merkle.Hash]*fetch{}}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	sub, err := lp.EventBus().Subscribe(new(event.EvtLocalReachabilityChanged), eventbus.Name("p2p/reachability"))
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	h.own.Go(func() { h.watchReachability(sub) })
	lp.SetStreamHandler(blobProtocol, h.serve)
	return h, nil
}

// quiet ends libp2p's own logging to standard error: what matters comes back as an error, and once is enough. Its
// environment variable still turns the log on.
var quiet = sync.OnceFunc(func() {
	if os.Getenv("GOLOG_LOG_LEVEL") == "" {
		gologshim.SetDefaultHandler(slog.DiscardHandler)
	}
})

// newLibp2p keeps to TCP, Noise and yamux: one transport that every home network lets out, and little memory.
func newLibp2p(key crypto.PrivKey, cfg Config) (host.Host, error) {
	quiet()
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	resources, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Scale(hostMemory, hostFiles)))
	if err != nil {
		return nil, fmt.Errorf("p2p resource manager: %w", err)
	}
	conns, err := connmgr.NewConnManager(cfg.MaxPeers*3/4, cfg.MaxPeers)
	if err != nil {
		return nil, fmt.Errorf("p2p connection manager: %w", err)
	}
	listen := libp2p.NoListenAddrs
	if len(cfg.Listen) > 0 {
		listen = libp2p.ListenAddrStrings(cfg.Listen...)
	}
	h, err := libp2p.New(
		libp2p.Identity(key),
		listen,
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(resources),
		libp2p.ConnectionManager(conns),
		libp2p.EnableNATService(), // answers others' question whether they can be reached, if we can
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.UserAgent("mutirao"),
		libp2p.ProtocolVersion("mutirao/1"),
	)
	if err != nil {
		return nil, fmt.Errorf("p2p host on %v: %w", cfg.Listen, err)
	}
	return h, nil
}

// ID returns the peer id, which is the identity's public key.
func (h *Host) ID() string { return h.host.ID().String() }

// Addrs returns the multiaddrs under which this host can be dialled, each ending in /p2p/<peer id>; none if it only dials.
func (h *Host) Addrs() []string {
	var out []string
	for _, a := range h.host.Addrs() {
		out = append(out, a.String()+"/p2p/"+h.ID())
	}
	return out
}

// Connect dials all addresses in parallel and remembers their peers. The error names those that are malformed
// (ErrAddress) or did not answer; connections to the others stand.
func (h *Host) Connect(ctx context.Context, addrs []string) error {
	infos, errs := parseAddrs(addrs)
	h.mu.Lock()
	for id, info := range infos {
		h.remember(id, info)
	}
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, info := range infos {
		wg.Go(func() {
			if err := h.host.Connect(ctx, info); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("peer %s does not answer: %w", info.ID, err))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// SetPeers replaces the peers that Get asks besides those that are connected. Malformed addresses are passed over: they
// come from strangers, and one of them must not silence the others. At most 1,024 peers are kept.
func (h *Host) SetPeers(addrs []string) {
	infos, _ := parseAddrs(addrs)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known = map[peer.ID]peer.AddrInfo{}
	for id, info := range infos {
		h.remember(id, info)
	}
}

// remember requires h.mu.
func (h *Host) remember(id peer.ID, info peer.AddrInfo) {
	if id == h.host.ID() || len(h.known) >= maxKnown {
		return
	}
	h.known[id] = info
}

func parseAddrs(addrs []string) (map[peer.ID]peer.AddrInfo, []error) {
	infos := map[peer.ID]peer.AddrInfo{}
	var errs []error
	for _, a := range addrs {
		info, err := peer.AddrInfoFromString(a)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w %.200q: %w", ErrAddress, a, err))
			continue
		}
		all := infos[info.ID]
		all.ID = info.ID
		all.Addrs = append(all.Addrs, info.Addrs...)
		infos[info.ID] = all
	}
	return infos, errs
}

// candidates returns the peers that may hold a blob: known ones and connected ones.
func (h *Host) candidates() map[peer.ID]peer.AddrInfo {
	all := map[peer.ID]peer.AddrInfo{}
	for _, id := range h.host.Network().Peers() {
		all[id] = peer.AddrInfo{ID: id}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, info := range h.known {
		all[id] = info
	}
	return all
}

// Peers returns the ids of the connected peers.
func (h *Host) Peers() []string {
	var out []string
	for _, id := range h.host.Network().Peers() {
		out = append(out, id.String())
	}
	return out
}

// Traffic returns the bytes of the blob protocol that were received and sent, framing included, since Open.
func (h *Host) Traffic() (in, out uint64) { return h.in.Load(), h.out.Load() }

// Reachability returns "public" or "private" once other peers have tried to dial back (AutoNAT), and "unknown" before.
func (h *Host) Reachability() string {
	switch network.Reachability(h.reach.Load()) {
	case network.ReachabilityPublic:
		return "public"
	case network.ReachabilityPrivate:
		return "private"
	}
	return "unknown"
}

func (h *Host) watchReachability(sub event.Subscription) {
	defer sub.Close()
	for {
		select {
		case e := <-sub.Out():
			if r, ok := e.(event.EvtLocalReachabilityChanged); ok {
				h.reach.Store(int32(r.Reachability))
			}
		case <-h.ctx.Done():
			return
		}
	}
}

// Close ends all transfers and connections and returns when no goroutine of the host is left. Pieces already fetched
// stay on disk.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	err := h.host.Close()
	h.own.Wait()
	return err
}
