package params

import (
	"context"
	"encoding/json"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/x/params/paramspb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/params"
)

// Entry is one number that governance may change.
type Entry struct {
	Name    string          `json:"name"`
	Value   uint64          `json:"value"`
	Min     uint64          `json:"min"`
	Max     uint64          `json:"max"`
	Unit    string          `json:"unit"`
	Last    protocol.Height `json:"last,omitempty"` // block of the last change
	Pending *params.Change  `json:"pending,omitempty"`
}

// Listing is all of them.
type Listing struct {
	Schema string       `json:"schema"` // "mutirao.params/v1"
	Terms  params.Terms `json:"terms"`
	List   []Entry      `json:"list"`
}

type queryServer struct{ *Keeper }

// List returns a Listing.
func (q queryServer) List(ctx context.Context, _ *paramspb.ListRequest) (*paramspb.ListResponse, error) {
	l, err := q.listing(sdk.UnwrapSDKContext(ctx))
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(l)
	return &paramspb.ListResponse{Json: raw}, fault.Query(err)
}

func (k *Keeper) listing(ctx sdk.Context) (l Listing, err error) {
	l.Schema = "mutirao.params/v1"
	if l.Terms, err = k.Terms(ctx); err != nil {
		return l, err
	}
	for _, b := range params.Bounds {
		e := Entry{Name: b.Name, Min: b.Min, Max: b.Max, Unit: b.Unit}
		if e.Value, err = k.numbers[b.Name].Get(ctx); err != nil {
			return l, err
		}
		if e.Last, err = k.lastChange(ctx, b.Name); err != nil {
			return l, err
		}
		c, waits, err := k.change(ctx, b.Name)
		if err != nil {
			return l, err
		}
		if waits {
			e.Pending = &c
		}
		l.List = append(l.List, e)
	}
	return l, nil
}
