// Package escrow carries out what the rules ask for: it moves coins between accounts and a module's escrow, burns them,
// keeps records and emits events. It has no arithmetic of its own and must not import a module.
package escrow

import (
	"context"
	"errors"
	"fmt"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
)

// Bank is what an escrow needs of the bank.
type Bank interface {
	SendCoinsFromAccountToModule(ctx context.Context, from sdk.AccAddress, module string, amount sdk.Coins) error
	SendCoinsFromModuleToAccount(ctx context.Context, module string, to sdk.AccAddress, amount sdk.Coins) error
	BurnCoins(ctx context.Context, module string, amount sdk.Coins) error
}

// Credits is told what escrows lock and pay: which of an account's coins it has earned and cannot send yet.
type Credits interface {
	// Lock comes before the coins are taken, so that those that an account cannot send can be locked.
	Lock(ctx sdk.Context, f protocol.Lock) error
	// Pay comes after the coins are paid.
	Pay(ctx sdk.Context, f protocol.Pay) error
}

// Escrow is the money of one module.
type Escrow struct {
	bank    Bank
	credits Credits // nil: only coins that can be sent are locked, and what is paid can be sent
	module  string
}

// New returns the escrow in the account of module, which must be allowed to burn. If the bank knows Credits, they are told.
func New(bank Bank, module string) Escrow {
	credits, _ := bank.(Credits)
	return Escrow{bank, credits, module}
}

// Execute carries out effects in their order and hands each record to keep. After an error the caller must drop all
// changes of ctx; a Lock that finds too little money is protocol.ErrInsufficient.
func (e Escrow) Execute(ctx sdk.Context, effects []protocol.Effect, keep func(protocol.Recorded) error) error {
	for _, effect := range effects {
		if err := e.execute(ctx, effect, keep); err != nil {
			return err
		}
	}
	return nil
}

func (e Escrow) execute(ctx sdk.Context, effect protocol.Effect, keep func(protocol.Recorded) error) error {
	switch f := effect.(type) {
	case protocol.Lock:
		if e.credits != nil {
			if err := e.credits.Lock(ctx, f); err != nil {
				return err
			}
		}
		err := e.bank.SendCoinsFromAccountToModule(ctx, f.From[:], e.module, network.Coins(f.Amount))
		if errors.Is(err, sdkerrors.ErrInsufficientFunds) {
			return fmt.Errorf("%w: %s needs %s", protocol.ErrInsufficient, f.From, f.Amount.Coins())
		}
		return err
	case protocol.Pay:
		err := e.bank.SendCoinsFromModuleToAccount(ctx, e.module, f.To[:], network.Coins(f.Amount))
		if err != nil || e.credits == nil {
			return err
		}
		return e.credits.Pay(ctx, f)
	case protocol.Burn:
		return e.bank.BurnCoins(ctx, e.module, network.Coins(f.Amount))
	case protocol.Record:
		return keep(f.Value)
	case protocol.Event:
		attributes := make([]sdk.Attribute, len(f.Attributes))
		for i, a := range f.Attributes {
			attributes[i] = sdk.NewAttribute(a.Name, a.Value)
		}
		ctx.EventManager().EmitEvent(sdk.NewEvent(f.Type, attributes...))
		return nil
	}
	return fmt.Errorf("effect %T is unknown to this host", effect)
}

// Env is what a rule may know about the block that ctx executes.
func Env(ctx sdk.Context) protocol.Env {
	return protocol.Env{Height: protocol.Height(ctx.BlockHeight()), Time: ctx.BlockTime().Unix()}
}

// Isolated calls do on a branch of the state, which is kept if it does not fail. A fault must not stop the chain.
func Isolated(ctx sdk.Context, do func(sdk.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	branch, write := ctx.CacheContext()
	if err := do(branch); err != nil {
		return err
	}
	write()
	return nil
}

// The gas of a rule is a function of the size of its message and of the state that it reads, charged before the work:
// what the state costs once its bytes are at hand and before they are decoded. GasPerMessage pays for fetching them. What
// the stores charge on top would make gas depend on the layout of keys, so a rule runs Unmetered.
const (
	GasPerMessage   = 150_000
	GasPerByte      = 20     // of the message
	GasPerStateByte = 5      // decoded, and written back
	GasPerShare     = 20_000 // keeping one holder of a new model
)

// Unmetered is ctx without the gas of its stores.
func Unmetered(ctx sdk.Context) sdk.Context {
	return ctx.WithGasMeter(storetypes.NewInfiniteGasMeter())
}

// ChargeMessage takes the gas of one message of so many bytes.
func ChargeMessage(ctx sdk.Context, bytes int) {
	ctx.GasMeter().ConsumeGas(GasPerMessage+GasPerByte*uint64(bytes), "rule")
}

// Charge takes the gas of a state of so many bytes, or panics as gas meters do. Who reads a state calls it between
// fetching and decoding.
type Charge func(bytes int)

// ChargeState charges ctx for the state that a rule reads.
func ChargeState(ctx sdk.Context) Charge {
	return func(bytes int) { ctx.GasMeter().ConsumeGas(GasPerStateByte*uint64(bytes), "state of the rule") }
}

// Free is for reading what is paid for already and what nobody pays for.
func Free(int) {}

// ChargeShares takes the gas of keeping so many holders.
func ChargeShares(ctx sdk.Context, n int) {
	ctx.GasMeter().ConsumeGas(GasPerShare*uint64(n), "shares")
}
