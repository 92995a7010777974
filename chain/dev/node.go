package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/mutirao/mutirao/chain/network"
)

// What a development chain of Ethereum can change and this one cannot, because it is the network's app.
var (
	errNoFork    = errors.New("there is no chain to fork: mutirao dev begins with its own accounts and models; --state FILE keeps them")
	errCoinbase  = errors.New("the maker of blocks is the network's validator and cannot be set")
	errBlockGas  = fmt.Errorf("the gas of a block is the network's, %d, and cannot be set", network.BlockGas)
	errMinGas    = errors.New("there is no minimum gas price beside the base fee (EIP-1559)")
	errChainSet  = errors.New("the chain id is set at the start: mutirao dev --chain-id N")
	errFeeFloor  = fmt.Errorf("the network's base fee is never below %d", network.MinGasPrice)
	errFeeTooBig = errors.New("no base fee is that large")
)

// SetNextBlockBaseFeePerGas says what a gas costs in the next block. It moves on from there as the network's fee market does.
func (a *controlAPI) SetNextBlockBaseFeePerGas(fee quantity) error {
	if fee.Cmp(big.NewInt(network.MinGasPrice)) < 0 {
		return invalid(errFeeFloor)
	}
	if fee.BitLen() > 128 {
		return invalid(errFeeTooBig)
	}
	c := a.chain()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.baseFee, _ = uint256.FromBig(&fee.Int)
	return nil
}

// AddBalance adds to an account's coins.
func (a *controlAPI) AddBalance(address common.Address, more quantity) error {
	has, err := a.eth.GetBalance(address, nil)
	if err != nil {
		return err
	}
	more.Add(&more.Int, has.ToInt())
	_, err = a.SetBalance(address, more)
	return err
}

// SetLoggingEnabled does nothing: nothing is logged.
func (a *controlAPI) SetLoggingEnabled(bool) error { return nil }

// SetCoinbase is refused.
func (a *controlAPI) SetCoinbase(common.Address) error { return invalid(errCoinbase) }

// SetMinGasPrice is refused, as by anvil.
func (a *controlAPI) SetMinGasPrice(quantity) error { return invalid(errMinGas) }

// SetRpcUrl is refused.
func (a *controlAPI) SetRpcUrl(string) error { return invalid(errNoFork) }

// SetChainId is refused, but for the id that the chain has.
func (a *controlAPI) SetChainId(id quantity) error {
	if id.Cmp(new(big.Int).SetUint64(a.chain().config.ChainID)) == 0 {
		return nil
	}
	return invalid(errChainSet)
}

// SetBlockGasLimit is refused, but for the limit that the network has.
func (e *evmAPI) SetBlockGasLimit(gas quantity) (bool, error) {
	if gas.Cmp(big.NewInt(network.BlockGas)) == 0 {
		return true, nil
	}
	return false, invalid(errBlockGas)
}

// resetOptions is what a chain shall be made of.
type resetOptions struct {
	Forking json.RawMessage `json:"forking"`
}

// Reset makes the chain what it was at its start.
func (a *controlAPI) Reset(o *resetOptions) error {
	if o != nil && len(o.Forking) > 0 && string(o.Forking) != "null" {
		return invalid(errNoFork)
	}
	return a.chain().Restart()
}

// DumpState is the accounts in a form that LoadState takes.
func (a *controlAPI) DumpState() (hexutil.Bytes, error) { return a.chain().Dump() }

// LoadState sets the accounts of a dump, also of one that anvil made.
func (a *controlAPI) LoadState(packed hexutil.Bytes) (bool, error) {
	if err := a.chain().Load(packed); err != nil {
		return false, invalid(err)
	}
	return true, nil
}

// GetGenesisTime is when the chain began, in seconds.
func (a *controlAPI) GetGenesisTime() int64 { return a.chain().doc.GenesisTime.Unix() }

// nodeInfo is anvil's description of itself.
type nodeInfo struct {
	Number      hexutil.Uint64 `json:"currentBlockNumber"`
	Time        int64          `json:"currentBlockTimestamp"`
	Hash        common.Hash    `json:"currentBlockHash"`
	HardFork    string         `json:"hardFork"`
	Order       string         `json:"transactionOrder"`
	Environment environment    `json:"environment"`
	Fork        forkInfo       `json:"forkConfig"`
}

type environment struct {
	BaseFee  *hexutil.Big   `json:"baseFee"`
	ChainID  uint64         `json:"chainId"`
	GasLimit hexutil.Uint64 `json:"gasLimit"`
	GasPrice *hexutil.Big   `json:"gasPrice"`
}

type forkInfo struct {
	URL     *string `json:"forkUrl"`
	Block   *uint64 `json:"forkBlockNumber"`
	Backoff *uint64 `json:"forkRetryBackoff"`
}

// NodeInfo describes the chain.
func (a *controlAPI) NodeInfo() (*nodeInfo, error) {
	defer a.eth.node.reading()()
	c := a.chain()
	s, err := a.eth.scene(nil, nil)
	if err != nil {
		return nil, err
	}
	fee := (*hexutil.Big)(s.config.BaseFee)
	last := c.last()
	return &nodeInfo{
		hexutil.Uint64(last.Height), last.Time.Unix(), common.BytesToHash(last.id.Hash), "Prague", "fifo",
		environment{fee, c.config.ChainID, network.BlockGas, fee}, forkInfo{},
	}, nil
}
