package commons

import (
	"context"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/mutirao/mutirao/chain/escrow"
	"github.com/mutirao/mutirao/chain/network"
	"github.com/mutirao/mutirao/protocol"
)

// Holders is the account keeper as the bank sees it: an account with earned credit looks like a vesting account, so that the bank, and
// through it the EVM, keeps these coins from being sent, whatever asks. The bank is the only reader: accounts are stored as they are.
type Holders struct {
	banktypes.AccountKeeper
	Credits *Credits
	Balance func(ctx context.Context, of sdk.AccAddress) sdk.Coin
}

// holder is an account with credit.
type holder struct {
	sdk.AccountI
	locked sdk.Coins
}

var _ banktypes.VestingAccount = holder{}

// LockedCoins are those that cannot be sent in this block.
func (h holder) LockedCoins(time.Time) sdk.Coins { return h.locked }

// TrackDelegation does nothing: credit that is delegated comes back later than it vests.
func (holder) TrackDelegation(time.Time, sdk.Coins, sdk.Coins) {}

// TrackUndelegation does nothing.
func (holder) TrackUndelegation(sdk.Coins) {}

// GetOriginalVesting, GetDelegatedFree and GetDelegatedVesting are what tools print of vesting accounts.
func (h holder) GetOriginalVesting() sdk.Coins { return h.locked }

// GetDelegatedFree is none: delegations are not followed.
func (holder) GetDelegatedFree() sdk.Coins { return nil }

// GetDelegatedVesting is none: delegations are not followed.
func (holder) GetDelegatedVesting() sdk.Coins { return nil }

// GetAccount returns an account, with what it cannot send.
func (k Holders) GetAccount(ctx context.Context, addr sdk.AccAddress) sdk.AccountI {
	account := k.AccountKeeper.GetAccount(ctx, addr)
	if account == nil || len(addr) != len(protocol.Account{}) {
		return account
	}
	if !k.Credits.Any(ctx, protocol.Account(addr)) {
		return account
	}
	has, err := network.Amount(k.Balance(escrow.Unmetered(sdk.UnwrapSDKContext(ctx)), addr).Amount)
	if err != nil {
		return account
	}
	if locked := k.Credits.Locked(ctx, protocol.Account(addr), has); !locked.IsZero() {
		return holder{account, network.Coins(locked)}
	}
	return account
}

// SetAccount stores an account as it is.
func (k Holders) SetAccount(ctx context.Context, account sdk.AccountI) {
	if h, ok := account.(holder); ok {
		account = h.AccountI
	}
	k.AccountKeeper.SetAccount(ctx, account)
}

// Contracts is the bank for the EVM, which asks for each account that it touches, several times, what can be spent of it. Only earned credit
// is ever locked, so that without any nothing needs to be known of the account.
type Contracts struct {
	bankkeeper.Keeper
	Credits *Credits
}

// LockedCoins are those that an account cannot send.
func (c Contracts) LockedCoins(ctx context.Context, addr sdk.AccAddress) sdk.Coins {
	if len(addr) == len(protocol.Account{}) && !c.Credits.Any(ctx, protocol.Account(addr)) {
		return sdk.Coins{}
	}
	return c.Keeper.LockedCoins(ctx, addr)
}

// SpendableCoin is what an account can send.
func (c Contracts) SpendableCoin(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin {
	if len(addr) == len(protocol.Account{}) && !c.Credits.Any(ctx, protocol.Account(addr)) {
		return c.Keeper.GetBalance(ctx, addr, denom)
	}
	return c.Keeper.SpendableCoin(ctx, addr, denom)
}

// Paying is the bank for modules whose escrows earned credit may enter: what they lock is credit first, what they pay is credit
// unless it is given back.
type Paying struct {
	bankkeeper.Keeper
	Credits *Credits
}

var _ escrow.Credits = Paying{}

// Lock says that coins of an account enter an escrow. Rule: spec/commons.md §7.
func (p Paying) Lock(ctx sdk.Context, f protocol.Lock) error {
	has, err := network.Amount(p.GetBalance(escrow.Unmetered(ctx), f.From[:], network.Denom).Amount)
	if err != nil {
		return err
	}
	used, err := p.Credits.use(ctx, f.From, has, f.Amount, true)
	if err != nil || !f.Job {
		return err
	}
	return p.Credits.began(ctx, f.Amount, used)
}

// Pay says that coins of an escrow have been paid.
func (p Paying) Pay(ctx sdk.Context, f protocol.Pay) error {
	if f.Back {
		return p.Credits.back(ctx, f.To, f.Amount)
	}
	return p.Credits.earn(ctx, f.To, f.Amount)
}

// Fees is the bank for whoever takes fees: earned credit pays them.
type Fees struct {
	authtypes.BankKeeper
	Credits *Credits
	Balance func(ctx context.Context, of sdk.AccAddress) sdk.Coin
}

// SendCoinsFromAccountToModule takes a fee, of earned credit first, or none where it is waived.
func (f Fees) SendCoinsFromAccountToModule(ctx context.Context, from sdk.AccAddress, module string, amount sdk.Coins) error {
	if sdk.UnwrapSDKContext(ctx).Value(waived{}) != nil {
		return nil
	}
	if len(from) == len(protocol.Account{}) {
		has, err := network.Amount(f.Balance(escrow.Unmetered(sdk.UnwrapSDKContext(ctx)), from).Amount)
		if err != nil {
			return err
		}
		fee, err := network.Amount(amount.AmountOf(network.Denom))
		if err != nil {
			return err
		}
		if _, err := f.Credits.use(ctx, protocol.Account(from), has, fee, false); err != nil {
			return err
		}
	}
	return f.BankKeeper.SendCoinsFromAccountToModule(ctx, from, module, amount)
}
