package commons

import (
	"context"
	"encoding/json"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/x/commons/commonspb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/commons"
)

// maxListed bounds the entries of one answer.
const maxListed = 1000

type queryServer struct{ *Keeper }

// Params returns the parameters.
func (q queryServer) Params(ctx context.Context, _ *commonspb.ParamsRequest) (*commonspb.JSONResponse, error) {
	p, err := q.Keeper.Params(ctx)
	return answer(p, err)
}

// Status returns the budget and what it is made of.
func (q queryServer) Status(ctx context.Context, _ *commonspb.StatusRequest) (*commonspb.JSONResponse, error) {
	return answer(q.Keeper.Status(ctx))
}

// Status is the budget as it is now: what was burned since the last step counts.
func (k *Keeper) Status(ctx context.Context) (commons.Summary, error) {
	var s commons.Summary
	p, err := k.Params(ctx)
	if err != nil {
		return s, err
	}
	b, err := k.Budget(ctx)
	if err != nil {
		return s, err
	}
	if s.Supply, err = k.supply(ctx); err != nil {
		return s, err
	}
	if s.Treasury, err = k.funds(ctx); err != nil {
		return s, err
	}
	env := escrow.Env(sdk.UnwrapSDKContext(ctx))
	b = b.Note(s.Supply, p, env)
	open, err := k.openProposals(ctx)
	if err != nil {
		return s, err
	}
	s.Height, s.Burned, s.Minted, s.Promised, s.Expired, s.Free = env.Height, b.Burned, b.Minted, b.Promised, b.Expired, b.Free()
	s.Budget, s.Electorate, s.Open = s.Treasury.Plus(s.Free), p.Electorate(open, s.Supply), len(open)
	s.Jobs, err = k.Jobs(ctx)
	s.EarnedPPM = s.Jobs.SharePPM()
	return s, err
}

// Proposals lists proposals by id.
func (q queryServer) Proposals(ctx context.Context, r *commonspb.ProposalsRequest) (*commonspb.ListResponse, error) {
	if r.Open {
		open, err := ids(ctx, q.open, r.After, maxListed)
		return page(ctx, q.proposals, open, err)
	}
	var within collections.Ranger[[]byte]
	if len(r.After) > 0 {
		within = new(collections.Range[[]byte]).StartExclusive(r.After)
	}
	var keys [][]byte
	err := q.proposals.Walk(ctx, within, func(id, _ []byte) (bool, error) {
		keys = append(keys, id)
		return len(keys) == maxListed, nil
	})
	return page(ctx, q.proposals, keys, err)
}

// page answers with the records of ids.
func page(ctx context.Context, from records, ids [][]byte, err error) (*commonspb.ListResponse, error) {
	if err != nil {
		return nil, fault.Query(err)
	}
	out := new(commonspb.ListResponse)
	for _, id := range ids {
		raw, err := from.Get(ctx, id)
		if err != nil {
			return nil, fault.Query(err)
		}
		out.Json = append(out.Json, raw)
	}
	if len(ids) == maxListed {
		out.Next = ids[len(ids)-1]
	}
	return out, nil
}

// Proposal returns one proposal and its job, if it has one.
func (q queryServer) Proposal(ctx context.Context, r *commonspb.ProposalRequest) (*commonspb.JSONResponse, error) {
	if len(r.Id) != len(protocol.Hash{}) {
		return nil, fault.Query(fmt.Errorf("%w: id of %d bytes", protocol.ErrInvalid, len(r.Id)))
	}
	o, err := q.Keeper.Proposal(ctx, protocol.Hash(r.Id), escrow.Free)
	if err != nil {
		return nil, fault.Query(err)
	}
	view := commons.View{Proposal: o}
	if o.Status == commons.Granted {
		job, err := q.Job(ctx, o.ID)
		if err != nil {
			return nil, fault.Query(err)
		}
		view.Job = &job
	}
	return answer(view, nil)
}

// Votes lists the stakes of an account by proposal.
func (q queryServer) Votes(ctx context.Context, r *commonspb.VotesRequest) (*commonspb.ListResponse, error) {
	if len(r.Account) != len(protocol.Account{}) {
		return nil, fault.Query(fmt.Errorf("%w: account of %d bytes", protocol.ErrInvalid, len(r.Account)))
	}
	within := collections.NewPrefixedPairRange[[]byte, []byte](r.Account)
	if len(r.After) > 0 {
		within = within.StartExclusive(r.After)
	}
	out := new(commonspb.ListResponse)
	err := q.voters.Walk(ctx, within, func(key pair) (bool, error) {
		raw, err := q.stakes.Get(ctx, collections.Join(key.K2(), key.K1()))
		out.Json = append(out.Json, raw)
		if len(out.Json) == maxListed {
			out.Next = key.K2()
		}
		return len(out.Json) == maxListed, err
	})
	return out, fault.Query(err)
}

// Account returns what an account has earned and cannot send yet.
func (q queryServer) Account(ctx context.Context, r *commonspb.AccountRequest) (*commonspb.JSONResponse, error) {
	if len(r.Account) != len(protocol.Account{}) {
		return nil, fault.Query(fmt.Errorf("%w: account of %d bytes", protocol.ErrInvalid, len(r.Account)))
	}
	e, err := q.Earned(ctx, protocol.Account(r.Account))
	return answer(e, err)
}

func answer(v any, err error) (*commonspb.JSONResponse, error) {
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(v)
	return &commonspb.JSONResponse{Json: raw}, err
}
