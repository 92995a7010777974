// Package asks is a client of the precompile of requests over Ethereum's JSON-RPC: of a network's validator or of a development chain. It
// satisfies the interface that the answerer declares for its ledger. It must not import the app.
package asks

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	ethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	ethrpc "github.com/ethereum/go-ethereum/rpc"

	registryprecompile "github.com/mutirao/mutirao/chain/precompile/registry"
	precompile "github.com/mutirao/mutirao/chain/precompile/request"
	"github.com/mutirao/mutirao/contracts"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
	"github.com/mutirao/mutirao/protocol/request"
)

// ErrReverted reports a transaction that the chain took and undid.
var ErrReverted = errors.New("the transaction was reverted")

// patience bounds the wait for a block to take a transaction.
const patience = time.Minute

// Client asks and answers for one account.
type Client struct {
	eth                *ethclient.Client
	key                *ecdsa.PrivateKey
	chainID            *big.Int
	requests, registry abi.ABI
	at, models         *bind.BoundContract
}

// Dial connects with a JSON-RPC endpoint ("http://host:port") and learns the chain's id. secret is the account's key.
func Dial(ctx context.Context, url string, secret []byte) (*Client, error) {
	key, err := crypto.ToECDSA(secret)
	if err != nil {
		return nil, fmt.Errorf("account key: %w", err)
	}
	eth, err := ethclient.DialContext(ctx, url)
	if err != nil {
		return nil, err
	}
	c := &Client{eth: eth, key: key, requests: load("IRequests"), registry: load("IRegistry")}
	if c.chainID, err = eth.ChainID(ctx); err != nil {
		return nil, err
	}
	c.at = bind.NewBoundContract(precompile.Address, c.requests, eth, eth, eth)
	c.models = bind.NewBoundContract(registryprecompile.Address, c.registry, eth, eth, eth)
	return c, nil
}

func load(name string) abi.ABI {
	parsed, err := abi.JSON(bytes.NewReader(contracts.Load(name).ABI))
	if err != nil {
		panic("asks: the embedded ABI of " + name + " is damaged: " + err.Error())
	}
	return parsed
}

// Close ends the connection.
func (c *Client) Close() { c.eth.Close() }

// Account is who signs.
func (c *Client) Account() protocol.Account {
	return protocol.Account(crypto.PubkeyToAddress(c.key.PublicKey))
}

// Balance is what the account can spend.
func (c *Client) Balance(ctx context.Context) (money.Amount, error) {
	b, err := c.eth.BalanceAt(ctx, common.Address(c.Account()), nil)
	if err != nil {
		return money.Amount{}, err
	}
	return money.Parse(b.String())
}

// read asks a contract.
func read(ctx context.Context, of *bind.BoundContract, names abi.ABI, method string, args ...any) ([]any, error) {
	var out []any
	err := of.Call(&bind.CallOpts{Context: ctx}, &out, method, args...)
	return out, named(names, err)
}

// Model reports whether a model is registered.
func (c *Client) Model(ctx context.Context, id protocol.Hash) (bool, error) {
	out, err := read(ctx, c.models, c.registry, "exists", [32]byte(id))
	if err != nil {
		return false, err
	}
	return out[0].(bool), nil
}

// Artifact is the model, if its bytes are on the ledger, else protocol.ErrNotFound.
func (c *Client) Artifact(ctx context.Context, model protocol.Hash) ([]byte, error) {
	out, err := read(ctx, c.models, c.registry, "artifact", [32]byte(model))
	if err != nil {
		return nil, err
	}
	return out[0].([]byte), nil
}

// page is how many requests are listed at once; maxWanted bounds them all.
const (
	page      = 100
	maxWanted = 10_000
)

// Wanted lists the requests that are not final.
func (c *Client) Wanted(ctx context.Context) ([]protocol.Hash, error) {
	return c.list(ctx, "wanted")
}

// Of lists the requests that an account has made or has a seat in, also those that have ended, as long as they are kept.
func (c *Client) Of(ctx context.Context, who protocol.Account) ([]protocol.Hash, error) {
	return c.list(ctx, "requestsOf", common.Address(who))
}

