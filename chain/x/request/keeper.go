// Package request hosts the rules of protocol/request on the chain: it loads a request, applies a rule, stores what changed and carries
// out the effects; at the end of a block it lets the time pass for those that are due. Messages come through the precompile of
// chain/precompile/request, so the module has no message of its own. It owns the keys, and no rule. Source: spec/request.md.
package request

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/record"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/request"
)

// ModuleName names the module, its store and the account that holds the escrow.
const ModuleName = "request"

// self is that account.
var self = protocol.Account(authtypes.NewModuleAddress(ModuleName))

type (
	due   = collections.Pair[uint64, []byte] // block, id
	party = collections.Pair[[]byte, []byte] // account, id
)

// Keeper stores requests.
type Keeper struct {
	escrow escrow.Escrow
	models Models
	schema collections.Schema

	requests collections.Map[[]byte, []byte] // id -> request.Request in JSON
	inputs   collections.Map[[]byte, []byte] // id -> numbers, while the request is not final
	answers  collections.Map[[]byte, []byte] // digest of id and answer -> numbers
	numbers  collections.Map[[]byte, uint64] // account -> requests it has made
	wanted   collections.KeySet[[]byte]      // ids of requests that are not final
	parties  collections.KeySet[party]       // who has something in escrow, for which request
	kept     collections.KeySet[party]       // requesters and workers of all requests that can be read
	queue    collections.KeySet[due]         // Due of each request
	records  record.Book
}

// NewKeeper returns a keeper over the module's store.
func NewKeeper(service store.KVStoreService, bank escrow.Bank, models Models) (*Keeper, error) {
	b := collections.NewSchemaBuilder(service)
	byID := func(prefix int, name string) collections.Map[[]byte, []byte] {
		return collections.NewMap(b, collections.NewPrefix(prefix), name, collections.BytesKey, collections.BytesValue)
	}
	k := &Keeper{
		escrow: escrow.New(bank, ModuleName), models: models,
		requests: byID(0, "requests"), inputs: byID(1, "inputs"), answers: byID(2, "answers"),
		numbers: collections.NewMap(b, collections.NewPrefix(3), "numbers", collections.BytesKey, collections.Uint64Value),
		wanted:  collections.NewKeySet(b, collections.NewPrefix(4), "wanted", collections.BytesKey),
		queue:   collections.NewKeySet(b, collections.NewPrefix(5), "queue", collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)),
		records: record.NewBook(b, collections.NewPrefix(6)),
		parties: collections.NewKeySet(b, collections.NewPrefix(7), "parties", collections.PairKeyCodec(collections.BytesKey, collections.BytesKey)),
		kept:    collections.NewKeySet(b, collections.NewPrefix(8), "kept", collections.PairKeyCodec(collections.BytesKey, collections.BytesKey)),
	}
	var err error
	k.schema, err = b.Build()
	return k, err
}

// Models is the registry as the keeper needs it.
type Models interface {
	// Model returns a model after charging for the size of its stored form, or protocol.ErrNotFound.
	Model(ctx context.Context, id protocol.Hash, charge escrow.Charge) (registry.Model, error)
	// Use pays the holders of model, which was read in this state.
	Use(ctx sdk.Context, m registry.Use, model registry.Model, from protocol.Account) error
}

// Request returns one request after charging for the size of its stored form, or protocol.ErrNotFound.
func (k *Keeper) Request(ctx context.Context, id protocol.Hash, charge escrow.Charge) (*request.Request, error) {
	raw, err := k.requests.Get(ctx, id[:])
	if errors.Is(err, collections.ErrNotFound) {
		return nil, fmt.Errorf("%w: request %s", protocol.ErrNotFound, id)
	}
	if err != nil {
		return nil, err
	}
	charge(len(raw))
	r := new(request.Request)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("stored request %s: %w", id, err)
	}
	return r, nil
}

// Input is what the model is asked, protocol.ErrNotFound once the request is final.
func (k *Keeper) Input(ctx context.Context, id protocol.Hash, charge escrow.Charge) ([]uint32, error) {
	return numbersIn(ctx, k.inputs, id, charge)
}

// Answer is the answer of a request that has one.
func (k *Keeper) Answer(ctx context.Context, r *request.Request, charge escrow.Charge) ([]uint32, error) {
	if r.Answer.IsZero() {
		return nil, fmt.Errorf("%w: request %s has no answer", protocol.ErrNotFound, r.ID)
	}
	return numbersIn(ctx, k.answers, answerKey(r.ID, r.Answer), charge)
}

