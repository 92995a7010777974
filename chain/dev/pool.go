package dev

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/ethereum/go-ethereum/common"
	ethtypes "github.com/ethereum/go-ethereum/core/types"

	sdk "github.com/cosmos/cosmos-sdk/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"

	"github.com/mutirao/mutirao/chain/network"
)

// maxWaiting bounds the transactions that wait for a block.
const maxWaiting = 10_000

var (
	errKnown      = errors.New("already known")
	errNonceLow   = errors.New("nonce too low")
	errCheap      = errors.New("replacement transaction underpriced")
	errPoolFull   = errors.New("too many transactions wait for a block")
	errGasLimit   = errors.New("exceeds block gas limit")
	errDropped    = errors.New("the transaction was dropped")
	errChainID    = errors.New("wrong chain id")
	errNoChainID  = errors.New("only replay-protected (EIP-155) transactions allowed over RPC")
	errEmptyState = errors.New("the chain has no block")
)

// waiting is a transaction that is in no block yet.
type waiting struct {
	from common.Address
	tx   *ethtypes.Transaction
	sdk  sdk.Tx
	raw  cmttypes.Tx
}

// wrap encodes an Ethereum transaction as one of the app's.
func (c *Chain) wrap(tx *ethtypes.Transaction, from common.Address) (waiting, error) {
	msg := &evmtypes.MsgEthereumTx{From: from[:]}
	msg.FromEthereumTx(tx)
	if err := msg.ValidateBasic(); err != nil {
		return waiting{}, err
	}
	if tx.Gas() > network.BlockGas {
		return waiting{}, fmt.Errorf("%w: %d, allowed are %d", errGasLimit, tx.Gas(), network.BlockGas)
	}
	built, err := msg.BuildTx(c.app.TxConfig().NewTxBuilder(), network.Denom)
	if err != nil {
		return waiting{}, err
	}
	raw, err := c.app.TxConfig().TxEncoder()(built)
	if err != nil {
		return waiting{}, err
	}
	if len(raw) > network.MaxTxBytes {
		return waiting{}, fmt.Errorf("%w: %d bytes, allowed are %d", errGasLimit, len(raw), network.MaxTxBytes)
	}
	return waiting{from, tx, built, raw}, nil
}

// enqueue puts w where it waits for a block. A transaction of the same sender with the same nonce is replaced if w pays a
// tenth more.
func (c *Chain) enqueue(w waiting) error {
	nonce, err := c.nonce(w.from)
	if err != nil {
		return err
	}
	if w.tx.Nonce() < nonce {
		return fmt.Errorf("%w: next nonce %d, tx nonce %d", errNonceLow, nonce, w.tx.Nonce())
	}
	if _, found := c.byHash[w.tx.Hash()]; found {
		return errKnown // its nonce was set back
	}
	for i, p := range c.pool {
		switch {
		case p.tx.Hash() == w.tx.Hash():
			return errKnown
		case p.from == w.from && p.tx.Nonce() == w.tx.Nonce():
			least := new(big.Int).Mul(p.tx.GasFeeCap(), big.NewInt(110))
			if new(big.Int).Mul(w.tx.GasFeeCap(), big.NewInt(100)).Cmp(least) < 0 {
				return errCheap
			}
			c.pool[i] = w
			return nil
		}
	}
	if len(c.pool) >= maxWaiting {
		return errPoolFull
	}
	c.pool = append(c.pool, w)
	// What can be executed now is checked now, with what waits before it, so that the sender learns what is wrong.
	if _, refused, err := c.ready(); err != nil {
		return err
	} else if why := refused[w.tx.Hash()]; why != nil {
		c.pool = slices.DeleteFunc(c.pool, func(p waiting) bool { return p.tx.Hash() == w.tx.Hash() })
		return why
	}
	return nil
}

// ready lists what can go into the next block: in the order of arrival, each sender's in the order of nonces, up to the gas
// of a block. refused says why what could be executed fails the checks of the app.
func (c *Chain) ready() (list []waiting, refused map[common.Hash]error, err error) {
	ctx, err := c.context()
	if err != nil {
		return nil, nil, err
	}
	if c.baseFee != nil {
		ctx, _ = ctx.CacheContext()
		setBaseFee(ctx, c.app, c.baseFee)
	}
	next, gas := map[common.Address]uint64{}, uint64(0)
	refused = map[common.Hash]error{}
	taken := make([]bool, len(c.pool))
	for again := true; again; {
		again = false
		for i, w := range c.pool {
			if taken[i] || gas+w.tx.Gas() > network.BlockGas {
				continue
			}
			nonce, seen := next[w.from]
			if !seen {
				if nonce, err = c.nonce(w.from); err != nil {
					return nil, nil, err
				}
				next[w.from] = nonce
			}
			if w.tx.Nonce() != nonce {
				continue
			}
			taken[i] = true
			branch, write := ctx.CacheContext()
			if why := c.app.Check(branch, w.sdk); why != nil {
				refused[w.tx.Hash()] = why
				continue
			}
			write()
			list, next[w.from], gas, again = append(list, w), nonce+1, gas+w.tx.Gas(), true
		}
	}
	return list, refused, nil
}

// forget takes transactions out of the pool: those given, and those whose nonce has passed.
func (c *Chain) forget(done map[common.Hash]bool) error {
	var kept []waiting
	for _, w := range c.pool {
		nonce, err := c.nonce(w.from)
		if err != nil {
			return err
		}
		if !done[w.tx.Hash()] && w.tx.Nonce() >= nonce {
			kept = append(kept, w)
		}
	}
	c.pool = kept
	return nil
}

// nonce is the next of an account in the state.
func (c *Chain) nonce(of common.Address) (uint64, error) {
	ctx, err := c.context()
	if err != nil {
		return 0, err
	}
	account := c.app.Account.GetAccount(ctx, of[:])
	if account == nil {
		return 0, nil
	}
	return account.GetSequence(), nil
}

// pendingNonce is the next of an account behind what waits without a gap.
func (c *Chain) pendingNonce(of common.Address) (uint64, error) {
	nonce, err := c.nonce(of)
	if err != nil {
		return 0, err
	}
	for again := true; again; {
		again = false
		for _, w := range c.pool {
			if w.from == of && w.tx.Nonce() == nonce {
				nonce, again = nonce+1, true
			}
		}
	}
	return nonce, nil
}

// context is a branch of the state after the last block.
func (c *Chain) context() (sdk.Context, error) {
	if len(c.blocks) == 0 {
		return sdk.Context{}, errEmptyState
	}
	ctx, err := c.app.CreateQueryContext(c.height(), false)
	if err != nil {
		return ctx, err
	}
	return ctx.WithConsensusParams(c.doc.ConsensusParams.ToProto()), nil
}