// Mine is Of for the account that signs.
func (c *Client) Mine(ctx context.Context) ([]protocol.Hash, error) { return c.Of(ctx, c.Account()) }

// list reads all pages of a method.
func (c *Client) list(ctx context.Context, method string, args ...any) ([]protocol.Hash, error) {
	var ids []protocol.Hash
	for after := [32]byte{}; len(ids) < maxWanted; {
		out, err := read(ctx, c.at, c.requests, method, append(slices.Clone(args), after, big.NewInt(page))...)
		if err != nil {
			return nil, err
		}
		list := out[0].([][32]byte)
		for _, id := range list {
			ids, after = append(ids, id), id
		}
		if len(list) < page {
			break
		}
	}
	return ids, nil
}

// view is Request of the interface.
type view struct {
	Requester common.Address
	Model     [32]byte
	Terms     struct {
		Workers     uint8
		Price       *big.Int
		Blocks      uint64
		Window      uint64
		Callback    common.Address
		CallbackGas uint64
		DeliveryFee *big.Int
	}
	Status    uint8
	Finality  uint8
	Due       uint64
	Delivered bool
	Attempts  uint32
	Workers   []common.Address
	Opened    []bool
}

// opened stands for the answer of a worker that has opened it: the contract does not tell which.
var opened = protocol.Hash{1}

// Request returns a request; of its workers' answers it tells only whether there is one.
func (c *Client) Request(ctx context.Context, id protocol.Hash) (*request.Request, error) {
	out, err := read(ctx, c.at, c.requests, "get", [32]byte(id))
	if err != nil {
		return nil, err
	}
	v := *abi.ConvertType(out[0], new(view)).(*view)
	price, err := money.Parse(v.Terms.Price.String())
	if err != nil {
		return nil, err
	}
	fee, err := money.Parse(v.Terms.DeliveryFee.String())
	if err != nil {
		return nil, err
	}
	if v.Status > uint8(request.Refunded) || v.Finality > uint8(request.Replayed) || len(v.Workers) != len(v.Opened) {
		return nil, fmt.Errorf("%w: request %s in an unknown state", protocol.ErrInvalid, id)
	}
	r := &request.Request{
		ID: id, From: protocol.Account(v.Requester), Status: request.Status(v.Status), Finality: request.Finality(v.Finality), Due: protocol.Height(v.Due),
		Delivered: v.Delivered, Attempts: v.Attempts,
		Ask: request.Ask{Model: v.Model, Workers: v.Terms.Workers, Price: price, Blocks: v.Terms.Blocks, Window: v.Terms.Window,
			Callback: protocol.Account(v.Terms.Callback), CallbackGas: v.Terms.CallbackGas, DeliveryFee: fee},
	}
	for i, w := range v.Workers {
		worker := request.Worker{Account: protocol.Account(w)}
		if v.Opened[i] {
			worker.Answer = opened
		}
		r.Workers = append(r.Workers, worker)
	}
	return r, nil
}

// Input is what the model is asked.
func (c *Client) Input(ctx context.Context, id protocol.Hash) ([]uint32, error) {
	out, err := read(ctx, c.at, c.requests, "inputOf", [32]byte(id))
	if err != nil {
		return nil, err
	}
	return out[0].([]uint32), nil
}

// Answer is what there is so far.
func (c *Client) Answer(ctx context.Context, id protocol.Hash) (request.Finality, []uint32, error) {
	out, err := read(ctx, c.at, c.requests, "answer", [32]byte(id))
	if err != nil {
		return 0, nil, err
	}
	return request.Finality(out[0].(uint8)), out[1].([]uint32), nil
}

