package dispute

import (
	"context"
	"encoding/json"

	"github.com/mutirao/mutirao/protocol/dispute"
)

// SetParams replaces the terms of disputes that are opened from now on. The error is protocol.ErrInvalid for terms that the rules refuse.
func (k *Keeper) SetParams(ctx context.Context, p dispute.Params) error {
	if err := p.Check(); err != nil {
		return err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return k.params.Set(ctx, raw)
}
