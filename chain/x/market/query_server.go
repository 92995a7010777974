package market

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/x/market/marketpb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/market"
	"github.com/mutirao/mutirao/protocol/market/auction"
)

// maxListed bounds the entries of one answer.
const maxListed = 1000

type queryServer struct{ *Keeper }

// Params returns the parameters.
func (q queryServer) Params(ctx context.Context, _ *marketpb.ParamsRequest) (*marketpb.ParamsResponse, error) {
	p, err := q.Keeper.Params(ctx)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(p)
	return &marketpb.ParamsResponse{Json: raw}, err
}

// Classes lists classes by id, with the base price of now.
func (q queryServer) Classes(ctx context.Context, r *marketpb.ClassesRequest) (*marketpb.ListResponse, error) {
	params, err := q.Keeper.Params(ctx)
	if err != nil {
		return nil, fault.Query(err)
	}
	batch := params.Batch(now(ctx).Height)
	var answer list
	err = q.classes.Walk(ctx, after(r.After), func(id, raw []byte) (bool, error) {
		var s market.ClassState
		if err := decode(raw, &s); err != nil {
			return true, err
		}
		raw, err := json.Marshal(s.At(params, batch))
		return answer.add(id, raw), err
	})
	return answer.page(), fault.Query(err)
}

// Quote says what units cost that are taken at once.
func (q queryServer) Quote(ctx context.Context, r *marketpb.QuoteRequest) (*marketpb.QuoteResponse, error) {
	var class market.Class
	if err := protocol.DecodeJSON(r.Class, market.MaxMessage, &class); err != nil {
		return nil, fault.Query(err)
	}
	if err := class.Check(); err != nil {
		return nil, fault.Query(err)
	}
	if r.Units == 0 || r.Units > auction.MaxUnits {
		return nil, fault.Query(fmt.Errorf("%w: %d units", protocol.ErrInvalid, r.Units))
	}
	price, free, err := q.Keeper.Quote(sdk.UnwrapSDKContext(ctx), class, r.Units, r.MinReputation, escrow.Free)
	if err != nil {
		return nil, fault.Query(err)
	}
	return &marketpb.QuoteResponse{Price: uint64(price), Free: uint64(free)}, nil
}

// Asks lists the open asks of a class, cheapest first, or all asks of an owner.
func (q queryServer) Asks(ctx context.Context, r *marketpb.AsksRequest) (*marketpb.ListResponse, error) {
	switch {
	case len(r.Class) == len(protocol.Hash{}) && len(r.Owner) == 0:
		return q.classAsks(ctx, r.Class, r.After)
	case len(r.Owner) == len(protocol.Account{}) && len(r.Class) == 0:
		return linked(ctx, q.owned, q.asks, r.Owner, r.After)
	}
	return nil, fault.Query(fmt.Errorf("%w: a class of %d bytes and an owner of %d", protocol.ErrInvalid, len(r.Class), len(r.Owner)))
}

// classAsks pages by reserve (8 bytes) and id.
func (q queryServer) classAsks(ctx context.Context, class, from []byte) (*marketpb.ListResponse, error) {
	within := collections.NewPrefixedTripleRange[[]byte, uint64, []byte](class)
	if len(from) > 0 {
		if len(from) < 8 {
			return nil, fault.Query(fmt.Errorf("%w: a key of %d bytes", protocol.ErrInvalid, len(from)))
		}
		start := collections.Join3(class, binary.BigEndian.Uint64(from), from[8:])
		within = new(collections.Range[offer]).StartExclusive(start)
	}
	var answer list
	err := q.offers.Walk(ctx, within, func(key offer) (bool, error) {
		if string(key.K1()) != string(class) {
			return true, nil
		}
		raw, err := q.asks.Get(ctx, key.K3())
		if err != nil {
			return true, err
		}
		return answer.add(append(binary.BigEndian.AppendUint64(nil, key.K2()), key.K3()...), raw), nil
	})
	return answer.page(), fault.Query(err)
}

