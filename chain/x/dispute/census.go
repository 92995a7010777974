package dispute

import (
	"context"

	"github.com/mutirao/mutirao/protocol"
)

// Census counts the open disputes.
func (k *Keeper) Census(ctx context.Context) (open uint64, err error) {
	err = k.agenda.Each(ctx, func(protocol.Hash) error {
		open++
		return nil
	})
	return open, err
}
