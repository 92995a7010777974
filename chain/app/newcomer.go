package app

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/work"
)

// maxWaived bounds the messages of a transaction whose fee is waived, and so what is read before anything is paid.
const maxWaived = 4

// newcomers lets accounts without coins begin: the first transactions about a calibration run cost nothing, and the account is made
// with the first of them. Rule: spec/commons.md §8.
type newcomers struct{ app *App }

// AnteHandle comes before whatever needs the account and its coins.
func (n newcomers) AnteHandle(ctx sdk.Context, tx sdk.Tx, simulate bool, next sdk.AnteHandler) (sdk.Context, error) {
	who, runs := beginning(tx)
	if len(runs) == 0 || n.app.coins(ctx, who[:]).IsGTE(fee(tx)) {
		return next(ctx, tx, simulate)
	}
	free, ok, err := n.app.Commons.Waive(ctx, who, runs)
	if err != nil {
		return ctx, err
	}
	if ok && n.app.Account.GetAccount(ctx, who[:]) == nil {
		account := n.app.Account.NewAccountWithAddress(ctx, who[:])
		if err := account.SetAccountNumber(network.NewcomerNumber(who)); err != nil {
			return ctx, err
		}
		n.app.Account.SetAccount(ctx, account)
	}
	return next(free, tx, simulate)
}

// beginning returns the sender of a transaction that has nothing but a provider's messages about runs, and these runs.
func beginning(tx sdk.Tx) (who protocol.Account, runs []protocol.Hash) {
	msgs := tx.GetMsgs()
	if len(msgs) > maxWaived {
		return who, nil
	}
	for i, m := range msgs {
		execute, ok := m.(*workpb.MsgExecute)
		if !ok {
			return who, nil
		}
		msg, err := work.DecodeMsg(execute.Kind, execute.Body)
		if err != nil {
			return who, nil
		}
		from, err := protocol.ParseAccount(execute.From)
		if err != nil || i > 0 && from != who {
			return who, nil
		}
		who = from
		switch m := msg.(type) {
		case work.Join:
			if !m.Newcomer {
				return who, nil
			}
		case work.Commit, work.Reveal, work.Ready:
		default:
			return who, nil
		}
		runs = append(runs, msg.Target())
	}
	return who, runs
}

// fee is what a transaction offers.
func fee(tx sdk.Tx) sdk.Coin {
	if paying, ok := tx.(sdk.FeeTx); ok {
		return sdk.NewCoin(network.Denom, paying.GetFee().AmountOf(network.Denom))
	}
	return sdk.NewInt64Coin(network.Denom, 0)
}