// Bids lists the bids of the batch that is open, sealed ones included.
func (q queryServer) Bids(ctx context.Context, r *marketpb.BidsRequest) (*marketpb.ListResponse, error) {
	var within collections.Ranger[date]
	if len(r.After) > 0 {
		if len(r.After) < 8 {
			return nil, fault.Query(fmt.Errorf("%w: a key of %d bytes", protocol.ErrInvalid, len(r.After)))
		}
		within = new(collections.Range[date]).StartExclusive(collections.Join(binary.BigEndian.Uint64(r.After), r.After[8:]))
	}
	var answer list
	err := q.bids.Walk(ctx, within, func(key date, raw []byte) (bool, error) {
		return answer.add(append(binary.BigEndian.AppendUint64(nil, key.K1()), key.K2()...), raw), nil
	})
	return answer.page(), fault.Query(err)
}

// Leases lists what an account buys or provides, by id.
func (q queryServer) Leases(ctx context.Context, r *marketpb.LeasesRequest) (*marketpb.ListResponse, error) {
	if len(r.Account) != len(protocol.Account{}) {
		return nil, fault.Query(fmt.Errorf("%w: account of %d bytes", protocol.ErrInvalid, len(r.Account)))
	}
	return linked(ctx, q.parties, q.leases, r.Account, r.After)
}

// Lease returns one lease.
func (q queryServer) Lease(ctx context.Context, r *marketpb.LeaseRequest) (*marketpb.LeaseResponse, error) {
	if len(r.Id) != len(protocol.Hash{}) {
		return nil, fault.Query(fmt.Errorf("%w: id of %d bytes", protocol.ErrInvalid, len(r.Id)))
	}
	l, err := q.Keeper.Lease(ctx, protocol.Hash(r.Id), escrow.Free)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(l)
	return &marketpb.LeaseResponse{Json: raw}, err
}

// Reputation returns what the protocol has found of a provider.
func (q queryServer) Reputation(ctx context.Context, r *marketpb.ReputationRequest) (*marketpb.ReputationResponse, error) {
	if len(r.Account) != len(protocol.Account{}) {
		return nil, fault.Query(fmt.Errorf("%w: account of %d bytes", protocol.ErrInvalid, len(r.Account)))
	}
	rep, err := q.Keeper.Reputation(ctx, protocol.Account(r.Account), escrow.Free)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(rep)
	return &marketpb.ReputationResponse{Json: raw, Grade: rep.Grade(now(ctx).Height)}, err
}

// Prices lists what a class cost in its batches.
func (q queryServer) Prices(ctx context.Context, r *marketpb.PricesRequest) (*marketpb.ListResponse, error) {
	if len(r.Class) != len(protocol.Hash{}) {
		return nil, fault.Query(fmt.Errorf("%w: class of %d bytes", protocol.ErrInvalid, len(r.Class)))
	}
	var answer list
	err := q.prices.List(ctx, protocol.Hash(r.Class), market.ClassPrice{}.RecordKind(), r.After, func(key string, raw []byte) {
		answer.add([]byte(key), raw)
	})
	return answer.page(), fault.Query(err)
}

// linked lists the records of an account.
func linked(ctx context.Context, index collections.KeySet[link], records collections.Map[[]byte, []byte], who, from []byte) (*marketpb.ListResponse, error) {
	within := collections.NewPrefixedPairRange[[]byte, []byte](who)
	if len(from) > 0 {
		within = within.StartExclusive(from)
	}
	var answer list
	err := index.Walk(ctx, within, func(key link) (bool, error) {
		raw, err := records.Get(ctx, key.K2())
		if err != nil {
			return true, err
		}
		return answer.add(key.K2(), raw), nil
	})
	return answer.page(), fault.Query(err)
}

// list is one page of an answer.
type list struct {
	json [][]byte
	last []byte
}

// add reports whether the page is full.
func (l *list) add(key, raw []byte) bool {
	l.json, l.last = append(l.json, raw), key
	return len(l.json) == maxListed
}

func (l *list) page() *marketpb.ListResponse {
	if len(l.json) < maxListed {
		l.last = nil
	}
	return &marketpb.ListResponse{Json: l.json, Next: l.last}
}

// after is a range behind a key, or of everything.
func after(key []byte) collections.Ranger[[]byte] {
	if len(key) == 0 {
		return nil
	}
	return new(collections.Range[[]byte]).StartExclusive(key)
}

// now is the last block, whose state a query sees.
func now(ctx context.Context) protocol.Env { return escrow.Env(sdk.UnwrapSDKContext(ctx)) }