// Ask makes a request and returns its id.
func (c *Client) Ask(ctx context.Context, a request.Ask, input []uint32) (protocol.Hash, error) {
	price, fee := a.Price.Bytes(), a.DeliveryFee.Bytes()
	terms := struct {
		Workers     uint8
		Price       *big.Int
		Blocks      uint64
		Window      uint64
		Callback    common.Address
		CallbackGas uint64
		DeliveryFee *big.Int
	}{a.Workers, new(big.Int).SetBytes(price[:]), a.Blocks, a.Window, common.Address(a.Callback), a.CallbackGas, new(big.Int).SetBytes(fee[:])}
	receipt, err := c.send(ctx, "request", [32]byte(a.Model), input, terms)
	if err != nil {
		return protocol.Hash{}, err
	}
	for _, l := range receipt.Logs {
		if l.Address == precompile.Address && l.Topics[0] == c.requests.Events["Requested"].ID {
			return protocol.Hash(l.Topics[1]), nil
		}
	}
	return protocol.Hash{}, fmt.Errorf("%w: the receipt names no request", protocol.ErrInvalid)
}

// Seal takes a seat.
func (c *Client) Seal(ctx context.Context, id, seal protocol.Hash) error {
	_, err := c.send(ctx, "seal", [32]byte(id), [32]byte(seal))
	return err
}

// Open opens the seal.
func (c *Client) Open(ctx context.Context, id protocol.Hash, output []uint32, salt protocol.Hash) error {
	_, err := c.send(ctx, "fulfill", [32]byte(id), output, [32]byte(salt))
	return err
}

// Replay has every validator compute the answer.
func (c *Client) Replay(ctx context.Context, id protocol.Hash) error {
	_, err := c.send(ctx, "replay", [32]byte(id))
	return err
}

// send makes a transaction with a quarter more gas than it is estimated to take, and waits for its receipt.
func (c *Client) send(ctx context.Context, method string, args ...any) (*ethtypes.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	opts, err := bind.NewKeyedTransactorWithChainID(c.key, c.chainID)
	if err != nil {
		return nil, err
	}
	opts.Context = ctx
	data, err := c.requests.Pack(method, args...)
	if err != nil {
		return nil, err
	}
	to := precompile.Address
	gas, err := c.eth.EstimateGas(ctx, ethereum.CallMsg{From: common.Address(c.Account()), To: &to, Data: data})
	if err != nil {
		return nil, named(c.requests, err)
	}
	opts.GasLimit = gas * 5 / 4 // given, because bind looks for code at the address before it estimates, and a precompile has none
	tx, err := c.at.RawTransact(opts, data)
	if err != nil {
		return nil, named(c.requests, err)
	}
	receipt, err := bind.WaitMined(ctx, c.eth, tx)
	if err != nil {
		return nil, err
	}
	if receipt.Status != ethtypes.ReceiptStatusSuccessful {
		return receipt, fmt.Errorf("%w: %s", ErrReverted, tx.Hash())
	}
	return receipt, nil
}

// known are errors of the interface that the rules have, too.
var known = map[string]error{
	"RequestNotFound": protocol.ErrNotFound, "ModelNotFound": protocol.ErrNotFound, "NotStored": protocol.ErrNotFound, "NotCovered": protocol.ErrInsufficient,
	"NotNow": protocol.ErrPhase, "Again": protocol.ErrDuplicate, "NotAWorker": protocol.ErrNotAssigned, "SealMismatch": protocol.ErrSealMismatch,
	"OutOfBounds": protocol.ErrInvalid, "WrongInputLength": protocol.ErrShape,
}

// revertData is with what a call reverted, if the node said so.
func revertData(err error) ([]byte, bool) {
	var data ethrpc.DataError
	if !errors.As(err, &data) {
		return nil, false
	}
	text, ok := data.ErrorData().(string)
	if !ok {
		return nil, false
	}
	raw, err := hexutil.Decode(text)
	return raw, err == nil
}

// named turns the data of a revert into the name of an error.
func named(names abi.ABI, err error) error {
	raw, ok := revertData(err)
	if !ok {
		return err
	}
	for name, e := range names.Errors {
		if len(raw) < 4 || !bytes.Equal(raw[:4], e.ID[:4]) {
			continue
		}
		values, unpackErr := e.Inputs.Unpack(raw[4:])
		if unpackErr != nil {
			return err
		}
		if sentinel := known[name]; sentinel != nil {
			return fmt.Errorf("%w: %s%s", sentinel, name, words(values))
		}
		return fmt.Errorf("%s%s", name, words(values))
	}
	return err
}
