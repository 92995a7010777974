// Package commons hosts the rules of protocol/commons on the chain: it keeps proposals, votes and the budget, makes granted
// proposals into runs whose author is the treasury, bids for their machines, and mints what they spend beyond what the treasury
// gave. It owns the keys and the right to mint, and no rule. Source: spec/commons.md.
package commons

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// ModuleName names the module, its store and the account that holds votes and deposits.
const ModuleName = "commons"

type (
	records = collections.Map[[]byte, []byte]  // id -> JSON
	pair    = collections.Pair[[]byte, []byte] // proposal, voter; or voter, proposal
)

// Keeper stores the commons.
type Keeper struct {
	bank     Bank
	escrow   escrow.Escrow
	runs     func() Runs
	market   Market
	workers  string // the module whose account holds the money of runs
	treasury protocol.Account
	credits  *Credits
	schema   collections.Schema

	params    collections.Item[[]byte]      // commons.Params in JSON; the default until it is set
	budget    collections.Item[[]byte]      // commons.Budget in JSON; opened with the first block
	proposals records                       // commons.Proposal
	specs     records                       // commons.Propose of those that are open
	open      collections.KeySet[[]byte]    // proposals that are voted on
	returning collections.KeySet[[]byte]    // decided ones with stakes that have to be returned
	stakes    collections.Map[pair, []byte] // commons.Stake by proposal and voter
	voters    collections.KeySet[pair]      // voter, proposal
	jobs      records                       // commons.Job by run
	newcomers records                       // commons.Newcomer by account
	begun     collections.Item[[]byte]      // commons.Newcomers
	running   collections.KeySet[[]byte]    // jobs that have not ended
}

// NewKeeper returns a keeper over the store of credits. runs is called when the app is complete; workers is the module whose account
// holds the money of runs.
func NewKeeper(credits *Credits, bank Bank, runs func() Runs, market Market, workers string, treasury protocol.Account) (*Keeper, error) {
	b := credits.builder
	byID := func(prefix int, name string) records {
		return collections.NewMap(b, collections.NewPrefix(prefix), name, collections.BytesKey, collections.BytesValue)
	}
	ids := func(prefix int, name string) collections.KeySet[[]byte] {
		return collections.NewKeySet(b, collections.NewPrefix(prefix), name, collections.BytesKey)
	}
	pairs := collections.PairKeyCodec(collections.BytesKey, collections.BytesKey)
	k := &Keeper{
		bank: bank, escrow: escrow.New(bank, ModuleName), runs: runs, market: market, workers: workers, treasury: treasury, credits: credits,
		params:    credits.params,
		budget:    collections.NewItem(b, collections.NewPrefix(1), "budget", collections.BytesValue),
		proposals: byID(2, "proposals"),
		specs:     byID(3, "specs"),
		open:      ids(4, "open"),
		returning: ids(5, "returning"),
		stakes:    collections.NewMap(b, collections.NewPrefix(6), "stakes", pairs, collections.BytesValue),
		voters:    collections.NewKeySet(b, collections.NewPrefix(7), "voters", pairs),
		jobs:      byID(8, "jobs"),
		running:   ids(9, "running"),
		newcomers: byID(12, "newcomers"),
		begun:     collections.NewItem(b, collections.NewPrefix(13), "begun", collections.BytesValue),
	}
	var err error
	k.schema, err = b.Build()
	return k, err
}

// Params are the rules' parameters.
func (k *Keeper) Params(ctx context.Context) (commons.Params, error) {
	return k.credits.parameters(ctx, k.treasury)
}

// Budget returns the books of what was burned and minted. They are opened with the supply of now.
func (k *Keeper) Budget(ctx context.Context) (commons.Budget, error) {
	raw, err := k.budget.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return k.openBudget(ctx)
	}
	if err != nil {
		return commons.Budget{}, err
	}
	var b commons.Budget
	return b, decode(raw, &b)
}

func (k *Keeper) openBudget(ctx context.Context) (commons.Budget, error) {
	p, err := k.Params(ctx)
	if err != nil {
		return commons.Budget{}, err
	}
	supply, err := k.supply(ctx)
	return commons.OpenBudget(supply, p, escrow.Env(sdk.UnwrapSDKContext(ctx))), err
}

func (k *Keeper) putBudget(ctx context.Context, b commons.Budget) error {
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return k.budget.Set(ctx, raw)
}

func (k *Keeper) supply(ctx context.Context) (money.Amount, error) {
	return network.Amount(k.bank.GetSupply(ctx, network.Denom).Amount)
}

// funds is what the treasury has.
func (k *Keeper) funds(ctx context.Context) (money.Amount, error) {
	return network.Amount(k.bank.GetBalance(ctx, k.treasury[:], network.Denom).Amount)
}

