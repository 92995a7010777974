package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	rpctypes "github.com/cosmos/evm/rpc/types"
)

// maxMined bounds the blocks of one request.
const maxMined = 100_000

var (
	errTooMany = errors.New("too many blocks in one request")
	errNoStep  = errors.New("blocks must be a second apart at least")
)

// quantity is a number as tools write them: hexadecimal or decimal, in quotes or not.
type quantity struct{ big.Int }

// UnmarshalJSON reads any of the forms; it refuses what is negative or has more than 256 bits.
func (q *quantity) UnmarshalJSON(text []byte) error {
	s := strings.Trim(string(text), `"`)
	if _, ok := q.SetString(s, 0); !ok || q.Sign() < 0 || q.BitLen() > 256 || strings.HasPrefix(s, "0") && len(s) > 1 && !strings.HasPrefix(s, "0x") {
		return fmt.Errorf("%.40q is no quantity", s)
	}
	return nil
}

// seconds is the quantity as a number of seconds; what time cannot hold is refused.
func (q *quantity) seconds() (int64, error) {
	if q.BitLen() > 40 {
		return 0, fmt.Errorf("%s seconds are too many", q)
	}
	return q.Int64(), nil
}

// word is 32 bytes that may be written shorter, as numbers are.
type word common.Hash

// UnmarshalJSON reads hexadecimal of up to 32 bytes.
func (w *word) UnmarshalJSON(text []byte) error {
	var q quantity
	if err := q.UnmarshalJSON(text); err != nil {
		return err
	}
	q.FillBytes(w[:])
	return nil
}

// controlAPI is anvil_* and hardhat_*.
type controlAPI struct {
	eth   *ethAPI
	every chan<- time.Duration
}

func (a *controlAPI) chain() *Chain { return a.eth.chain }

// SetBalance sets an account's coins.
func (a *controlAPI) SetBalance(address common.Address, balance quantity) (bool, error) {
	amount, overflow := uint256.FromBig(&balance.Int)
	if overflow {
		return false, fmt.Errorf("%s is no balance", &balance)
	}
	return true, a.chain().Change(Edit{Account: &AccountEdit{Address: address, Balance: amount}})
}

// SetCode sets an account's code.
func (a *controlAPI) SetCode(address common.Address, code hexutil.Bytes) (bool, error) {
	return true, a.chain().Change(Edit{Account: &AccountEdit{Address: address, Code: &code}})
}

// SetNonce sets an account's next nonce.
func (a *controlAPI) SetNonce(address common.Address, nonce quantity) (bool, error) {
	if !nonce.IsUint64() || nonce.Uint64() == math.MaxUint64 {
		return false, fmt.Errorf("%s is no nonce", &nonce)
	}
	n := hexutil.Uint64(nonce.Uint64())
	return true, a.chain().Change(Edit{Account: &AccountEdit{Address: address, Nonce: &n}})
}

// SetStorageAt sets one word of a contract.
func (a *controlAPI) SetStorageAt(address common.Address, slot, value word) (bool, error) {
	return true, a.chain().Change(Edit{Storage: &StorageEdit{address, common.Hash(slot), common.Hash(value)}})
}

// SetPrevRandao sets what the opcode PREVRANDAO gives in the next block.
func (a *controlAPI) SetPrevRandao(value word) (bool, error) {
	v := common.Hash(value)
	return true, a.chain().Change(Edit{Beacon: &v})
}

// ImpersonateAccount lets eth_sendTransaction send for an account without its key.
func (a *controlAPI) ImpersonateAccount(address common.Address) bool {
	return a.impersonate(address, true)
}

// StopImpersonatingAccount ends that.
func (a *controlAPI) StopImpersonatingAccount(address common.Address) bool {
	return a.impersonate(address, false)
}

func (a *controlAPI) impersonate(address common.Address, on bool) bool {
	c := a.chain()
	c.mu.Lock()
	defer c.mu.Unlock()
	if on {
		c.actors[address] = true
	} else {
		delete(c.actors, address)
	}
	return true
}

// AutoImpersonateAccount lets eth_sendTransaction send for every account.
func (a *controlAPI) AutoImpersonateAccount(on bool) bool {
	c := a.chain()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.anyActor = on
	return true
}

// Mine makes blocks, one if nothing is said, apart by so many seconds.
func (a *controlAPI) Mine(blocks, interval *quantity) (bool, error) {
	n, apart := uint64(1), int64(0)
	if blocks != nil {
		if blocks.Cmp(big.NewInt(maxMined)) > 0 {
			return false, fmt.Errorf("%w: %s, allowed are %d", errTooMany, blocks, maxMined)
		}
		n = blocks.Uint64()
	}
	if interval != nil {
		var err error
		if apart, err = interval.seconds(); err != nil {
			return false, err
		}
	}
	return true, a.chain().Mine(n, time.Duration(apart)*time.Second)
}

