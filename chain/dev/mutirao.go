package dev

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

var (
	errNoModel   = errors.New("no model of this name")
	errNoAccount = errors.New("not one of the funded accounts")
)

// mutiraoAPI is mutirao_*: the models of the chain, for tools that know no contracts.
type mutiraoAPI struct{ eth *ethAPI }

// modelItem is one model that contracts can call.
type modelItem struct {
	Name    string      `json:"name"`
	ID      common.Hash `json:"id"`
	Inputs  int         `json:"inputs"`
	Outputs int         `json:"outputs"`
	MACs    uint64      `json:"macs"`
}

// Models lists the models that were preloaded or deposited by Deposit, in that order.
func (m *mutiraoAPI) Models() ([]modelItem, error) {
	models, err := m.eth.chain.Models()
	list := []modelItem{}
	for _, x := range models {
		list = append(list, modelItem{x.Name, common.Hash(x.ID), x.Callable.Inputs, x.Callable.Outputs, x.Callable.MACs})
	}
	return list, err
}

// Model is the id of a model by its name, of several the last.
func (m *mutiraoAPI) Model(name string) (common.Hash, error) {
	list, err := m.Models()
	if err != nil {
		return common.Hash{}, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Name == name {
			return list[i].ID, nil
		}
	}
	return common.Hash{}, invalid(fmt.Errorf("%w: %.80q", errNoModel, name))
}

// Deposit puts a model on the chain as one of the funded accounts, which owns it and pays the deposit.
func (m *mutiraoAPI) Deposit(author common.Address, name string, artifact hexutil.Bytes) (common.Hash, error) {
	if _, err := m.eth.key(author); err != nil {
		return common.Hash{}, invalid(fmt.Errorf("%w: %s", errNoAccount, author))
	}
	id, err := m.eth.chain.Deposit(protocol.Account(author), registry.DepositModel{Name: name, Artifact: artifact})
	return common.Hash(id), err
}
