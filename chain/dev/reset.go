package dev

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
)

// maxDump bounds a dump when it is unpacked.
const maxDump = 64 << 20

var errDump = errors.New("this is no dump of accounts")

// dump is the accounts of a chain, in the form of anvil's dumps as far as it goes: those can be loaded here, without their
// blocks. It has nothing of what is no account: models, shares, requests.
type dump struct {
	Accounts map[common.Address]dumped `json:"accounts"`
}

type dumped struct {
	Nonce   json.Number             `json:"nonce"`
	Balance *quantity               `json:"balance"`
	Code    hexutil.Bytes           `json:"code"`
	Storage map[string]*hexutil.Big `json:"storage"`
}

// Dump packs the accounts of people and contracts.
func (c *Chain) Dump() (hexutil.Bytes, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	ctx, err := c.context()
	if err != nil {
		return nil, err
	}
	d := dump{map[common.Address]dumped{}}
	c.app.Account.IterateAccounts(ctx, func(account sdk.AccountI) bool {
		address := account.GetAddress()
		if _, module := account.(authtypes.ModuleAccountI); module || len(address) != common.AddressLength {
			return false
		}
		d.Accounts[common.Address(address)] = c.dumpOf(ctx, common.Address(address))
		return false
	})
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if err := errors.Join(json.NewEncoder(w).Encode(d), w.Close()); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func (c *Chain) dumpOf(ctx sdk.Context, address common.Address) dumped {
	a := c.app.EVM.GetAccountOrEmpty(ctx, address)
	d := dumped{Nonce: json.Number(fmt.Sprint(a.Nonce)), Balance: new(quantity), Code: c.app.EVM.GetCode(ctx, common.BytesToHash(a.CodeHash)), Storage: map[string]*hexutil.Big{}}
	d.Balance.Set(a.Balance.ToBig())
	c.app.EVM.ForEachStorage(ctx, address, func(key, value common.Hash) bool {
		d.Storage[key.Hex()] = (*hexutil.Big)(value.Big())
		return true
	})
	return d
}

// Load sets the accounts of a dump and leaves all others as they are. It makes one block.
func (c *Chain) Load(packed []byte) error {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("%w: %w", errDump, err)
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxDump+1))
	if err == nil && len(raw) > maxDump {
		err = fmt.Errorf("it has more than %d bytes", maxDump)
	}
	var d dump
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errDump, err)
	}
	edits, err := d.edits()
	if err != nil {
		return fmt.Errorf("%w: %w", errDump, err)
	}
	if len(edits) == 0 {
		return fmt.Errorf("%w: it has none", errDump)
	}
	return c.Change(edits...)
}

// edits sets what d has, in the order of addresses and keys.
func (d dump) edits() ([]Edit, error) {
	var list []common.Address
	for a := range d.Accounts {
		list = append(list, a)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Cmp(list[j]) < 0 })
	var edits []Edit
	for _, address := range list {
		a := d.Accounts[address]
		code := a.Code
		e := AccountEdit{Address: address, Code: &code}
		if a.Nonce != "" {
			n, err := a.Nonce.Int64()
			if err != nil || n < 0 || n == math.MaxInt64 {
				return nil, fmt.Errorf("%s is no nonce", a.Nonce)
			}
			nonce := hexutil.Uint64(n)
			e.Nonce = &nonce
		}
		if a.Balance != nil {
			e.Balance, _ = uint256.FromBig(&a.Balance.Int)
		}
		edits = append(edits, Edit{Account: &e})
		var keys []string
		for k := range a.Storage {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			var slot word
			if err := slot.UnmarshalJSON([]byte(k)); err != nil {
				return nil, err
			}
			if v := a.Storage[k]; v != nil {
				edits = append(edits, Edit{Storage: &StorageEdit{address, common.Hash(slot), common.BigToHash(v.ToInt())}})
			}
		}
	}
	return edits, nil
}

// Restart goes back to the first block, with what it preloaded, and forgets snapshots, impersonations and the clock's offset.
func (c *Chain) Restart() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return c.broken
	}
	c.snapshots, c.actors, c.anyActor = nil, map[common.Address]bool{}, false
	if err := c.goBack(c.origin); err != nil {
		return err
	}
	c.clock = clock{now: c.clock.now}
	return nil
}