// SetAutomine says whether a transaction is in a block at once.
func (a *controlAPI) SetAutomine(on bool) (bool, error) {
	c := a.chain()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.automine = on
	if on {
		return true, c.mineReady(common.Hash{})
	}
	return true, nil
}

// GetAutomine reports whether a transaction is in a block at once.
func (a *controlAPI) GetAutomine() bool {
	defer a.eth.node.reading()()
	return a.chain().automine
}

// SetNextBlockTimestamp says when the next block is.
func (a *controlAPI) SetNextBlockTimestamp(timestamp quantity) error {
	when, err := timestamp.seconds()
	if err != nil {
		return err
	}
	c := a.chain()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock.schedule(time.Unix(when, 0).UTC(), c.last().Time)
}

// SetBlockTimestampInterval says how many seconds blocks are apart, whatever the clock says.
func (a *controlAPI) SetBlockTimestampInterval(seconds quantity) error {
	by, err := seconds.seconds()
	if err != nil {
		return invalid(err)
	}
	if by == 0 {
		return invalid(errNoStep)
	}
	a.step(time.Duration(by) * time.Second)
	return nil
}

// RemoveBlockTimestampInterval lets blocks have the clock's time again and reports whether they had not.
func (a *controlAPI) RemoveBlockTimestampInterval() bool { return a.step(0) > 0 }

func (a *controlAPI) step(by time.Duration) (before time.Duration) {
	c := a.chain()
	c.mu.Lock()
	defer c.mu.Unlock()
	before, c.clock.step = c.clock.step, by
	return before
}

// IncreaseTime moves the clock forward and returns how far it is ahead in all, in seconds.
func (a *controlAPI) IncreaseTime(seconds quantity) (json.Number, error) {
	by, err := seconds.seconds()
	if err != nil {
		return "", err
	}
	c := a.chain()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock.offset += time.Duration(by) * time.Second
	return json.Number(strconv.FormatInt(int64(c.clock.offset/time.Second), 10)), nil
}

// SetIntervalMining makes a block every so many seconds. 0 ends it.
func (a *controlAPI) SetIntervalMining(seconds quantity) (bool, error) {
	return a.interval(seconds, time.Second)
}

func (a *controlAPI) interval(n quantity, unit time.Duration) (bool, error) {
	if n.BitLen() > 31 {
		return false, fmt.Errorf("%s is no interval", &n)
	}
	interval := time.Duration(n.Int64()) * unit
	if interval > 0 {
		if _, err := a.SetAutomine(false); err != nil {
			return false, err
		}
	}
	select {
	case a.every <- interval:
		return true, nil
	case <-time.After(readTimeout):
		return false, errors.New("the chain makes no blocks any more")
	}
}

// DropTransaction forgets a transaction that waits for a block.
func (a *controlAPI) DropTransaction(hash common.Hash) (bool, error) {
	c := a.chain()
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.pool)
	err := c.forget(map[common.Hash]bool{hash: true})
	return len(c.pool) < n, err
}

// DropAllTransactions forgets all that waits for a block.
func (a *controlAPI) DropAllTransactions() error {
	a.chain().drop(func(waiting) bool { return true })
	return nil
}

// RemovePoolTransactions forgets what waits of one sender.
func (a *controlAPI) RemovePoolTransactions(from common.Address) error {
	a.chain().drop(func(w waiting) bool { return w.from == from })
	return nil
}

// GetIntervalMining is the whole seconds between blocks that are made by themselves; null if none are.
func (a *controlAPI) GetIntervalMining() *int64 {
	defer a.eth.node.reading()()
	if a.chain().interval == 0 {
		return nil
	}
	s := int64(a.chain().interval / time.Second)
	return &s
}

// Snapshot is evm_snapshot.
func (a *controlAPI) Snapshot() hexutil.Uint64 { return (&evmAPI{a}).Snapshot() }

// Revert is evm_revert.
func (a *controlAPI) Revert(id quantity) (bool, error) { return (&evmAPI{a}).Revert(id) }

// metadata is what Hardhat's helpers recognise a development network by.
type metadata struct {
	ClientVersion     string         `json:"clientVersion"`
	ChainID           uint64         `json:"chainId"`
	InstanceID        common.Hash    `json:"instanceId"`
	LatestBlockNumber uint64         `json:"latestBlockNumber"`
	LatestBlockHash   common.Hash    `json:"latestBlockHash"`
	Models            []metadataItem `json:"models"`

	Semver    string                    `json:"clientSemver"`
	Commit    string                    `json:"clientCommitSha"`
	Fork      *struct{}                 `json:"forkedNetwork"` // null: there are no forks
	Snapshots map[hexutil.Uint64][2]any `json:"snapshots"`     // number and hash of the block
}

