// Package client reads the ledger and sends transactions to it over the CometBFT RPC of any validator, from this process
// or another. It satisfies the interface that agents declare for their ledger. It must not import the app.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	sdkclient "github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/mutirao/mutirao/chain/encoding"
	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/work/workpb"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/work"
)

// pollInterval is how often a client looks for a new block. It is well below the interval of blocks, and low enough that
// a dozen clients on a machine that trains are not noticed.
const pollInterval = 100 * time.Millisecond

// Client speaks with the ledger for one account. Its methods may be called from several goroutines; transactions are
// sent one after the other.
type Client struct {
	endpoints *endpoints
	key       Key
	txConfig  sdkclient.TxConfig
	codec     codec.Codec
	registry  codectypes.InterfaceRegistry

	mu       sync.Mutex // one transaction at a time; guards the following
	known    bool       // whether number and sequence were read from the ledger
	number   uint64
	sequence uint64
	newcomer bool // the ledger does not know the account yet
}

// Dial returns a client that asks the validators at urls ("http://host:port") and signs with key. It sends nothing yet,
// so the validators may still be starting.
func Dial(urls []string, key Key) (*Client, error) {
	e, err := dial(urls)
	if err != nil {
		return nil, err
	}
	enc := encoding.New()
	return &Client{endpoints: e, key: key, txConfig: enc.TxConfig, codec: enc.Codec, registry: enc.InterfaceRegistry}, nil
}

// Account is who signs.
func (c *Client) Account() protocol.Account { return c.key.Account() }

// Height is the last block whose state queries see.
func (c *Client) Height(ctx context.Context) (protocol.Height, error) {
	var h protocol.Height
	err := c.endpoints.do(ctx, func(rpc *rpchttp.HTTP) error {
		info, err := rpc.ABCIInfo(ctx)
		if err == nil {
			h = protocol.Height(info.Response.LastBlockHeight)
		}
		return err
	})
	return h, err
}

// Next waits for a block higher than after and returns the height of the last one. An endpoint that does not answer is
// tried again until ctx ends.
func (c *Client) Next(ctx context.Context, after protocol.Height) (protocol.Height, error) {
	for {
		if h, err := c.Height(ctx); err == nil && h > after {
			return h, nil
		}
		if err := pause(ctx, pollInterval); err != nil {
			return 0, err
		}
	}
}

// pause sleeps, or returns the error of ctx when it ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errNotReady makes a query turn to another endpoint.
var errNotReady = errors.New("validator has no state yet or no longer")

// notReady recognises a validator before its first block or about to stop.
func notReady(r abci.ResponseQuery) bool {
	return r.Codespace == sdkerrors.RootCodespace &&
		(r.Code == sdkerrors.ErrInvalidHeight.ABCICode() || r.Code == sdkerrors.ErrNotFound.ABCICode())
}

