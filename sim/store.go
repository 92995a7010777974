package sim

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/merkle"
)

// errNobody reports a blob that no machine within reach serves now. The real network would keep asking until the caller
// loses patience; here nothing can change while a role is asking.
var errNobody = errors.New("nobody serves the blob")

// store holds the bytes of all blobs once. Which machine holds what is noted with the machine.
type store struct {
	mu       sync.Mutex // also guards holds, peers, in and out of the machines: a verifier fetches in parallel
	bytes    map[protocol.Hash][]byte
	machines []*machine // the author's last: whoever can get a blob elsewhere spares it
}

func (s *store) archived(id protocol.Hash) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.bytes[id]
	return b, ok
}

func (s *store) traffic(m *machine) (in, out uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return m.in, m.out
}

// Put keeps data on the machine's disk. Its name is the leaf hash of the bytes: one of many possible content addresses,
// none of which the rules look into.
func (m *machine) Put(_ context.Context, data []byte) (protocol.Hash, error) {
	id := merkle.Leaf(data)
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	m.store.bytes[id] = slices.Clone(data)
	m.holds[id] = true
	return id, nil
}

// GetAtMost returns a blob from the machine's disk or from the first machine that serves it, and keeps it. The error is
// errNobody also for a blob that is too large. The bytes are shared and must not be changed.
func (m *machine) GetAtMost(ctx context.Context, id protocol.Hash, max int64) ([]byte, error) {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	bytes := m.store.bytes[id]
	if int64(len(bytes)) > max {
		return nil, errNobody
	}
	if m.holds[id] {
		return bytes, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, from := range m.store.machines {
		known := from.Role == "" || slices.Contains(m.peers, from.address()) // everybody knows the author by the invite
		if from == m || !known || !from.up || !from.holds[id] || !from.serves(m) {
			continue
		}
		m.holds[id] = true
		m.in += uint64(len(bytes))
		from.out += uint64(len(bytes))
		return bytes, nil
	}
	return nil, errNobody
}

// Remove forgets a blob; the archive keeps it.
func (m *machine) Remove(id protocol.Hash) error {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	delete(m.holds, id)
	return nil
}

// SetPeers replaces the addresses at which Get asks.
func (m *machine) SetPeers(addresses []string) {
	m.store.mu.Lock()
	defer m.store.mu.Unlock()
	m.peers = slices.Clone(addresses)
}
