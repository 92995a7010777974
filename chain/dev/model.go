package dev

import (
	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/protocol/registry"
)

// findModels lists the models that the first block deposited.
func (c *Chain) findModels() error {
	ctx, err := c.app.CreateQueryContext(c.height(), false)
	if err != nil {
		return err
	}
	for _, m := range c.config.Models {
		id, err := registry.DepositID(m.Artifact, Author)
		if err != nil {
			return err
		}
		if has, err := c.app.Registry.HasModel(ctx, id); err != nil || !has {
			if err != nil {
				return err
			}
			continue // a chain that began with others
		}
		model, err := c.app.Registry.Model(ctx, id, escrow.Free)
		if err != nil {
			return err
		}
		c.models = append(c.models, model)
	}
	return nil
}

// Models are the preloaded models.
func (c *Chain) Models() []registry.Model { return c.models }

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
