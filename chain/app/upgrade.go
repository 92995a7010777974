package app

import (
	"context"
	"fmt"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
)

// Upgrade is a change of the rules that governance sets for a height. A program that does not have it stops before that block; one that
// has it must not run earlier, so operators exchange the program when it stops.
type Upgrade struct {
	Name   string // as the proposal calls it
	Stores storetypes.StoreUpgrades
	Apply  func(ctx sdk.Context, a *App) error // beyond the migrations of modules; nil for nothing
}

// Upgrades are those of this version and of all before it, the oldest first.
var Upgrades = []Upgrade{{Name: BeaconUpgrade, Apply: beginBeacon}}

// addUpgrades tells the keeper what this program knows, and prepares the stores if one of them is due.
func (a *App) addUpgrades(list []Upgrade) error {
	if list == nil {
		list = Upgrades
	}
	for _, u := range list {
		a.Upgrade.SetUpgradeHandler(u.Name, func(ctx context.Context, _ upgradetypes.Plan, from module.VersionMap) (module.VersionMap, error) {
			to, err := a.manager.RunMigrations(ctx, a.migrate, from)
			if err != nil || u.Apply == nil {
				return to, err
			}
			return to, u.Apply(sdk.UnwrapSDKContext(ctx), a)
		})
	}
	if a.home == "" {
		return nil
	}
	due, err := a.Upgrade.ReadUpgradeInfoFromDisk()
	if err != nil {
		return fmt.Errorf("note of the upgrade: %w", err)
	}
	for _, u := range list {
		if due.Name == u.Name && !a.Upgrade.IsSkipHeight(due.Height) {
			a.SetStoreLoader(upgradetypes.UpgradeStoreLoader(due.Height, &u.Stores))
		}
	}
	return nil
}
