package audit

import (
	"bytes"
	"cmp"
	"maps"
	"math/big"
	"slices"
)

// RewardTerms are what validators and stake have earned at genesis. Rule: spec/rewards.md.
type RewardTerms struct {
	Escrow Account  // of what stake has earned and is not paid
	Loose  *big.Int // of it, what nobody's stake is behind, in 2^-128 amut
	Left   int      // delegations to be paid until all were since the last division
	Last   [2]Account
	Votes  map[Account]*big.Int // weight of keys in the epoch
	Income map[Account]Income   // of validators
}

// Income is what the stake behind one validator has earned at genesis.
type Income struct {
	Index, Rest, Earned *big.Int
	Seen, Rests         map[Account]*big.Int // of delegations
}

const (
	epoch        = 100 // blocks
	paidPerBlock = 32  // delegations
	maxShares    = 192 // bits of shares among which a part is divided
)

// maxPot is what one division divides at most. fine is an amut in the unit of what a share has earned.
var (
	maxPot = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 96), big.NewInt(1))
	fine   = new(big.Int).Lsh(big.NewInt(1), 128)
)

// income is what the stake behind a validator has earned.
type income struct {
	index, rest, earned *big.Int
	holders             map[Account]*holder
}

// holder is a delegation as far as it is paid.
type holder struct{ seen, rest *big.Int }

func newIncome() income {
	return income{index: new(big.Int), rest: new(big.Int), earned: new(big.Int), holders: map[Account]*holder{}}
}

// signing are who signs, and what concerns all stake.
type signing struct {
	powers map[Account]int64    // of keys whose signatures count now
	coming []changed            // changes of powers that do not hold yet
	votes  map[Account]*big.Int // weight in the epoch
	loose  *big.Int
	left   int
	last   [2]Account // operator and owner of the delegation that had its turn last
}

// changed is a change of the set in a block.
type changed struct {
	height uint64
	set    []SetChange
}

// signsAfter is how many blocks after a change of the set its powers are those of the signatures in a block.
const signsAfter = 3

// newSigning begins with what genesis says.
func newSigning(g Genesis) signing {
	w := signing{powers: map[Account]int64{}, votes: map[Account]*big.Int{}, loose: orZero(g.Rewards.Loose), left: g.Rewards.Left, last: g.Rewards.Last}
	for _, c := range g.Stake.Set {
		w.powers[c.Consensus] = c.Power
	}
	for who, weight := range g.Rewards.Votes {
		w.votes[who] = orZero(weight)
	}
	return w
}

// began gives validators what genesis says of their income. Each delegation has a part in it.
func (s *staking) began(from map[Account]Income) {
	for operator, v := range s.validators {
		i := from[operator]
		v.income.index, v.income.rest, v.income.earned = orZero(i.Index), orZero(i.Rest), orZero(i.Earned)
		for who := range v.parts {
			v.income.holders[who] = &holder{orZero(i.Seen[who]), orZero(i.Rests[who])}
		}
	}
}

func (in *income) enter(who Account) {
	in.holders[who] = &holder{new(big.Int).Set(in.index), new(big.Int)}
}

// rewards counts who signed, divides at the end of an epoch, and pays the next delegations.
func (b *Books) rewards(signed []Account) {
	w := &b.signing
	for len(w.coming) > 0 && w.coming[0].height+signsAfter <= b.height {
		for _, c := range w.coming[0].set {
			w.powers[c.Consensus] = c.Power
		}
		w.coming = w.coming[1:]
	}
	for _, who := range signed {
		if p := w.powers[who]; p > 0 {
			w.votes[who] = new(big.Int).Add(orZero(w.votes[who]), big.NewInt(p))
		}
	}
	if b.height%epoch == 0 {
		b.divide()
		w.votes = map[Account]*big.Int{}
	}
	b.payStake()
}