// Proposal returns one proposal after charging for the size of its stored form, or protocol.ErrNotFound.
func (k *Keeper) Proposal(ctx context.Context, id protocol.Hash, charge escrow.Charge) (commons.Proposal, error) {
	return load[commons.Proposal](ctx, k.proposals, "proposal", id, charge)
}

// Job returns the money of a granted run, or protocol.ErrNotFound.
func (k *Keeper) Job(ctx context.Context, run protocol.Hash) (commons.Job, error) {
	return load[commons.Job](ctx, k.jobs, "job", run, escrow.Free)
}

// putProposal replaces a proposal and what is derived from it.
func (k *Keeper) putProposal(ctx context.Context, o commons.Proposal) error {
	if err := put(ctx, k.proposals, o.ID, o); err != nil {
		return err
	}
	if o.Status == commons.Open {
		return k.open.Set(ctx, o.ID[:])
	}
	if err := k.open.Remove(ctx, o.ID[:]); err != nil {
		return err
	}
	if o.Stake.IsZero() {
		return k.returning.Remove(ctx, o.ID[:])
	}
	return k.returning.Set(ctx, o.ID[:])
}

// putStake replaces a stake; one of nothing is removed.
func (k *Keeper) putStake(ctx context.Context, s commons.Stake) error {
	key, back := collections.Join(s.Proposal[:], s.Voter[:]), collections.Join(s.Voter[:], s.Proposal[:])
	if s.Amount.IsZero() {
		if err := k.voters.Remove(ctx, back); err != nil {
			return err
		}
		return k.stakes.Remove(ctx, key)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := k.voters.Set(ctx, back); err != nil {
		return err
	}
	return k.stakes.Set(ctx, key, raw)
}

// putJob replaces a job.
func (k *Keeper) putJob(ctx context.Context, j commons.Job) error {
	if err := put(ctx, k.jobs, j.Run, j); err != nil {
		return err
	}
	if j.Ended {
		return k.running.Remove(ctx, j.Run[:])
	}
	return k.running.Set(ctx, j.Run[:])
}

// Credit is what an account has earned and cannot send yet.
func (k *Keeper) Credit(ctx context.Context, who protocol.Account) (commons.Credit, error) {
	return k.credits.Credit(ctx, who)
}

// Earned tells which of an account's coins it has earned and cannot send yet, and when it can.
func (k *Keeper) Earned(ctx context.Context, who protocol.Account) (commons.Earnings, error) {
	p, err := k.Params(ctx)
	if err != nil {
		return commons.Earnings{}, err
	}
	c, err := k.Credit(ctx, who)
	return c.Earnings(p), err
}

// Jobs counts the jobs that began, and what earned credit paid for.
func (k *Keeper) Jobs(ctx context.Context) (commons.Jobs, error) { return k.credits.Jobs(ctx) }

// Settle hosts commons.Settle: a run of the treasury is about to pay. What it spends beyond what the treasury gave is minted into
// the escrow of runs. Other runs are none of its business.
func (k *Keeper) Settle(ctx sdk.Context, run *work.State, effects []protocol.Effect) ([]protocol.Effect, error) {
	if run.Author != k.treasury {
		return effects, nil
	}
	p, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	job, err := k.Job(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	budget, err := k.Budget(ctx)
	if err != nil {
		return nil, err
	}
	job, budget, minted, effects := commons.Settle(job, budget, run.Budget, run.Phase.Ended(), effects, p)
	if err := k.putJob(ctx, job); err != nil {
		return nil, err
	}
	if err := k.putBudget(ctx, budget); err != nil {
		return nil, err
	}
	return effects, k.mint(ctx, minted)
}

// mint makes coins for the escrow of runs.
func (k *Keeper) mint(ctx sdk.Context, a money.Amount) error {
	if a.IsZero() {
		return nil
	}
	if err := k.bank.MintCoins(ctx, ModuleName, network.Coins(a)); err != nil {
		return err
	}
	return k.bank.SendCoinsFromModuleToModule(ctx, ModuleName, k.workers, network.Coins(a))
}

// execute carries out the effects of a rule. The rules of the commons record nothing apart from their states.
func (k *Keeper) execute(ctx sdk.Context, effects []protocol.Effect) error {
	return k.escrow.Execute(ctx, effects, func(r protocol.Recorded) error {
		return fmt.Errorf("record of unknown kind %s", r.RecordKind())
	})
}

// load reads a value, charging for the size of its stored form before it is decoded. It returns protocol.ErrNotFound.
func load[T any](ctx context.Context, from records, what string, id protocol.Hash, charge escrow.Charge) (value T, err error) {
	raw, err := from.Get(ctx, id[:])
	if errors.Is(err, collections.ErrNotFound) {
		return value, fmt.Errorf("%w: %s %s", protocol.ErrNotFound, what, id)
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

func put(ctx context.Context, to records, id protocol.Hash, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return to.Set(ctx, id[:], raw)
}
