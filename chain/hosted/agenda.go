package hosted

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/mutirao/mutirao/protocol"
)

// Agenda says at which height each of a module's states is next due, so that the end of a block reads those that are, and no others.
type Agenda struct {
	due   collections.Map[[]byte, uint64] // id -> height; absent if nothing is to come
	queue collections.KeySet[date]        // the same, ordered by height
}

type date = collections.Pair[uint64, []byte]

// NewAgenda makes the module's agenda under two prefixes of its store.
func NewAgenda(b *collections.SchemaBuilder, due, queue collections.Prefix) Agenda {
	return Agenda{
		due:   collections.NewMap(b, due, "due", collections.BytesKey, collections.Uint64Value),
		queue: collections.NewKeySet(b, queue, "queue", collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)),
	}
}

// Plan makes id due at a height, and at no other.
func (a Agenda) Plan(ctx context.Context, id protocol.Hash, due protocol.Height) error {
	if err := a.Cancel(ctx, id); err != nil {
		return err
	}
	if err := a.due.Set(ctx, id[:], uint64(due)); err != nil {
		return err
	}
	return a.queue.Set(ctx, collections.Join(uint64(due), id[:]))
}

// Cancel takes id out, if it is there.
func (a Agenda) Cancel(ctx context.Context, id protocol.Hash) error {
	due, ok, err := a.Due(ctx, id)
	if err != nil || !ok {
		return err
	}
	if err := a.queue.Remove(ctx, collections.Join(uint64(due), id[:])); err != nil {
		return err
	}
	return a.due.Remove(ctx, id[:])
}

// Due is the height of id, if it has one.
func (a Agenda) Due(ctx context.Context, id protocol.Hash) (protocol.Height, bool, error) {
	due, err := a.due.Get(ctx, id[:])
	if errors.Is(err, collections.ErrNotFound) {
		return 0, false, nil
	}
	return protocol.Height(due), err == nil, err
}

// Until lists at most so many ids that are due at or before a height, the earliest first.
func (a Agenda) Until(ctx context.Context, now protocol.Height, most int) (ids []protocol.Hash, err error) {
	if most <= 0 {
		return nil, nil
	}
	err = a.queue.Walk(ctx, collections.NewPrefixUntilPairRange[uint64, []byte](uint64(now)), func(key date) (bool, error) {
		ids = append(ids, protocol.Hash(key.K2()))
		return len(ids) == most, nil
	})
	return ids, err
}

// Each calls do with every id that has a height, in the order of ids.
func (a Agenda) Each(ctx context.Context, do func(protocol.Hash) error) error {
	return a.due.Walk(ctx, nil, func(id []byte, _ uint64) (bool, error) { return false, do(protocol.Hash(id)) })
}
