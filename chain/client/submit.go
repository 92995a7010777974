package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"cosmossdk.io/math"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	feemarkettypes "github.com/cosmos/evm/x/feemarket/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/fault"
	"github.com/mutirao/mutirao/chain/network"
	disputehost "github.com/mutirao/mutirao/chain/x/dispute"
	"github.com/mutirao/mutirao/chain/x/registry"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/dispute"
	"github.com/mutirao/mutirao/protocol/money"
	modelregistry "github.com/mutirao/mutirao/protocol/registry"
	"github.com/mutirao/mutirao/protocol/voucher"
	"github.com/mutirao/mutirao/protocol/work"
)

var (
	// ErrNotIncluded reports a transaction that no block took before it expired.
	ErrNotIncluded = errors.New("transaction was not included")
	// ErrFeeTooHigh reports that a transaction would cost more than maxFee at the base fee that the endpoint names.
	ErrFeeTooHigh = errors.New("fee of the transaction is too high")
)

const (
	// attempts bounds how often a transaction is signed anew, after a stale sequence, too little gas or an expiry.
	attempts = 8
	// lifetime is for how many blocks a transaction stays valid. A transaction that was lost on the way is certainly
	// dead afterwards, so that signing it again cannot execute it twice.
	lifetime = 40
	// resendAfter is how many blocks a client waits before it sends the same bytes again, to the next endpoint.
	resendAfter = 6

	// Gas of what surrounds the messages, and of the transaction per byte.
	envelopeGas   = 150_000
	envelopeBytes = 10
	// stateGas allows for reading a run of 100 kB; a larger one runs out of gas and is sent again with more.
	stateGas = 100_000 * escrow.GasPerStateByte
	// maxGas is where a client stops to add gas: the last chunk of the largest upload takes 37 million.
	maxGas = network.BlockGas - 1_000_000
	// maxFee bounds what one transaction may cost in amut, 0.01 MUT: an endpoint from a stranger's invite can name any
	// base fee. A transaction of maxGas costs 10^-7 MUT at the floor, so an honest base fee has room to grow a hundred
	// thousand times, which takes a hundred full blocks without a break.
	maxFee = 10_000_000_000_000_000
	// sendGas is what a transfer takes beyond the envelope.
	sendGas = 150_000
)

// Submit executes messages in one transaction, all or none, and returns when a block has taken it. An error of a rule
// wraps its sentinel. It panics for a message of no known module: that is a fault of the caller.
func (c *Client) Submit(ctx context.Context, msgs ...protocol.Msg) error {
	if len(msgs) == 0 {
		return nil
	}
	list := make([]sdk.Msg, len(msgs))
	gas := uint64(0)
	for i, m := range msgs {
		wrapped, size, err := Wrap(c.Account(), m)
		if err != nil {
			return err
		}
		list[i] = wrapped
		gas += escrow.GasPerMessage + (escrow.GasPerByte+envelopeBytes)*uint64(size) + stateGas + voucherGas(m) + uploadGas(m)
		if _, ok := m.(dispute.Msg); ok {
			gas += disputehost.GasPerMove + 50*disputehost.GasPerEffort + disputehost.GasPerMicroOperation
		}
		if open, ok := m.(dispute.Open); ok {
			if _, vote := work.VoteSeat(open.Unit); vote { // of as many units as a run has by default: there may be no time for another try
				gas += 50 * (disputehost.GasPerEffort + 64*disputehost.GasPerFold)
			}
		}
	}
	return c.execute(ctx, gas, list...)
}

// voucherGas is what vouchers take beyond their bytes: a signature each, and a channel of about 400 bytes.
func voucherGas(m protocol.Msg) uint64 {
	redeem, ok := m.(voucher.Redeem)
	if !ok {
		return 0
	}
	return uint64(len(redeem.Vouchers)/voucher.PackedBytes) * (registry.GasPerVoucher + 500*escrow.GasPerStateByte)
}

