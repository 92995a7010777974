package dispute

import "context"

// Census counts the open disputes.
func (k *Keeper) Census(ctx context.Context) (open uint64, err error) {
	err = k.due.Walk(ctx, nil, func([]byte, uint64) (bool, error) {
		open++
		return false, nil
	})
	return open, err
}
