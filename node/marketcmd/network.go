// Package marketcmd is what `mutirao market` does: it finds the network and the key of a folder, reads the market, places orders
// and sees them through. It holds no rule and no arithmetic of money.
package marketcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/role"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
)

// answerTimeout is how long a ledger has to answer before a command fails with a reason.
const answerTimeout = 20 * time.Second

// Where says which network is meant, and who acts.
type Where struct {
	Network string // an invite, an RPC endpoint, or the folder of a network that runs on this machine
	Dir     string // folder with the account's key
}

// Market is an open connection in somebody's name.
type Market struct {
	*client.Client
	dir string
}

// Open connects and waits for an answer. The key of the folder is made when it is missing.
func Open(ctx context.Context, w Where) (*Market, error) {
	urls, err := running.Endpoints(w.Network)
	if err != nil {
		return nil, err
	}
	key, err := role.Key(w.Dir)
	if err != nil {
		return nil, err
	}
	c, err := client.Dial(urls, key)
	if err != nil {
		return nil, failure.New(failure.Usage, "the network's address cannot be used", err, "write it like http://127.0.0.1:26657")
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if _, err := c.Next(ctx, 0); err != nil {
		return nil, failure.New(failure.Network, "the ledger does not answer", fmt.Errorf("%s: %w", strings.Join(urls, ", "), err), "check that the network runs")
	}
	return &Market{c, w.Dir}, nil
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

// refused gives the errors of the rules an exit code and a next step.
func refused(what string, err error, next string) error {
	code := failure.General
	var explained *failure.Error
	switch {
	case errors.As(err, &explained):
		return err
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, protocol.ErrInsufficient):
		code = failure.Credit
	case errors.Is(err, protocol.ErrFull):
		code = failure.Capacity
	case errors.Is(err, protocol.ErrNotFound):
		code = failure.NotFound
	case errors.Is(err, protocol.ErrNotAssigned):
		code = failure.Denied
	case errors.Is(err, protocol.ErrInvalid):
		code = failure.Usage
	case errors.Is(err, client.ErrUnreachable):
		code = failure.Network
	}
	return failure.New(code, what, err, next)
}
