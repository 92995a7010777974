package commons

import (
	"context"
	"encoding/json"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
)

// Welcome hosts commons.Newcomers.Admit: an account is about to join a calibration run.
func (k *Keeper) Welcome(ctx sdk.Context, who protocol.Account, run protocol.Hash) error {
	p, err := k.Params(ctx)
	if err != nil {
		return err
	}
	account, err := k.newcomer(ctx, who)
	if err != nil {
		return err
	}
	var n commons.Newcomers
	raw, err := k.begun.Get(ctx)
	switch {
	case errors.Is(err, collections.ErrNotFound):
	case err != nil:
		return err
	default:
		if err := decode(raw, &n); err != nil {
			return err
		}
	}
	if n, account, err = n.Admit(account, run, p, escrow.Env(ctx)); err != nil {
		return err
	}
	if raw, err = json.Marshal(n); err != nil {
		return err
	}
	if err := k.begun.Set(ctx, raw); err != nil {
		return err
	}
	return k.putNewcomer(ctx, who, account)
}

func (k *Keeper) newcomer(ctx context.Context, who protocol.Account) (n commons.Newcomer, err error) {
	raw, err := k.newcomers.Get(ctx, who[:])
	if errors.Is(err, collections.ErrNotFound) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	return n, decode(raw, &n)
}

func (k *Keeper) putNewcomer(ctx context.Context, who protocol.Account, n commons.Newcomer) error {
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return k.newcomers.Set(ctx, who[:], raw)
}

// Waived marks the context of a transaction whose fee is waived.
type waived struct{}

// Waive hosts commons.Newcomer.Waive for a transaction about runs, which must all be for newcomers and go on. If the fee is waived, it
// returns a context in which Fees takes none.
func (k *Keeper) Waive(metered sdk.Context, who protocol.Account, runs []protocol.Hash) (sdk.Context, bool, error) {
	ctx := escrow.Unmetered(metered)
	for _, id := range runs {
		switch run, err := k.runs().Run(ctx, id, escrow.ChargeState(metered)); {
		case errors.Is(err, protocol.ErrNotFound):
			return metered, false, nil
		case err != nil:
			return metered, false, err
		case !run.Spec.Calibration || run.Phase.Ended():
			return metered, false, nil
		}
	}
	p, err := k.Params(ctx)
	if err != nil {
		return metered, false, err
	}
	n, err := k.newcomer(ctx, who)
	if err != nil {
		return metered, false, err
	}
	n, ok := n.Waive(p)
	if !ok {
		return metered, false, nil
	}
	metered.EventManager().EmitEvent(sdk.NewEvent("commons.waived", sdk.NewAttribute("account", who.String())))
	return metered.WithValue(waived{}, true), true, k.putNewcomer(ctx, who, n)
}
