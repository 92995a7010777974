// Package marketcmd is what `mutirao market` does: it finds the network and the key of a folder, reads the market, places orders
// and sees them through. It holds no rule and no arithmetic of money.
package marketcmd

import (
	"context"
	"errors"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
)

// Market is an open connection in somebody's name.
type Market struct {
	*client.Client
	dir string
}

// Open connects and waits for an answer. The key of the folder is made when it is missing.
func Open(ctx context.Context, f running.Flags) (*Market, error) {
	c, err := f.Act(ctx)
	if err != nil {
		return nil, err
	}
	return &Market{c, f.Dir}, nil
}

var errPoor = errors.New("it has no coins, and a transaction costs a little")

// submit is Submit with a reason for whoever has nothing.
func (m *Market) submit(ctx context.Context, msg protocol.Msg) error {
	err := m.Submit(ctx, msg)
	if err == nil {
		return nil
	}
	if balance, e := m.Balance(ctx, m.Account()); e == nil && balance.IsZero() {
		return failure.New(failure.Credit, "the account of "+m.dir+" cannot act", errPoor, "ask a member to send coins to "+m.Account().String()+", or name another folder with --dir")
	}
	return err
}
