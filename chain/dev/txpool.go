package dev

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	rpctypes "github.com/cosmos/evm/rpc/types"
	evmtypes "github.com/cosmos/evm/x/vm/types"
)

// txpoolAPI is txpool_*: what waits for a block, by sender and nonce. Pending is what the next block could hold, queued what
// waits behind a missing nonce.
type txpoolAPI struct{ eth *ethAPI }

type bySender[T any] map[common.Address]map[string]T

type poolOf[T any] struct {
	Pending bySender[T] `json:"pending"`
	Queued  bySender[T] `json:"queued"`
}

// pooled sorts the pool; show says what is shown of a transaction.
func pooled[T any](e *ethAPI, show func(waiting) T) (poolOf[T], error) {
	defer e.node.reading()()
	p := poolOf[T]{bySender[T]{}, bySender[T]{}}
	next := map[common.Address]uint64{}
	for _, w := range e.chain.pool {
		if _, seen := next[w.from]; !seen {
			n, err := e.chain.pendingNonce(w.from)
			if err != nil {
				return p, err
			}
			next[w.from] = n
		}
		into := p.Pending
		if w.tx.Nonce() > next[w.from] {
			into = p.Queued
		}
		if into[w.from] == nil {
			into[w.from] = map[string]T{}
		}
		into[w.from][strconv.FormatUint(w.tx.Nonce(), 10)] = show(w)
	}
	return p, nil
}

// Content is the transactions themselves.
func (t *txpoolAPI) Content() (poolOf[*rpctypes.RPCTransaction], error) {
	return pooled(t.eth, (waiting).shown)
}

// ContentFrom is the transactions of one sender.
func (t *txpoolAPI) ContentFrom(from common.Address) (map[string]map[string]*rpctypes.RPCTransaction, error) {
	p, err := t.Content()
	return map[string]map[string]*rpctypes.RPCTransaction{"pending": orEmpty(p.Pending[from]), "queued": orEmpty(p.Queued[from])}, err
}

func orEmpty[T any](m map[string]T) map[string]T {
	if m == nil {
		return map[string]T{}
	}
	return m
}

// Inspect is one line for each transaction.
func (t *txpoolAPI) Inspect() (poolOf[string], error) {
	return pooled(t.eth, func(w waiting) string {
		to := "contract creation"
		if w.tx.To() != nil {
			to = w.tx.To().Hex()
		}
		return fmt.Sprintf("%s: %v wei + %v gas × %v wei", to, w.tx.Value(), w.tx.Gas(), w.tx.GasFeeCap())
	})
}

// Status counts them.
func (t *txpoolAPI) Status() (map[string]hexutil.Uint, error) {
	p, err := pooled(t.eth, func(waiting) struct{} { return struct{}{} })
	return map[string]hexutil.Uint{"pending": count(p.Pending), "queued": count(p.Queued)}, err
}

func count[T any](m bySender[T]) (n hexutil.Uint) {
	for _, of := range m {
		n += hexutil.Uint(len(of))
	}
	return n
}

// shown is a transaction that is in no block, with the sender that the chain knows.
func (w waiting) shown() *rpctypes.RPCTransaction {
	tx := rpctypes.NewRPCTransaction(w.tx, common.Hash{}, 0, 0, 0, nil, evmtypes.GetEthChainConfig())
	tx.From = w.from
	return tx
}

// drop takes transactions out of the pool that one says yes to, and returns the hashes.
func (c *Chain) drop(one func(waiting) bool) []common.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	var gone []common.Hash
	c.pool = slices.DeleteFunc(c.pool, func(w waiting) bool {
		if !one(w) {
			return false
		}
		gone = append(gone, w.tx.Hash())
		return true
	})
	return gone
}
