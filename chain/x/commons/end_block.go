package commons

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
	"github.com/mutirao/mutirao/protocol/money"
)

// The end of a block is paid by nobody: these bound it.
const (
	maxReturns = 100 // stakes that are given back
	maxJobs    = 64  // jobs that bid in one batch; with more they take turns
)

// endBlock lets a step of conviction pass, gives stakes back, and bids for the machines of jobs.
func (k *Keeper) endBlock(metered sdk.Context) error {
	ctx := escrow.Unmetered(metered)
	p, err := k.Params(ctx)
	if err != nil {
		return err
	}
	env := escrow.Env(ctx)
	if known, err := k.budget.Has(ctx); err != nil {
		return err
	} else if !known {
		b, err := k.openBudget(ctx)
		if err != nil {
			return err
		}
		if err := k.putBudget(ctx, b); err != nil {
			return err
		}
	}
	if p.Steps(env.Height) {
		if err := k.step(ctx, p, env); err != nil {
			return err
		}
	}
	if err := k.giveBack(ctx); err != nil {
		return err
	}
	return k.bid(ctx, env)
}

// step hosts commons.Proposal.Step for all proposals that are voted on, and decides those that are due, the oldest first.
func (k *Keeper) step(ctx sdk.Context, p commons.Params, env protocol.Env) error {
	budget, err := k.Budget(ctx)
	if err != nil {
		return err
	}
	supply, err := k.supply(ctx)
	if err != nil {
		return err
	}
	budget = budget.Note(supply, p, env)
	if err := k.putBudget(ctx, budget); err != nil {
		return err
	}
	funds, err := k.funds(ctx)
	if err != nil {
		return err
	}
	open, err := k.openProposals(ctx)
	if err != nil {
		return err
	}
	electorate := p.Electorate(open, supply)
	var due []commons.Proposal
	for _, o := range open {
		o, decide := o.Step(funds.Plus(budget.Free()), electorate, p, env).Extend(p, env)
		if decide {
			due = append(due, o)
		}
		if err := k.putProposal(ctx, o); err != nil {
			return err
		}
	}
	slices.SortFunc(due, func(a, b commons.Proposal) int {
		return cmp.Or(cmp.Compare(a.Ends, b.Ends), bytes.Compare(a.ID[:], b.ID[:]))
	})
	for _, o := range due {
		err := escrow.Isolated(ctx, func(ctx sdk.Context) error { return k.decide(ctx, o, p, env) })
		if err == nil {
			continue
		}
		ctx.Logger().Error("granted run cannot begin", "module", ModuleName, "run", o.ID.String(), "err", err)
		failed, effects := commons.Fail(o)
		if err := k.end(ctx, failed, effects); err != nil {
			return err
		}
	}
	return nil
}

// decide hosts commons.Decide. A granted run is made in the same block.
func (k *Keeper) decide(ctx sdk.Context, o commons.Proposal, p commons.Params, env protocol.Env) error {
	budget, err := k.Budget(ctx)
	if err != nil {
		return err
	}
	supply, err := k.supply(ctx)
	if err != nil {
		return err
	}
	funds, err := k.funds(ctx)
	if err != nil {
		return err
	}
	open, err := k.openProposals(ctx)
	if err != nil {
		return err
	}
	message, err := load[commons.Propose](ctx, k.specs, "proposed run", o.ID, escrow.Free)
	if err != nil {
		return err
	}
	o, budget, job, effects := commons.Decide(o, budget, funds, p.Electorate(open, supply), p, env)
	if err := k.end(ctx, o, effects); err != nil || job == nil {
		return err
	}
	if err := k.putBudget(ctx, budget); err != nil {
		return err
	}
	if err := k.putJob(ctx, *job); err != nil {
		return err
	}
	return k.runs().Create(ctx, message.Run(), p.Treasury, env)
}

// end stores a proposal that is decided.
func (k *Keeper) end(ctx sdk.Context, o commons.Proposal, effects []protocol.Effect) error {
	if err := k.specs.Remove(ctx, o.ID[:]); err != nil {
		return err
	}
	if err := k.putProposal(ctx, o); err != nil {
		return err
	}
	return k.execute(ctx, effects)
}

func (k *Keeper) openProposals(ctx context.Context) ([]commons.Proposal, error) {
	open, err := ids(ctx, k.open, nil, commons.MaxOpen)
	if err != nil {
		return nil, err
	}
	list := make([]commons.Proposal, len(open))
	for i, id := range open {
		if list[i], err = k.Proposal(ctx, protocol.Hash(id), escrow.Free); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// giveBack hosts commons.Return for stakes behind decided proposals.
func (k *Keeper) giveBack(ctx sdk.Context) error {
	decided, err := ids(ctx, k.returning, nil, 1)
	if err != nil || len(decided) == 0 {
		return err
	}
	o, err := k.Proposal(ctx, protocol.Hash(decided[0]), escrow.Free)
	if err != nil {
		return err
	}
	var stakes []commons.Stake
	within := collections.NewPrefixedPairRange[[]byte, []byte](decided[0])
	if err := k.stakes.Walk(ctx, within, func(_ pair, raw []byte) (bool, error) {
		var s commons.Stake
		err := decode(raw, &s)
		stakes = append(stakes, s)
		return len(stakes) == maxReturns, err
	}); err != nil {
		return err
	}
	for _, s := range stakes {
		var effects []protocol.Effect
		o, effects = commons.Return(o, s)
		s.Amount = money.Amount{}
		if err := k.putStake(ctx, s); err != nil {
			return err
		}
		if err := k.execute(ctx, effects); err != nil {
			return err
		}
	}
	return k.putProposal(ctx, o)
}

// bid hosts commons.Hire.Wants in the first block in which bids are opened: no ask can answer to them any more.
func (k *Keeper) bid(ctx sdk.Context, env protocol.Env) error {
	m, err := k.market.Params(ctx)
	if err != nil || !m.Enters(env.Height) {
		return err
	}
	jobs, err := ids(ctx, k.running, nil, 1<<20)
	if err != nil {
		return err
	}
	for i := range min(len(jobs), maxJobs) {
		run := protocol.Hash(jobs[(int(m.Batch(env.Height)%uint64(len(jobs)))*maxJobs+i)%len(jobs)])
		if err := escrow.Isolated(ctx, func(ctx sdk.Context) error { return k.hire(ctx, run) }); err != nil {
			ctx.Logger().Error("job cannot bid", "module", ModuleName, "run", run.String(), "err", err)
		}
	}
	return nil
}

func (k *Keeper) hire(ctx sdk.Context, run protocol.Hash) error {
	o, err := k.Proposal(ctx, run, escrow.Free)
	if err != nil {
		return err
	}
	state, err := k.runs().Run(ctx, run, escrow.Free)
	if err != nil {
		return err
	}
	leases, err := k.market.JobLeases(ctx, run)
	if err != nil {
		return err
	}
	terms, ok := o.Hire.Wants(state, leases)
	if !ok {
		return nil
	}
	return k.market.Enter(ctx, terms)
}

// ids lists the members of a set behind one of them, at most so many.
func ids(ctx context.Context, set collections.KeySet[[]byte], after []byte, most int) (list [][]byte, err error) {
	var within collections.Ranger[[]byte]
	if len(after) > 0 {
		within = new(collections.Range[[]byte]).StartExclusive(after)
	}
	err = set.Walk(ctx, within, func(id []byte) (bool, error) {
		list = append(list, id)
		return len(list) == most, nil
	})
	return list, err
}
