package ledgertest

import (
	"context"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/work"
)

// Client is the ledger as one account sees it, in the form that agents ask for. A context that is done fails every call,
// so that a test can cut an agent off.
type Client struct {
	ledger  *Ledger
	account protocol.Account
}

// Client returns the view of an account.
func (l *Ledger) Client(account protocol.Account) *Client { return &Client{l, account} }

// Account is the sender of what the client submits.
func (c *Client) Account() protocol.Account { return c.account }

// Height is the last closed block.
func (c *Client) Height(ctx context.Context) (protocol.Height, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return c.ledger.Height(), nil
}

// Next waits for a block after a height and returns the last closed one; at once if there is one already.
func (c *Client) Next(ctx context.Context, after protocol.Height) (protocol.Height, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return c.ledger.next(ctx, after)
}

// Runs lists the ids of all runs in the order of their creation.
func (c *Client) Runs(ctx context.Context) ([]protocol.Hash, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.ledger.Runs(), nil
}

// Run returns a run, which the caller must not change. The error is protocol.ErrNotFound.
func (c *Client) Run(ctx context.Context, id protocol.Hash) (*work.State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.ledger.Run(id)
}

// Dataset returns a dataset. The error is protocol.ErrNotFound.
func (c *Client) Dataset(ctx context.Context, id protocol.Hash) (registry.Dataset, error) {
	if err := ctx.Err(); err != nil {
		return registry.Dataset{}, err
	}
	return c.ledger.Dataset(id)
}

// Disputes lists the open disputes about a run in the order in which they were opened.
func (c *Client) Disputes(ctx context.Context, run protocol.Hash) ([]*dispute.State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(c.ledger.Disputes(run), func(d *dispute.State) bool { return d.Ended }), nil
}

// Sign signs a digest as the account.
func (c *Client) Sign(digest protocol.Hash) ([]byte, error) { return Signature(c.account, digest), nil }

// Submit applies messages of the account in the block that is being made: all or none.
func (c *Client) Submit(ctx context.Context, msgs ...protocol.Msg) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.ledger.Submit(c.account, msgs...)
}
