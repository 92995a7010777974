package commons

import (
	"context"
	"encoding/json"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/money"
)

// Credits is what accounts have earned and cannot send yet. The bank is made over it, so it comes before the keeper, whose store and
// schema it shares.
type Credits struct {
	builder  *collections.SchemaBuilder
	exempt   []protocol.Account // the network's own accounts
	params   collections.Item[[]byte]
	accounts collections.Map[[]byte, []byte] // account -> commons.Credit in JSON
	jobs     collections.Item[[]byte]        // commons.Jobs in JSON
}

// NewCredits opens the credits of the module's store. Accounts that are exempt earn coins that they can send.
func NewCredits(service store.KVStoreService, exempt ...protocol.Account) *Credits {
	b := collections.NewSchemaBuilder(service)
	return &Credits{
		builder: b, exempt: exempt,
		params:   collections.NewItem(b, collections.NewPrefix(0), "params", collections.BytesValue),
		accounts: collections.NewMap(b, collections.NewPrefix(10), "credits", collections.BytesKey, collections.BytesValue),
		jobs:     collections.NewItem(b, collections.NewPrefix(11), "jobs_paid", collections.BytesValue),
	}
}

// parameters are the rules' parameters for a treasury.
func (c *Credits) parameters(ctx context.Context, treasury protocol.Account) (commons.Params, error) {
	p := commons.DefaultParams(treasury)
	raw, err := c.params.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	return p, err
}

// Credit is what an account has earned and cannot send yet.
func (c *Credits) Credit(ctx context.Context, who protocol.Account) (commons.Credit, error) {
	var credit commons.Credit
	raw, err := c.accounts.Get(ctx, who[:])
	if errors.Is(err, collections.ErrNotFound) {
		return credit, nil
	}
	if err == nil {
		err = decode(raw, &credit)
	}
	if err != nil || len(credit.Parts) == 0 {
		return credit, err
	}
	p, err := c.parameters(ctx, protocol.Account{})
	return credit.At(p, escrow.Env(sdk.UnwrapSDKContext(ctx))), err
}

// change replaces the credit of an account. Nothing here costs gas: what it is part of is paid for.
func (c *Credits) change(metered context.Context, who protocol.Account, rule func(commons.Credit, commons.Params, protocol.Env) commons.Credit) error {
	ctx := escrow.Unmetered(sdk.UnwrapSDKContext(metered))
	credit, err := c.Credit(ctx, who)
	if err != nil {
		return err
	}
	p, err := c.parameters(ctx, protocol.Account{})
	if err != nil {
		return err
	}
	after := rule(credit, p, escrow.Env(ctx))
	if len(after.Parts) == 0 {
		return c.accounts.Remove(ctx, who[:])
	}
	raw, err := json.Marshal(after)
	if err != nil {
		return err
	}
	return c.accounts.Set(ctx, who[:], raw)
}

// Any reports whether an account may have earned something that it cannot send yet. It costs no gas.
func (c *Credits) Any(metered context.Context, who protocol.Account) bool {
	found, err := c.accounts.Has(escrow.Unmetered(sdk.UnwrapSDKContext(metered)), who[:])
	return found || err != nil // what cannot be read is reported by those who read it
}

// Locked is what an account cannot send, of the coins that it has.
func (c *Credits) Locked(metered context.Context, who protocol.Account, has money.Amount) money.Amount {
	credit, err := c.Credit(escrow.Unmetered(sdk.UnwrapSDKContext(metered)), who)
	if err != nil {
		panic("commons: credit of " + who.String() + ": " + err.Error()) // a stored value of ours that cannot be read
	}
	return credit.Trim(has).Locked()
}

// use takes an amount for something of an account's own, and returns how much of it was credit.
func (c *Credits) use(ctx context.Context, who protocol.Account, has, a money.Amount, back bool) (used money.Amount, err error) {
	err = c.change(ctx, who, func(credit commons.Credit, p commons.Params, env protocol.Env) commons.Credit {
		credit, used = credit.Trim(has).Use(a, back, p, env)
		return credit
	})
	return used, err
}

func (c *Credits) earn(ctx context.Context, who protocol.Account, a money.Amount) error {
	for _, e := range c.exempt {
		if e == who {
			return nil
		}
	}
	return c.change(ctx, who, func(credit commons.Credit, p commons.Params, env protocol.Env) commons.Credit {
		return credit.Earn(a, p, env)
	})
}

func (c *Credits) back(ctx context.Context, who protocol.Account, a money.Amount) error {
	return c.change(ctx, who, func(credit commons.Credit, p commons.Params, env protocol.Env) commons.Credit {
		return credit.Back(a, p, env)
	})
}

// Jobs counts the jobs that began and what paid for them.
func (c *Credits) Jobs(ctx context.Context) (j commons.Jobs, err error) {
	raw, err := c.jobs.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return j, nil
	}
	if err == nil {
		err = decode(raw, &j)
	}
	return j, err
}

func (c *Credits) began(metered context.Context, amount, earned money.Amount) error {
	ctx := escrow.Unmetered(sdk.UnwrapSDKContext(metered))
	j, err := c.Jobs(ctx)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(j.Began(amount, earned))
	if err != nil {
		return err
	}
	return c.jobs.Set(ctx, raw)
}