// query asks the method of a module's query service; answer is filled in.
func (c *Client) query(ctx context.Context, method string, request, answer proto.Message) error {
	data, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	var response abci.ResponseQuery
	if err := c.endpoints.do(ctx, func(rpc *rpchttp.HTTP) error {
		r, err := rpc.ABCIQuery(ctx, method, data)
		if err != nil {
			return err
		}
		response = r.Response
		if notReady(response) {
			return fmt.Errorf("%w: %s", errNotReady, response.Log)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := fault.FromQuery(response.Codespace, response.Code, response.Log); err != nil {
		return err
	}
	return proto.Unmarshal(response.Value, answer)
}

// stored reads a value of a module's store, or nothing if there is none.
func (c *Client) stored(ctx context.Context, store string, key []byte) (value []byte, err error) {
	err = c.endpoints.do(ctx, func(rpc *rpchttp.HTTP) error {
		r, err := rpc.ABCIQuery(ctx, "/store/"+store+"/key", key)
		if err != nil {
			return err
		}
		value = r.Response.Value
		return fault.FromABCI(r.Response.Codespace, r.Response.Code, r.Response.Log)
	})
	return value, err
}

// Runs lists the ids of all training runs in the order of their creation.
func (c *Client) Runs(ctx context.Context) ([]protocol.Hash, error) {
	var ids []protocol.Hash
	for {
		var page workpb.RunsResponse
		if err := c.query(ctx, "/mutirao.work.v1.Query/Runs", &workpb.RunsRequest{After: uint64(len(ids))}, &page); err != nil {
			return nil, err
		}
		if len(page.Ids) == 0 {
			return ids, nil
		}
		for _, raw := range page.Ids {
			id, err := hash(raw)
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
	}
}

// Run returns the state of one run, or protocol.ErrNotFound.
func (c *Client) Run(ctx context.Context, id protocol.Hash) (*work.State, error) {
	var answer workpb.RunResponse
	if err := c.query(ctx, "/mutirao.work.v1.Query/Run", &workpb.RunRequest{Id: id[:]}, &answer); err != nil {
		return nil, err
	}
	s := new(work.State)
	return s, decode(answer.Json, s)
}

// Receipts lists all receipts of a run, ordered by their keys.
func (c *Client) Receipts(ctx context.Context, run protocol.Hash) ([]work.Receipt, error) {
	return records[work.Receipt](ctx, c, run)
}

// Summaries lists the closed rounds of a run in their order.
func (c *Client) Summaries(ctx context.Context, run protocol.Hash) ([]work.RoundSummary, error) {
	return records[work.RoundSummary](ctx, c, run)
}

func records[R protocol.Recorded](ctx context.Context, c *Client, run protocol.Hash) ([]R, error) {
	return pages[R](func(kind, after string) ([]recorded, error) {
		var page workpb.RecordsResponse
		err := c.query(ctx, "/mutirao.work.v1.Query/Records", &workpb.RecordsRequest{Run: run[:], Kind: kind, After: after}, &page)
		return recordedOf(page.Records), err
	})
}

// recorded is a record as every module's query returns it.
type recorded interface {
	GetKey() string
	GetJson() []byte
}

func recordedOf[R recorded](page []R) []recorded {
	list := make([]recorded, len(page))
	for i, r := range page {
		list[i] = r
	}
	return list
}

// pages collects the records of a kind page by page.
func pages[R protocol.Recorded](ask func(kind, after string) ([]recorded, error)) ([]R, error) {
	var out []R
	var kind R
	after := ""
	for {
		page, err := ask(kind.RecordKind(), after)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			return out, nil
		}
		for _, r := range page {
			var value R
			if err := decode(r.GetJson(), &value); err != nil {
				return nil, err
			}
			out, after = append(out, value), r.GetKey()
		}
	}
}

// Balance is what an account owns.
func (c *Client) Balance(ctx context.Context, who protocol.Account) (money.Amount, error) {
	var answer banktypes.QueryBalanceResponse
	request := &banktypes.QueryBalanceRequest{Address: sdk.AccAddress(who[:]).String(), Denom: network.Denom}
	if err := c.query(ctx, "/cosmos.bank.v1beta1.Query/Balance", request, &answer); err != nil {
		return money.Amount{}, err
	}
	if answer.Balance == nil {
		return money.Amount{}, fmt.Errorf("%w: no balance", errEmptyAnswer)
	}
	return network.Amount(answer.Balance.Amount)
}

// Supply is the sum of all coins: of accounts, of escrows, of stakes and of collected fees.
func (c *Client) Supply(ctx context.Context) (money.Amount, error) {
	var answer banktypes.QuerySupplyOfResponse
	request := &banktypes.QuerySupplyOfRequest{Denom: network.Denom}
	if err := c.query(ctx, "/cosmos.bank.v1beta1.Query/SupplyOf", request, &answer); err != nil {
		return money.Amount{}, err
	}
	return network.Amount(answer.Amount.Amount)
}

// errEmptyAnswer reports an answer without what was asked for, which no honest endpoint gives.
var errEmptyAnswer = errors.New("answer of the ledger is empty")

func decode(raw []byte, v any) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("answer of the ledger: %w", err)
	}
	return nil
}

func hash(raw []byte) (protocol.Hash, error) {
	if len(raw) != len(protocol.Hash{}) {
		return protocol.Hash{}, fmt.Errorf("answer of the ledger: id of %d bytes", len(raw))
	}
	return protocol.Hash(raw), nil
}