func numbersIn(ctx context.Context, from collections.Map[[]byte, []byte], key protocol.Hash, charge escrow.Charge) ([]uint32, error) {
	raw, err := from.Get(ctx, key[:])
	if errors.Is(err, collections.ErrNotFound) {
		return nil, fmt.Errorf("%w: numbers of %s", protocol.ErrNotFound, key)
	}
	if err != nil {
		return nil, err
	}
	charge(len(raw))
	return request.Numbers(raw), nil
}

// answerKey keeps the answers that differ apart until the request is final.
func answerKey(id, answer protocol.Hash) protocol.Hash {
	return new(protocol.Preimage).Hash(id).Hash(answer).Digest("mutirao/request/kept")
}

// Wanted lists up to max requests that are not final, by id, after a given one.
func (k *Keeper) Wanted(ctx context.Context, after protocol.Hash, max int) ([]protocol.Hash, error) {
	from := new(collections.Range[[]byte])
	if !after.IsZero() {
		from = from.StartExclusive(after[:])
	}
	var ids []protocol.Hash
	if max < 1 {
		return ids, nil
	}
	err := k.wanted.Walk(ctx, from, func(id []byte) (bool, error) {
		ids = append(ids, protocol.Hash(id))
		return len(ids) == max, nil
	})
	return ids, err
}

// Of lists up to max requests that an account has made or has a seat in, by id, after a given one, as long as they can be read.
func (k *Keeper) Of(ctx context.Context, who protocol.Account, after protocol.Hash, max int) ([]protocol.Hash, error) {
	from := collections.NewPrefixedPairRange[[]byte, []byte](who[:])
	if !after.IsZero() {
		from = from.StartExclusive(after[:])
	}
	var ids []protocol.Hash
	if max < 1 {
		return ids, nil
	}
	err := k.kept.Walk(ctx, from, func(key party) (bool, error) {
		ids = append(ids, protocol.Hash(key.K2()))
		return len(ids) == max, nil
	})
	return ids, err
}

// LockedBy sums what lies in escrow for an account: what its requests cost, and the bonds of its answers. It counts at most max requests, and
// reports whether these are all.
func (k *Keeper) LockedBy(ctx context.Context, who protocol.Account, max int, charge escrow.Charge) (sum money.Amount, complete bool, err error) {
	n := 0
	err = k.parties.Walk(ctx, collections.NewPrefixedPairRange[[]byte, []byte](who[:]), func(key party) (bool, error) {
		r, err := k.Request(ctx, protocol.Hash(key.K2()), charge)
		if err != nil {
			return true, err
		}
		sum = sum.Plus(r.LockedBy(who))
		n++
		return n == max, nil
	})
	return sum, n < max, err
}

// Create hosts request.Create. After an error the caller must drop all changes of ctx.
func (k *Keeper) Create(ctx sdk.Context, a request.Ask, model registry.Model, useFee registry.Use, input []uint32, from protocol.Account) (*request.Request, error) {
	number, err := k.numbers.Get(ctx, from[:])
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, err
	}
	if model.Callable != nil && model.Callable.Inputs != len(input) {
		return nil, fmt.Errorf("%w: %d numbers, the model takes %d", protocol.ErrShape, len(input), model.Callable.Inputs)
	}
	r, effects, err := request.Create(a, useFee.Fee, len(input), from, number, escrow.Env(ctx))
	if err != nil {
		return nil, err
	}
	mine := collections.Join(from[:], r.ID[:])
	if err := errors.Join(k.numbers.Set(ctx, from[:], number+1), k.inputs.Set(ctx, r.ID[:], request.Bytes(input)), k.wanted.Set(ctx, r.ID[:]),
		k.parties.Set(ctx, mine), k.kept.Set(ctx, mine)); err != nil {
		return nil, err
	}
	return r, k.put(ctx, nil, r, effects)
}

// Take hosts request.Take.
func (k *Keeper) Take(ctx sdk.Context, r *request.Request, seal protocol.Hash, from protocol.Account) (*request.Request, error) {
	next, effects, err := request.Take(r, seal, from, escrow.Env(ctx))
	if err != nil {
		return nil, err
	}
	mine := collections.Join(from[:], r.ID[:])
	if err := errors.Join(k.parties.Set(ctx, mine), k.kept.Set(ctx, mine)); err != nil {
		return nil, err
	}
	return next, k.put(ctx, r, next, effects)
}

// Open hosts request.Open.
func (k *Keeper) Open(ctx sdk.Context, r *request.Request, output []uint32, salt protocol.Hash, from protocol.Account) (*request.Request, error) {
	next, effects, err := request.Open(r, output, salt, from, escrow.Env(ctx))
	if err != nil {
		return nil, err
	}
	if err := k.keepAnswer(ctx, r.ID, output); err != nil {
		return nil, err
	}
	return next, k.put(ctx, r, next, effects)
}

