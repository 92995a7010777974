// Package disputecmd is what `mutirao dispute` does: it reads disputes of a running network, tells them in words, and plays a side of one
// from the folder of an account. It holds no rule.
package disputecmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mutirao/mutirao/chain/client"
	"github.com/mutirao/mutirao/node/failure"
	"github.com/mutirao/mutirao/node/running"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
)

// Court is an open connection to a ledger with disputes.
type Court struct {
	*client.Client
	endpoints []string
}

// Open connects to read. network is an invite, an RPC endpoint or the folder of a network that runs on this machine.
func Open(ctx context.Context, network string) (*Court, error) {
	return open(ctx, network, client.Key{})
}

func open(ctx context.Context, network string, key client.Key) (*Court, error) {
	c, err := running.Dial(ctx, network, key)
	if err != nil {
		return nil, err
	}
	urls, err := running.Endpoints(network)
	return &Court{c, urls}, err
}

// Case is a dispute, open or ended: exactly one of State and Ruling is set.
type Case struct {
	State  *dispute.State
	Ruling *dispute.Ruling
}

// ID names the dispute.
func (c Case) ID() protocol.Hash {
	if c.State != nil {
		return c.State.ID
	}
	return c.Ruling.Dispute
}

// Claim is what the dispute is about.
func (c Case) Claim() dispute.Claim {
	if c.State != nil {
		return c.State.Claim
	}
	return c.Ruling.Claim
}

// Challenger opened the dispute.
func (c Case) Challenger() protocol.Account {
	if c.State != nil {
		return c.State.Challenger
	}
	return c.Ruling.Challenger
}

// Opened is the block in which the dispute began.
func (c Case) Opened() protocol.Height {
	if c.State != nil {
		return c.State.Opened
	}
	return c.Ruling.Opened
}

// cases lists the disputes about some runs, in the order in which they were opened; all runs if none is named.
func (c *Court) cases(ctx context.Context, run string) ([]Case, error) {
	runs, err := c.Runs(ctx)
	if err != nil {
		return nil, err
	}
	var list []Case
	for _, id := range runs {
		if !strings.HasPrefix(id.String(), run) {
			continue
		}
		open, err := c.Disputes(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, s := range open {
			list = append(list, Case{State: s})
		}
		rulings, err := c.Rulings(ctx, id)
		if err != nil {
			return nil, err
		}
		for i := range rulings {
			list = append(list, Case{Ruling: &rulings[i]})
		}
	}
	slices.SortStableFunc(list, func(a, b Case) int { return int(a.Opened()) - int(b.Opened()) })
	return list, nil
}

var (
	errNone = errors.New("no dispute has an id that begins so")
	errMany = errors.New("several disputes have ids that begin so")
)

// Find returns the dispute whose id begins with a text.
func (c *Court) Find(ctx context.Context, id string) (Case, error) {
	const next = "mutirao dispute list"
	all, err := c.cases(ctx, "")
	if err != nil {
		return Case{}, err
	}
	list := slices.DeleteFunc(all, func(x Case) bool { return !strings.HasPrefix(x.ID().String(), strings.ToLower(id)) })
	switch {
	case len(list) == 0 || id == "":
		return Case{}, failure.New(failure.NotFound, fmt.Sprintf("there is no dispute %.70q", id), errNone, next)
	case len(list) > 1:
		return Case{}, failure.New(failure.Usage, fmt.Sprintf("%.70q is not one dispute", id), fmt.Errorf("%w: %d", errMany, len(list)), next)
	}
	return list[0], nil
}
