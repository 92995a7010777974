package app

import (
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
)

// Stores are the keys of the app's stores by name.
func (a *App) Stores() map[string]*storetypes.KVStoreKey { return a.keys }

// NewBare is New without our modules; their stores are empty.
func NewBare(logger log.Logger, db dbm.DB) (*App, error) {
	return build(logger, db, Options{bare: true}, nil)
}