// Replay hosts request.Replay.
func (k *Keeper) Replay(ctx sdk.Context, r *request.Request, output []uint32, by protocol.Account) (*request.Request, error) {
	next, effects, err := request.Replay(r, output, by, escrow.Env(ctx))
	if err != nil {
		return nil, err
	}
	if err := k.keepAnswer(ctx, r.ID, output); err != nil {
		return nil, err
	}
	return next, k.put(ctx, r, next, effects)
}

// Deliver hosts request.Deliver.
func (k *Keeper) Deliver(ctx sdk.Context, r *request.Request, by protocol.Account) (*request.Request, error) {
	next, effects, err := request.Deliver(r, by)
	if err != nil {
		return nil, err
	}
	if err := k.parties.Remove(ctx, collections.Join(r.From[:], r.ID[:])); err != nil {
		return nil, err
	}
	return next, k.put(ctx, r, next, effects)
}

// Failed hosts request.Failed.
func (k *Keeper) Failed(ctx sdk.Context, id protocol.Hash) error {
	r, err := k.Request(ctx, id, escrow.Free)
	if err != nil {
		return err
	}
	return k.put(ctx, r, request.Failed(r), nil)
}

func (k *Keeper) keepAnswer(ctx context.Context, id protocol.Hash, output []uint32) error {
	key := answerKey(id, request.Digest(output))
	return k.answers.Set(ctx, key[:], request.Bytes(output))
}

// put stores after in place of before, which is nil for a new request, carries out the effects, and pays the model when there is an answer.
func (k *Keeper) put(ctx sdk.Context, before, after *request.Request, effects []protocol.Effect) error {
	if before != nil && before.Due != after.Due {
		if err := k.queue.Remove(ctx, collections.Join(uint64(before.Due), before.ID[:])); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(after)
	if err != nil {
		return err
	}
	if err := errors.Join(k.requests.Set(ctx, after.ID[:], raw), k.queue.Set(ctx, collections.Join(uint64(after.Due), after.ID[:]))); err != nil {
		return err
	}
	if err := k.escrow.Execute(ctx, effects, k.records.Keep(ctx, after.Ask.Model)); err != nil {
		return err
	}
	if before == nil || before.Status.Final() || !after.Status.Final() {
		return nil
	}
	return k.finish(ctx, before, after)
}

// finish drops what a final request does not need, and hands the fee of an answered one to the model's holders.
func (k *Keeper) finish(ctx sdk.Context, before, after *request.Request) error {
	if err := errors.Join(k.wanted.Remove(ctx, after.ID[:]), k.inputs.Remove(ctx, after.ID[:])); err != nil {
		return err
	}
	if after.Escrow().IsZero() { // else the requester's until somebody calls back
		if err := k.parties.Remove(ctx, collections.Join(after.From[:], after.ID[:])); err != nil {
			return err
		}
	}
	for _, w := range before.Workers {
		if w.Account != after.From || after.Escrow().IsZero() {
			if err := k.parties.Remove(ctx, collections.Join(w.Account[:], after.ID[:])); err != nil {
				return err
			}
		}
		if w.Answer.IsZero() || w.Answer == after.Answer {
			continue
		}
		key := answerKey(after.ID, w.Answer)
		if err := k.answers.Remove(ctx, key[:]); err != nil {
			return err
		}
	}
	if after.Status != request.Answered {
		return nil
	}
	model, err := k.models.Model(ctx, after.Ask.Model, escrow.Free)
	if err != nil {
		return err
	}
	return k.models.Use(ctx, registry.Use{Model: model.ID, Fee: after.Fee}, model, self)
}

// drop forgets a final request after what is left of it went back.
func (k *Keeper) drop(ctx sdk.Context, r *request.Request, effects []protocol.Effect) error {
	if err := k.escrow.Execute(ctx, effects, k.records.Keep(ctx, r.Ask.Model)); err != nil {
		return err
	}
	for _, who := range append([]protocol.Account{r.From}, seated(r)...) {
		mine := collections.Join(who[:], r.ID[:])
		if err := errors.Join(k.parties.Remove(ctx, mine), k.kept.Remove(ctx, mine)); err != nil {
			return err
		}
	}
	key := answerKey(r.ID, r.Answer)
	return errors.Join(k.requests.Remove(ctx, r.ID[:]), k.answers.Remove(ctx, key[:]), k.queue.Remove(ctx, collections.Join(uint64(r.Due), r.ID[:])))
}

func seated(r *request.Request) []protocol.Account {
	list := make([]protocol.Account, len(r.Workers))
	for i, w := range r.Workers {
		list[i] = w.Account
	}
	return list
}