// divide gives each who signed its part of the fees.
func (b *Books) divide() {
	w, sum, given := &b.signing, new(big.Int), new(big.Int)
	for _, weight := range w.votes {
		sum.Add(sum, weight)
	}
	w.left = b.delegations()
	back := new(big.Int).Quo(w.loose, fine)
	pot := new(big.Int).Add(least(b.Balance(b.genesis.Fees), maxPot), least(back, maxPot))
	if pot.Sign() == 0 || sum.Sign() == 0 {
		return
	}
	own := map[Account]*big.Int{}
	for consensus, weight := range w.votes {
		operator := b.stake.keys[consensus]
		v := b.stake.validators[operator]
		part := new(big.Int).Mul(pot, weight)
		if part.Quo(part, sum); part.Sign() == 0 || v == nil || len(v.income.holders) == 0 || v.shares.Sign() == 0 || v.shares.BitLen() > maxShares {
			continue
		}
		mine := cut(part, v.commission)
		v.income.earn(minus(part, mine), v.shares)
		given.Add(given, part)
		own[operator] = mine
	}
	used := new(big.Int).Set(least(back, given))
	w.loose = minus(w.loose, new(big.Int).Mul(used, fine))
	b.because("the fees of %d blocks, in proportion to power and signed blocks", epoch)
	b.move(b.genesis.Fees, b.genesis.Rewards.Escrow, minus(given, used), "fees for validators")
	for _, operator := range sorted(own) {
		b.because("its commission on what the stake behind it earned in %d blocks", epoch)
		b.move(b.genesis.Rewards.Escrow, operator, own[operator], "commission of a validator")
	}
}

// earn divides a part among shares; what is too little for each waits.
func (in *income) earn(part, shares *big.Int) {
	in.earned.Add(in.earned, part)
	sum := new(big.Int).Mul(part, fine)
	each := new(big.Int)
	each.QuoRem(sum.Add(sum, in.rest), shares, in.rest)
	in.index.Add(in.index, each)
}

// payHolder pays a delegation.
func (b *Books) payHolder(v *validator, who Account) {
	h := v.income.holders[who]
	if h == nil || h.seen.Cmp(v.income.index) == 0 {
		return
	}
	sum := minus(v.income.index, h.seen)
	sum.Mul(sum, orZero(v.parts[who])).Add(sum, h.rest)
	due := new(big.Int)
	due.QuoRem(sum, fine, h.rest)
	h.seen.Set(v.income.index)
	b.because("what a stake of %s shares of 10^-18 has earned behind its validator since it was paid last", orZero(v.parts[who]).String())
	b.move(b.genesis.Rewards.Escrow, who, due, "earned by stake")
}

// gone takes a settled delegation away; with the last one, what is left is nobody's.
func (b *Books) gone(v *validator, who Account) {
	if h := v.income.holders[who]; h != nil {
		v.income.rest.Add(v.income.rest, h.rest)
		delete(v.income.holders, who)
	}
	if len(v.income.holders) == 0 {
		b.signing.loose.Add(b.signing.loose, v.income.rest)
		v.income = newIncome()
	}
}

func (b *Books) delegations() (n int) {
	for _, v := range b.stake.validators {
		n += len(v.income.holders)
	}
	return n
}

// payStake pays the next delegations, in the order of operators and owners, until all had their turn.
func (b *Books) payStake() {
	w := &b.signing
	if w.left == 0 {
		return
	}
	var all [][2]Account
	for operator, v := range b.stake.validators {
		for who := range v.income.holders {
			all = append(all, [2]Account{operator, who})
		}
	}
	order := func(x, y [2]Account) int {
		return cmp.Or(bytes.Compare(x[0][:], y[0][:]), bytes.Compare(x[1][:], y[1][:]))
	}
	slices.SortFunc(all, order)
	from, found := slices.BinarySearchFunc(all, w.last, order)
	if found {
		from++
	}
	n := min(w.left, len(all), paidPerBlock)
	for i := range n {
		at := all[(from+i)%len(all)]
		w.last = at
		b.payHolder(b.stake.validators[at[0]], at[1])
	}
	if w.left -= n; len(all) == 0 {
		w.left = 0
	}
}

// earned is what stake has earned, by operator.
func (b *Books) earned() map[Account]*big.Int {
	out := map[Account]*big.Int{}
	for who, v := range b.stake.validators {
		out[who] = v.income.earned
	}
	return out
}

// sorted lists accounts in ascending order.
func sorted(m map[Account]*big.Int) []Account {
	return slices.SortedFunc(maps.Keys(m), func(x, y Account) int { return bytes.Compare(x[:], y[:]) })
}
