package workshop

import (
	"context"
	"sync"

	"github.com/mutirao/mutirao/agent"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// keptRounds is for how many more rounds a payload or a state stays after the one that needed it last: time enough for
// whoever follows the run to fetch it, and with the largest model less than what a peer's store holds.
const keptRounds = 8

// shelf keeps blobs like the Blobs below it and notes in which round each was needed last. Several goroutines may fetch.
type shelf struct {
	agent.Blobs
	data protocol.Hash // the run's data, needed until it ends

	mu     sync.Mutex
	round  uint32
	needed map[protocol.Hash]uint32 // the round in which a blob was asked for or put last
}

func newShelf(b agent.Blobs) *shelf {
	return &shelf{Blobs: b, needed: map[protocol.Hash]uint32{}}
}

// Put keeps data for some rounds.
func (s *shelf) Put(ctx context.Context, data []byte) (protocol.Hash, error) {
	id, err := s.Blobs.Put(ctx, data)
	if err == nil {
		s.need(id)
	}
	return id, err
}

// GetAtMost returns a blob and keeps it for some rounds. A blob that did not arrive, or not whole, is noted as well: parts
// of it take room.
func (s *shelf) GetAtMost(ctx context.Context, id protocol.Hash, max int64) ([]byte, error) {
	s.need(id)
	return s.Blobs.GetAtMost(ctx, id, max)
}

func (s *shelf) need(id protocol.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != s.data { // a worker may name the data as its payload
		s.needed[id] = s.round
	}
}

// enter says that a round is open, or opens next, that starts from current.
func (s *shelf) enter(round uint32, current protocol.Hash) {
	s.need(current)
	s.mu.Lock()
	defer s.mu.Unlock()
	if round == s.round {
		return
	}
	s.round = round
	s.needed[current] = round
	for id, last := range s.needed {
		if last+keptRounds < round && s.Remove(id) == nil { // otherwise it is tried again in the next round
			delete(s.needed, id)
		}
	}
}

// Tidy removes payloads and states that no open round needs from this machine's store. A role calls it in every step.
// After a restart it knows only what has been asked for since.
func (w *Workshop) Tidy(s *work.State) { w.blobs.enter(s.Opened, s.Current.Blob) }