// uploadGas is what the last chunk of an upload takes beyond its bytes. A last one that is as long as the others is not seen to be the last:
// it runs out of gas and is sent again with more.
func uploadGas(m protocol.Msg) uint64 {
	chunk, ok := m.(modelregistry.AddChunk)
	if !ok || len(chunk.Data) == modelregistry.ChunkBytes {
		return 0
	}
	return registry.GasPerUploadedByte * (uint64(chunk.Index)*modelregistry.ChunkBytes + uint64(len(chunk.Data)))
}

// Send transfers coins.
func (c *Client) Send(ctx context.Context, to protocol.Account, amount money.Amount) error {
	from := c.Account()
	return c.execute(ctx, sendGas, banktypes.NewMsgSend(from[:], to[:], network.Coins(amount)))
}

// execute signs, sends and waits, again while the reason for a failure lies in the envelope and not in the messages.
func (c *Client) execute(ctx context.Context, gas uint64, msgs ...sdk.Msg) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var last error
	for attempt := range attempts {
		if err := c.account(ctx); err != nil {
			return err
		}
		raw, expires, err := c.sign(ctx, attempt, gas, msgs)
		if err != nil {
			return err
		}
		result, err := c.broadcast(ctx, raw, expires)
		if err != nil {
			c.known = false
			if errors.Is(err, ErrNotIncluded) {
				last = err
				continue
			}
			return err
		}
		if last = result.err(); last == nil {
			c.sequence++
			return nil
		}
		c.known = false // a message that failed has taken its sequence, one that was refused has not
		switch {
		case result.is(sdkerrors.ErrWrongSequence), result.is(sdkerrors.ErrUnknownAddress) && !c.newcomer:
			// Another process signs for this account, or the endpoint is a block behind; so may its pool be, which then does not know an account
			// that queries tell of. What waits in the pool counts for the sequence, and queries only tell of it after the next block.
			h, err := c.Height(ctx)
			if err != nil {
				return err
			}
			if _, err := c.Next(ctx, h); err != nil {
				return err
			}
		case result.is(sdkerrors.ErrOutOfGas):
			if gas >= maxGas {
				return last
			}
			gas = min(4*gas, maxGas)
		case result.is(sdkerrors.ErrInsufficientFee):
			// The base fee rose meanwhile; the next signature reads it again.
		default:
			return last
		}
	}
	return last
}

// account reads number and sequence unless they are known.
func (c *Client) account(ctx context.Context) error {
	if c.known {
		return nil
	}
	who := c.Account()
	var answer authtypes.QueryAccountInfoResponse
	request := &authtypes.QueryAccountInfoRequest{Address: sdk.AccAddress(who[:]).String()}
	err := c.query(ctx, "/cosmos.auth.v1beta1.Query/AccountInfo", request, &answer)
	if errors.Is(err, protocol.ErrNotFound) { // a newcomer: its first transaction makes the account
		c.number, c.sequence, c.known, c.newcomer = network.NewcomerNumber(who), 0, true, true
		return nil
	}
	if err != nil {
		return fmt.Errorf("account %s: %w", who, err)
	}
	if answer.Info == nil {
		return fmt.Errorf("account %s: %w", who, errEmptyAnswer)
	}
	c.number, c.sequence, c.known, c.newcomer = answer.Info.AccountNumber, answer.Info.Sequence, true, false
	return nil
}

// sign returns the bytes of a transaction and the height after which it is void.
func (c *Client) sign(ctx context.Context, attempt int, gas uint64, msgs []sdk.Msg) ([]byte, protocol.Height, error) {
	gas += envelopeGas
	price, err := c.gasPrice(ctx, gas)
	if err != nil {
		return nil, 0, err
	}
	height, err := c.Height(ctx)
	if err != nil {
		return nil, 0, err
	}
	e := Envelope{
		Number: c.number, Sequence: c.sequence, Gas: gas, Price: price, Expires: height + lifetime,
		Memo: strconv.Itoa(attempt), // pools refuse bytes that they have seen
	}
	raw, err := Sign(ctx, c.txConfig, c.key, e, msgs...)
	return raw, e.Expires, err
}

