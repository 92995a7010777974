package work

import (
	"context"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
)

// Census counts all runs, those that go on, and the rounds that these have closed.
func (k *Keeper) Census(ctx context.Context) (all, open, rounds uint64, err error) {
	if all, err = k.count.Peek(ctx); err != nil {
		return 0, 0, 0, err
	}
	err = k.agenda.Each(ctx, func(id protocol.Hash) error {
		s, err := k.Run(ctx, id, escrow.Free)
		if err != nil {
			return err
		}
		open++
		rounds += uint64(s.Done)
		return nil
	})
	return all, open, rounds, err
}
