package params

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cosmossdk.io/math"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/params/paramspb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/params"
)

// Bounds on one simulation.
const (
	maxSimulated = 64
	maxWrites    = 1000
	maxShown     = 200 // bytes of a value
)

// Report tells what a proposal would do.
type Report struct {
	Schema   string          `json:"schema"` // "mutirao.proposal-simulation/v1"
	Height   protocol.Height `json:"height"` // of the state that was copied
	Passes   bool            `json:"passes"` // every message is carried out: governance does all or none
	Messages []Outcome       `json:"messages"`
	Numbers  []NumberChange  `json:"numbers,omitempty"`
	Coins    []CoinChange    `json:"coins,omitempty"`
	Writes   []Write         `json:"writes,omitempty"` // at most 1,000
}

// Outcome is that of one message.
type Outcome struct {
	Type  string `json:"type"`
	Error string `json:"error,omitempty"`
	Gas   uint64 `json:"gas"`
}

// NumberChange is a change that would be decided.
type NumberChange struct {
	params.Change
	Refused string `json:"refused,omitempty"` // why the module that uses it would not take it
}

// CoinChange is by how much an account's coins would change, in amut.
type CoinChange struct {
	Account string `json:"account"`
	Amount  string `json:"amount"`
}

// Write is a value that would change in a store.
type Write struct {
	Module string `json:"module"`
	Key    string `json:"key"` // hexadecimal
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Simulate executes messages on a branch of the state that is thrown away.
func (q queryServer) Simulate(ctx context.Context, r *paramspb.SimulateRequest) (*paramspb.SimulateResponse, error) {
	if len(r.Messages) == 0 || len(r.Messages) > maxSimulated {
		return nil, fault.Query(fmt.Errorf("%w: %d messages, allowed are 1 to %d", protocol.ErrInvalid, len(r.Messages), maxSimulated))
	}
	report, err := q.simulate(sdk.UnwrapSDKContext(ctx), r.Messages)
	if err != nil {
		return nil, fault.Query(err)
	}
	raw, err := json.Marshal(report)
	return &paramspb.SimulateResponse{Json: raw}, fault.Query(err)
}

func (k *Keeper) simulate(ctx sdk.Context, messages []*codectypes.Any) (Report, error) {
	report := Report{Schema: "mutirao.proposal-simulation/v1", Height: protocol.Height(ctx.BlockHeight()), Passes: true}
	before, err := k.listing(ctx)
	if err != nil {
		return report, err
	}
	branch, _ := ctx.CacheContext()
	seen := &recorder{MultiStore: branch.MultiStore(), writes: map[string]*Write{}}
	branch = branch.WithMultiStore(seen).WithEventManager(sdk.NewEventManager()).WithGasMeter(storetypes.NewGasMeter(network.BlockGas))
	for _, packed := range messages {
		start := branch.GasMeter().GasConsumed()
		outcome := Outcome{Type: packed.TypeUrl}
		if err := k.try(branch, packed); err != nil {
			outcome.Error, report.Passes = err.Error(), false
		}
		outcome.Gas = branch.GasMeter().GasConsumed() - start
		report.Messages = append(report.Messages, outcome)
	}
	report.Coins = coins(branch.EventManager().Events())
	report.Writes = seen.list()
	report.Numbers, err = k.decided(branch.WithGasMeter(storetypes.NewInfiniteGasMeter()), before)
	return report, err
}

// try executes one message as governance.
func (k *Keeper) try(ctx sdk.Context, packed *codectypes.Any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", protocol.ErrInvalid, p)
		}
	}()
	var msg sdk.Msg
	if err := k.types.UnpackAny(packed, &msg); err != nil {
		return fmt.Errorf("%w: %s is no message of this network: %w", protocol.ErrInvalid, packed.TypeUrl, err)
	}
	if from, ok := msg.(interface{ GetAuthority() string }); ok && from.GetAuthority() != k.governance.String() {
		return fmt.Errorf("%w: the authority is %s, governance is %s", protocol.ErrInvalid, from.GetAuthority(), k.governance)
	}
	handler := k.router.Handler(msg)
	if handler == nil {
		return fmt.Errorf("%w: nobody handles %s", protocol.ErrInvalid, packed.TypeUrl)
	}
	result, err := handler(ctx, msg)
	if err != nil {
		return err
	}
	ctx.EventManager().EmitEvents(result.GetEvents())
	return nil
}

// decided lists the changes that wait in ctx and did not before, and whether their modules would take them.
func (k *Keeper) decided(ctx sdk.Context, before Listing) ([]NumberChange, error) {
	var list []NumberChange
	for _, e := range before.List {
		c, waits, err := k.change(ctx, e.Name)
		if err != nil {
			return nil, err
		}
		if !waits || e.Pending != nil {
			continue
		}
		n := NumberChange{Change: c}
		branch, _ := ctx.CacheContext()
		if err := k.apply(branch, c); err != nil {
			n.Refused = err.Error()
		}
		list = append(list, n)
	}
	return list, nil
}

// coins sums what events of the bank tell of each account.
func coins(events sdk.Events) []CoinChange {
	sums := map[string]math.Int{}
	for _, e := range events {
		who, sign := "", int64(0)
		switch e.Type {
		case banktypes.EventTypeCoinSpent:
			who, sign = banktypes.AttributeKeySpender, -1
		case banktypes.EventTypeCoinReceived:
			who, sign = banktypes.AttributeKeyReceiver, 1
		default:
			continue
		}
		account, _ := e.GetAttribute(who)
		amount, _ := e.GetAttribute(sdk.AttributeKeyAmount)
		list, err := sdk.ParseCoinsNormalized(amount.Value)
		if err != nil {
			continue
		}
		sum, ok := sums[account.Value]
		if !ok {
			sum = math.ZeroInt()
		}
		sums[account.Value] = sum.Add(list.AmountOf(network.Denom).MulRaw(sign))
	}
	var out []CoinChange
	for account, sum := range sums {
		if !sum.IsZero() {
			out = append(out, CoinChange{account, sum.String()})
		}
	}
	slices.SortFunc(out, func(a, b CoinChange) int { return strings.Compare(a.Account, b.Account) })
	return out
}

// show writes a stored value for people.
func show(value []byte) string {
	if value == nil {
		return ""
	}
	text := hex.EncodeToString(value)
	if utf8.Valid(value) && !bytes.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		text = string(value)
	}
	if len(text) > maxShown {
		text = text[:maxShown] + "…"
	}
	return text
}
