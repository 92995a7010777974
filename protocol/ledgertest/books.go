package ledgertest

import (
	"fmt"
	"slices"

	"github.com/mutirao/mutirao/protocol"
	"github.com/mutirao/mutirao/protocol/money"
)

// books keep the coins: balances in ascending order of accounts, the escrow, and the sums that must agree with them.
type books struct {
	balances               []balance
	escrow, minted, burned money.Amount
}

type balance struct {
	account protocol.Account
	amount  money.Amount
}

func (b *books) find(a protocol.Account) (int, bool) {
	return slices.BinarySearchFunc(b.balances, a, func(x balance, a protocol.Account) int { return x.account.Compare(a) })
}

func (b *books) balance(a protocol.Account) money.Amount {
	if i, ok := b.find(a); ok {
		return b.balances[i].amount
	}
	return money.Amount{}
}

func (b *books) credit(a protocol.Account, amount money.Amount) {
	i, ok := b.find(a)
	if !ok {
		b.balances = slices.Insert(b.balances, i, balance{account: a})
	}
	b.balances[i].amount = b.balances[i].amount.Plus(amount)
}

func (b *books) mint(a protocol.Account, amount money.Amount) {
	b.minted = b.minted.Plus(amount)
	b.credit(a, amount)
}

// lock moves coins into the escrow. The error is ErrInsufficient.
func (b *books) lock(a protocol.Account, amount money.Amount) error {
	i, ok := b.find(a)
	if !ok || b.balances[i].amount.Compare(amount) < 0 {
		return fmt.Errorf("%w: %s has %s and needs %s", protocol.ErrInsufficient, a, b.balance(a).Coins(), amount.Coins())
	}
	b.balances[i].amount = b.balances[i].amount.Minus(amount)
	b.escrow = b.escrow.Plus(amount)
	return nil
}

// pay and burn panic if the escrow has too little: a rule paid what it did not hold.
func (b *books) pay(a protocol.Account, amount money.Amount) {
	b.escrow = b.escrow.Minus(amount)
	b.credit(a, amount)
}

func (b *books) burn(amount money.Amount) {
	b.escrow = b.escrow.Minus(amount)
	b.burned = b.burned.Plus(amount)
}

func (b *books) clone() books {
	c := *b
	c.balances = slices.Clone(b.balances)
	return c
}

func (b *books) check() error {
	sum := b.escrow.Plus(b.burned)
	for _, x := range b.balances {
		sum = sum.Plus(x.amount)
	}
	if sum.Compare(b.minted) != 0 {
		return fmt.Errorf("%s were minted, but balances, escrow and burned coins are %s", b.minted, sum)
	}
	return nil
}
