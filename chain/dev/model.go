package dev

import (
	"slices"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/registry"
)

// note remembers the models that the edits of a block deposited.
func (c *Chain) note(edits []Edit) error {
	for _, e := range edits {
		if e.Model == nil {
			continue
		}
		id, err := registry.DepositID(e.Model.Artifact, e.author())
		if err != nil {
			return err
		}
		if !slices.Contains(c.deposits, id) {
			c.deposits = append(c.deposits, id)
		}
	}
	return nil
}

// models lists the deposited models that are there now. The caller holds the lock.
func (c *Chain) models() ([]registry.Model, error) {
	ctx, err := c.context()
	if err != nil {
		return nil, err
	}
	var list []registry.Model
	for _, id := range c.deposits {
		if has, err := c.app.Registry.HasModel(ctx, id); err != nil || !has {
			if err != nil {
				return nil, err
			}
			continue // the chain went back
		}
		m, err := c.app.Registry.Model(ctx, id, escrow.Free)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// Deposit puts a model on the chain in a block of its own.
func (c *Chain) Deposit(author protocol.Account, m registry.DepositModel) (protocol.Hash, error) {
	id, err := registry.DepositID(m.Artifact, author)
	if err != nil {
		return id, err
	}
	return id, c.Change(Edit{Model: &m, Author: &author})
}

// Models are the preloaded models and those that Deposit added.
func (c *Chain) Models() ([]registry.Model, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.models()
}

// Accounts are the funded accounts.
func (c *Chain) Accounts() []Account { return c.accounts }

// ChainID is the EIP-155 id.
func (c *Chain) ChainID() uint64 { return c.config.ChainID }

// Height is that of the last block.
func (c *Chain) Height() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.height()
}
