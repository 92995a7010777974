package workshop

import (
	"context"
	"errors"
	"testing"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/verify/merkle"
)

var errAbsent = errors.New("not here")

// disk is a store without peers.
type disk map[protocol.Hash][]byte

func (d disk) Put(_ context.Context, data []byte) (protocol.Hash, error) {
	id := merkle.Leaf(data)
	d[id] = data
	return id, nil
}

func (d disk) GetAtMost(_ context.Context, id protocol.Hash, _ int64) ([]byte, error) {
	if d[id] == nil {
		return nil, errAbsent
	}
	return d[id], nil
}

func (d disk) Remove(id protocol.Hash) error {
	delete(d, id)
	return nil
}

func (disk) SetPeers([]string) {}

// TestShelfForgetsOldRounds: payloads and states go some rounds after they were needed last; the data of the run and the
// state that rounds start from stay, however many rounds admit nothing and whatever workers name as their payloads.
func TestShelfForgetsOldRounds(t *testing.T) {
	d := disk{}
	s := newShelf(d)
	put := func(text string) protocol.Hash {
		id, err := s.Put(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	var err error
	if s.data, err = d.Put(t.Context(), []byte("data")); err != nil {
		t.Fatal(err)
	}
	current := put("state")
	var payloads []protocol.Hash
	for r := uint32(1); r <= 3*keptRounds; r++ {
		s.enter(r, current)
		payloads = append(payloads, put(string(rune('a'+r))))
		if _, err := s.GetAtMost(t.Context(), s.data, 100); err != nil {
			t.Fatal(err)
		}
		if _, err := s.GetAtMost(t.Context(), payloads[0], 100); r <= keptRounds && err != nil {
			t.Errorf("round %d: a payload that is still used is gone", r)
		}
	}
	if len(d) != 2+1+keptRounds+1 { // the first payload was asked for to the end
		t.Errorf("%d blobs are left", len(d))
	}
	if d[s.data] == nil || d[current] == nil || d[payloads[0]] == nil || d[payloads[1]] != nil {
		t.Error("what is needed is gone, or what is not needed is left")
	}
	next := put("next state")
	for r := uint32(3 * keptRounds); r <= 5*keptRounds; r++ {
		s.enter(r, next)
	}
	if len(d) != 2 || d[next] == nil || len(s.needed) != 1 {
		t.Errorf("%d blobs are left of the data and the next state, %d noted", len(d), len(s.needed))
	}
}