// gasPrice is twice the current base fee, so that it still suffices a few full blocks later. It returns ErrFeeTooHigh if so
// much gas would cost more than maxFee; the next transaction asks another endpoint.
func (c *Client) gasPrice(ctx context.Context, gas uint64) (math.Int, error) {
	var answer feemarkettypes.QueryBaseFeeResponse
	if err := c.query(ctx, "/cosmos.evm.feemarket.v1.Query/BaseFee", &feemarkettypes.QueryBaseFeeRequest{}, &answer); err != nil {
		return math.Int{}, err
	}
	price := math.LegacyNewDec(network.MinGasPrice)
	if answer.BaseFee != nil && !answer.BaseFee.IsNil() && answer.BaseFee.GT(price) {
		price = *answer.BaseFee
	}
	// Compared before it is multiplied: a base fee can be so large that its product panics.
	if price.GT(math.LegacyNewDecFromInt(math.NewInt(maxFee).Quo(math.NewIntFromUint64(gas))).QuoInt64(2)) {
		c.endpoints.rotate()
		return math.Int{}, fmt.Errorf("%w: %d gas at a base fee of %s amut may cost at most %s",
			ErrFeeTooHigh, gas, price, money.New(maxFee).Coins())
	}
	return price.MulInt64(2).Ceil().TruncateInt(), nil
}

// outcome is what the ledger said about a transaction.
type outcome struct {
	codespace string
	code      uint32
	log       string
}

func (o outcome) err() error { return fault.FromABCI(o.codespace, o.code, o.log) }

func (o outcome) is(e interface {
	Codespace() string
	ABCICode() uint32
}) bool {
	return o.codespace == e.Codespace() && o.code == e.ABCICode()
}

// broadcast sends raw and waits until a block has it or it has expired.
func (c *Client) broadcast(ctx context.Context, raw []byte, expires protocol.Height) (outcome, error) {
	refused, err := c.offer(ctx, raw)
	if err != nil || refused.code != 0 {
		return refused, err
	}
	sent, err := c.Height(ctx)
	if err != nil {
		return outcome{}, err
	}
	for {
		result, found, err := c.find(ctx, raw)
		if err != nil || found {
			return result, err
		}
		now, err := c.Height(ctx)
		if err != nil {
			return outcome{}, err
		}
		switch {
		case now > expires+1: // the index may be a block behind
			return outcome{}, fmt.Errorf("%w: expired after block %d", ErrNotIncluded, expires)
		case now > sent+resendAfter:
			// A pool may have dropped it, or the validator may be cut off. An endpoint that has it says so with an
			// error, which is no news.
			c.endpoints.rotate()
			if _, err := c.offer(ctx, raw); errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
				return outcome{}, err
			}
			sent = now
		}
		if err := pause(ctx, pollInterval/2); err != nil {
			return outcome{}, err
		}
	}
}

// offer hands raw to an endpoint's pool.
func (c *Client) offer(ctx context.Context, raw []byte) (outcome, error) {
	var refused outcome
	err := c.endpoints.do(ctx, func(rpc *rpchttp.HTTP) error {
		r, err := rpc.BroadcastTxSync(ctx, raw)
		if err == nil {
			refused = outcome{codespace: r.Codespace, code: r.Code, log: r.Log}
		}
		return err
	})
	return refused, err
}

// find looks for raw among the executed transactions.
func (c *Client) find(ctx context.Context, raw []byte) (outcome, bool, error) {
	var result *coretypes.ResultTx
	err := c.endpoints.do(ctx, func(rpc *rpchttp.HTTP) (err error) {
		result, err = rpc.Tx(ctx, cmttypes.Tx(raw).Hash(), false)
		return err
	})
	if errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
		return outcome{}, false, err
	}
	if err != nil {
		return outcome{}, false, nil // the endpoint answered: not found
	}
	r := result.TxResult
	return outcome{codespace: r.Codespace, code: r.Code, log: r.Log}, true, nil
}
