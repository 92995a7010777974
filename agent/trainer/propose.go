package trainer

import (
	"context"
	"errors"
	"fmt"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/work"
)

// Propose registers the data and puts the run to the vote of the commons, whose treasury will be its author. m holds what follows
// neither from the recipe nor from terms. What exists already is left as it is, so Propose may be repeated after a crash. It returns
// the id of the proposal, which will be that of the run.
func (t *Trainer) Propose(ctx context.Context, terms work.Spec, m commons.Propose, treasury protocol.Account) (protocol.Hash, error) {
	dataset, id, err := t.dataset(ctx)
	if err != nil {
		return id, err
	}
	create, err := t.create(ctx, terms, id, m.Nonce)
	if err != nil {
		return id, err
	}
	m.Spec = create.Spec
	for _, msg := range []protocol.Msg{dataset, m} {
		if err := t.Ledger.Submit(ctx, msg); err != nil && !errors.Is(err, protocol.ErrExists) {
			return id, fmt.Errorf("%s: %w", msg.Kind(), err)
		}
	}
	return work.RunID(treasury, m.Run()), nil
}
