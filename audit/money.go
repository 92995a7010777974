package audit

import (
	"math/big"
	"strings"
)

// move takes coins from one account to another. The zero account stands for nobody: coins that are burned.
func (b *Books) move(from, to Account, amount *big.Int, why string) {
	notes := b.notes
	b.notes = nil
	if amount == nil || amount.Sign() == 0 {
		return
	}
	b.add(from, new(big.Int).Neg(amount))
	if b.balances[from].Sign() < 0 {
		b.find("balance "+from.String(), "at least 0", b.balances[from].String()+" after "+why)
	}
	if to == (Account{}) {
		b.supply.Sub(b.supply, amount)
	} else {
		b.add(to, amount)
	}
	b.moves = append(b.moves, Move{Tx: b.tx, From: from, To: to, Amount: new(big.Int).Set(amount), Why: why, Notes: notes})
}

func (b *Books) add(who Account, amount *big.Int) {
	if b.balances[who] == nil {
		b.balances[who] = new(big.Int)
	}
	b.balances[who].Add(b.balances[who], amount)
}

// told notes what a transaction was for.
func (b *Books) told(tx Tx) {
	if !b.explain {
		return
	}
	b.notes = nil
	var kinds []string
	for _, m := range tx.Messages {
		if kinds = append(kinds, m.Kind); len(kinds) == 10 {
			break
		}
	}
	result := "carried out"
	if !tx.OK {
		result = "refused, which costs the fee all the same"
	}
	b.because("for a transaction of %d message(s), %s: %s", len(tx.Messages), strings.Join(kinds, ", "), result)
}

// charge takes the fee of a transaction: a native one pays for its limit, an Ethereum one for what it used.
func (b *Books) charge(tx Tx, baseFee *big.Int) {
	g := tx.Gas
	if g == nil {
		b.notes = nil
		return
	}
	if g.Cap == nil {
		b.because("a native transaction pays for its limit: it offered %s for %d gas at a base fee of %s", g.Fee, g.Limit, baseFee)
		b.move(tx.Payer, b.genesis.Fees, g.native(baseFee), "fee")
		return
	}
	price := new(big.Int).Set(g.Cap)
	if g.Priority != nil {
		price = least(price, new(big.Int).Add(baseFee, g.Priority))
	}
	b.because("%d gas used of %d, at %s each: the base fee of %s and the tip, at most what the sender allowed", g.Used, g.Limit, price, baseFee)
	b.move(tx.Payer, b.genesis.Fees, price.Mul(price, new(big.Int).SetUint64(g.Used)), "fee")
}

// native is the whole offer, or, if a priority bounds it, the base fee and the priority for each gas if that is less.
func (g *Gas) native(baseFee *big.Int) *big.Int {
	if g.Priority == nil {
		return g.Fee
	}
	bound := new(big.Int).Add(baseFee, g.Priority)
	return least(new(big.Int).Set(g.Fee), bound.Mul(bound, new(big.Int).SetUint64(g.Limit)))
}

func least(a, b *big.Int) *big.Int {
	if a.Cmp(b) <= 0 {
		return a
	}
	return b
}

// part is floor(a · n / d).
func part(a *big.Int, n, d int64) *big.Int {
	p := new(big.Int).Mul(a, big.NewInt(n))
	return p.Div(p, big.NewInt(d))
}

func minus(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }
