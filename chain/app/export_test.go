package app

import storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

// Stores are the keys of the app's stores by name.
func (a *App) Stores() map[string]*storetypes.KVStoreKey { return a.keys }
