package p2p

import (
	"encoding/binary"
	"io/fs"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/mutirao/mutirao/verify/merkle"
)

// Streams that are served at once; beyond, peers are told to come back. A stream costs a piece in memory and one file.
const (
	maxStreams        = 64
	maxStreamsPerPeer = 16
)

// gate counts the streams being served.
type gate struct {
	mu    sync.Mutex
	all   int
	peers map[peer.ID]int
}

func (g *gate) enter(p peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all >= maxStreams || g.peers[p] >= maxStreamsPerPeer {
		return false
	}
	if g.peers == nil {
		g.peers = map[peer.ID]int{}
	}
	g.all++
	g.peers[p]++
	return true
}

func (g *gate) leave(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.peers[p]--; g.peers[p] == 0 {
		delete(g.peers, p)
	}
}

// track adds one to h.own unless the host is closing.
func (h *Host) track() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.own.Add(1)
	return true
}

// serve answers the requests on one stream until the peer closes it, errs or falls silent. A peer that sends something
// malformed loses the stream and nothing else happens.
func (h *Host) serve(s network.Stream) {
	if !h.track() {
		s.Reset()
		return
	}
	defer h.own.Done()
	l := h.link(s, h.timing.idle)
	from := s.Conn().RemotePeer()
	if !h.gate.enter(from) {
		if l.send(refuse(refuseBusy)) != nil {
			s.Reset()
			return
		}
		s.Close()
		return
	}
	defer h.gate.leave(from)
	sv := server{h: h}
	defer sv.close()
	for {
		k, body, err := l.receive()
		if err != nil {
			s.Reset() // also after a clean end: nothing is left to send
			return
		}
		q, err := decodeRequest(k, body)
		if err != nil || l.send(sv.answer(q)) != nil {
			s.Reset()
			return
		}
	}
}

// server is the state of one stream: the blob asked for last stays open.
type server struct {
	h    *Host
	id   merkle.Hash
	blob *blobFile // complete blob id, or nil
}

func (sv *server) close() {
	if sv.blob != nil {
		sv.blob.close()
		sv.blob = nil
	}
}

func refuse(r refusal) []byte { return appendFrame(nil, kindRefuse, []byte{byte(r)}) }

// answer returns the frame that answers q.
func (sv *server) answer(q request) []byte {
	m, held, read := sv.find(q.id)
	switch {
	case read == nil:
		return refuse(refuseUnknown)
	case q.kind == kindHave:
		return appendFrame(nil, kindHolding, encodeHolding(m, held))
	case int64(q.piece) >= int64(len(held)) || !held[q.piece]:
		return refuse(refuseUnknown)
	}
	_, n := m.span(int(q.piece))
	body := make([]byte, pieceHead+n)
	binary.LittleEndian.PutUint32(body, q.piece)
	// read checks the piece: a host whose disk went bad refuses, it does not pass for a liar.
	if err := read(int(q.piece), body[pieceHead:]); err != nil {
		return refuse(refuseUnknown)
	}
	return appendFrame(nil, kindPiece, body)
}

// find returns what this host holds of a blob: all of it from the store, or some of it from a fetch under way. read is nil
// if there is nothing.
func (sv *server) find(id merkle.Hash) (m manifest, held []bool, read func(int, []byte) error) {
	if sv.blob == nil || sv.id != id {
		sv.close()
		if b, err := sv.h.store.open(id); err == nil {
			sv.id, sv.blob = id, b
		}
	}
	if sv.blob != nil {
		held = make([]bool, len(sv.blob.m.leaves))
		for i := range held {
			held[i] = true
		}
		return sv.blob.m, held, sv.blob.read
	}
	sv.h.mu.Lock()
	f := sv.h.fetches[id]
	sv.h.mu.Unlock()
	if f == nil {
		return manifest{}, nil, nil
	}
	p := f.opened()
	if p == nil {
		return manifest{}, nil, nil
	}
	return p.m, p.held(), func(i int, b []byte) error {
		if !p.holds(i) {
			return fs.ErrNotExist
		}
		return p.read(i, b)
	}
}