type metadataItem struct {
	Name string      `json:"name"`
	ID   common.Hash `json:"id"`
}

// Metadata describes the chain, with the ids of the preloaded models.
func (a *controlAPI) Metadata() (metadata, error) {
	defer a.eth.node.reading()()
	c := a.chain()
	m := metadata{"mutirao/" + a.eth.version, c.config.ChainID, common.BytesToHash(c.blocks[0].id.Hash), uint64(c.height()),
		common.BytesToHash(c.last().id.Hash), []metadataItem{}, a.eth.version, "", nil, map[hexutil.Uint64][2]any{}}
	for _, s := range c.snapshots {
		m.Snapshots[hexutil.Uint64(s.id)] = [2]any{s.height, common.BytesToHash(c.blocks[s.height-1].id.Hash)}
	}
	models, err := c.models()
	for _, model := range models {
		m.Models = append(m.Models, metadataItem{model.Name, common.Hash(model.ID)})
	}
	return m, err
}

// evmAPI is evm_*.
type evmAPI struct{ control *controlAPI }

// Snapshot remembers the chain and returns a number.
func (e *evmAPI) Snapshot() hexutil.Uint64 { return hexutil.Uint64(e.control.chain().Snapshot()) }

// Revert goes back to a snapshot. It is false if there is no such snapshot.
func (e *evmAPI) Revert(id quantity) (bool, error) {
	if !id.IsUint64() {
		return false, nil
	}
	return e.control.chain().Revert(id.Uint64())
}

// mineOptions is a timestamp, or the number of blocks with it.
type mineOptions struct {
	Timestamp *quantity `json:"timestamp"`
	Blocks    *quantity `json:"blocks"`
}

// UnmarshalJSON reads a number or an object.
func (o *mineOptions) UnmarshalJSON(text []byte) error {
	if strings.HasPrefix(string(text), "{") {
		type plain mineOptions
		return json.Unmarshal(text, (*plain)(o))
	}
	o.Timestamp = new(quantity)
	return o.Timestamp.UnmarshalJSON(text)
}

// Mine makes a block, at a time if one is given.
func (e *evmAPI) Mine(o *mineOptions) (string, error) {
	var blocks *quantity
	if o != nil {
		blocks = o.Blocks
		if o.Timestamp != nil && o.Timestamp.Sign() > 0 {
			if err := e.control.SetNextBlockTimestamp(*o.Timestamp); err != nil {
				return "", err
			}
		}
	}
	_, err := e.control.Mine(blocks, nil)
	return "0x0", err
}

// IncreaseTime is anvil_increaseTime.
func (e *evmAPI) IncreaseTime(seconds quantity) (json.Number, error) {
	return e.control.IncreaseTime(seconds)
}

// SetNextBlockTimestamp is anvil_setNextBlockTimestamp.
func (e *evmAPI) SetNextBlockTimestamp(timestamp quantity) error {
	return e.control.SetNextBlockTimestamp(timestamp)
}

// SetTime moves the clock to a time and returns by how many seconds.
func (e *evmAPI) SetTime(timestamp quantity) (int64, error) {
	when, err := timestamp.seconds()
	if err != nil {
		return 0, err
	}
	c := e.control.chain()
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.clock.offset
	c.clock.set(time.Unix(when, 0))
	return int64((c.clock.offset - before) / time.Second), nil
}

// Mine_detailed is evm_mine and the blocks with their transactions.
func (e *evmAPI) Mine_detailed(ctx context.Context, o *mineOptions) ([]map[string]any, error) {
	eth := e.control.eth
	from := eth.chain.Height()
	if _, err := e.Mine(o); err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for h := from + 1; h <= eth.chain.Height(); h++ {
		b, err := eth.GetBlockByNumber(ctx, rpctypes.BlockNumber(h), true)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, nil
}

// SetAutomine is anvil_setAutomine.
func (e *evmAPI) SetAutomine(on bool) (bool, error) { return e.control.SetAutomine(on) }

// secondsBelow tells apart what tools mean by evm_setIntervalMining: Hardhat's milliseconds from anvil's seconds.
const secondsBelow = 100

// SetIntervalMining makes a block every so many milliseconds, as for Hardhat, or, of a number below 100, seconds, as for anvil.
func (e *evmAPI) SetIntervalMining(n quantity) (bool, error) {
	if n.Cmp(big.NewInt(secondsBelow)) < 0 {
		return e.control.interval(n, time.Second)
	}
	return e.control.interval(n, time.Millisecond)
}

// SetAccountNonce is anvil_setNonce.
func (e *evmAPI) SetAccountNonce(address common.Address, nonce quantity) (bool, error) {
	return e.control.SetNonce(address, nonce)
}
