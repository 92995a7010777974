package app

import (
	"os"
	"path/filepath"

	"cosmossdk.io/math"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/chain/x/dispute"
	"github.com/mutirao/mutirao/chain/x/market"
	"github.com/mutirao/mutirao/chain/x/registry"
	"github.com/mutirao/mutirao/chain/x/work"
)

// Census counts what is under way after the last block, for operators' graphs.
type Census struct {
	Runs     uint64 // created so far
	Open     uint64 // that go on
	Rounds   uint64 // closed by those
	Disputes uint64 // open
	Escrows  []Escrow
}

// Escrow is the coins of one module.
type Escrow struct {
	Module string
	Amount math.Int // in amut
}

// Census reads the last committed state. It may be called at any time, from any goroutine.
func (a *App) Census() (Census, error) {
	ctx, err := a.CreateQueryContext(0, false)
	if err != nil {
		return Census{}, err
	}
	var c Census
	if c.Runs, c.Open, c.Rounds, err = a.Work.Census(ctx); err != nil {
		return c, err
	}
	if c.Disputes, err = a.Dispute.Census(ctx); err != nil {
		return c, err
	}
	for _, name := range []string{work.ModuleName, dispute.ModuleName, registry.ModuleName, market.ModuleName} {
		amount := a.Bank.GetBalance(ctx, authtypes.NewModuleAddress(name), network.Denom).Amount
		c.Escrows = append(c.Escrows, Escrow{name, amount})
	}
	return c, nil
}

// UpgradeNeeded names the upgrade for which the chain waits and which this program lacks, or is empty.
func (a *App) UpgradeNeeded() string {
	if a.home == "" {
		return ""
	}
	if _, err := os.Stat(filepath.Join(a.home, "data", "upgrade-info.json")); err != nil {
		return ""
	}
	due, err := a.Upgrade.ReadUpgradeInfoFromDisk()
	if err != nil || due.Height != a.LastBlockHeight()+1 || a.Upgrade.HasHandler(due.Name) {
		return ""
	}
	return due.Name
}

// UpgradeEarly names an upgrade that this program has and the chain has not reached, with its block: another program must run until then.
// It is empty if there is none.
func (a *App) UpgradeEarly() (name string, height int64) {
	if a.LastBlockHeight() < 1 {
		return "", 0
	}
	ctx, err := a.CreateQueryContext(0, false)
	if err != nil {
		return "", 0
	}
	plan, err := a.Upgrade.GetUpgradePlan(ctx)
	if err != nil || plan.Height <= a.LastBlockHeight()+1 || !a.Upgrade.HasHandler(plan.Name) {
		return "", 0
	}
	return plan.Name, plan.Height
}
