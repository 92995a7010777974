package market

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"cosmossdk.io/collections"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
)

// load reads a value, charging for the size of its stored form before it is decoded. It returns protocol.ErrNotFound.
func load[T any](ctx context.Context, from collections.Map[[]byte, []byte], what string, key []byte, charge escrow.Charge) (value T, err error) {
	raw, err := from.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return value, fmt.Errorf("%w: %s %x", protocol.ErrNotFound, what, key)
	}
	if err != nil {
		return value, err
	}
	charge(len(raw))
	return value, decode(raw, &value)
}

func decode(raw []byte, value any) error {
	if err := json.Unmarshal(raw, value); err != nil {
		return fmt.Errorf("stored %T: %w", value, err)
	}
	return nil
}

func put(ctx context.Context, to collections.Map[[]byte, []byte], key []byte, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return to.Set(ctx, key, raw)
}

// replace moves a key of an index: from is in it if had, to shall be in it if has.
func replace[K any](ctx context.Context, index collections.KeySet[K], from K, had bool, to K, has bool) error {
	if had == has && (!had || reflect.DeepEqual(from, to)) {
		return nil
	}
	if had {
		if err := index.Remove(ctx, from); err != nil {
			return err
		}
	}
	if has {
		return index.Set(ctx, to)
	}
	return nil
}
